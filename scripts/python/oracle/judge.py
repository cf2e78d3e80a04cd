"""Holds what a client said against what the ledger has."""

import math
from collections import Counter
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

from lab.case import Case
from oracle.fate import Fate
from oracle.ledger import MILLI, distance
from oracle.said import Object, Said

WORDS = {"ok", "refused", "unreachable", "timeout", "no-reply", "reset", "wrong-reply", "wrong-source", "unresolved",
         "local"}
STRAYS_SAID = 100
REPLIED = {"ok", "wrong-reply"}
LEAST_OF_OUTAGE, MOST_LISTED = 2, 64  # probes of an outage, and outages that are listed
SILENCE = {"no-reply", "timeout", "wrong-source"}  # verdicts that only the end of a probe's time makes
CONNECTED = REPLIED | {"no-reply", "reset"}
# Milliseconds that a client adds to a reply time of its own accord: the way from its reading
# of the clock through the kernel to the wire, and from a stamp back to that clock. It may
# lose the processor on that way, and the kernel counts for how long it had to wait for one:
# proc(5), schedstat. So all that goes beyond this must not be more, in sum.
OWN_MS = 0.3
CLOCK_MS = 1.0  # by which times of the wall clock are rounded
ROUNDED_MS = 0.002  # by which rounding may make two figures differ


class Judgement:
    """The checks of one run or single exchange, given the fates of its probes."""

    def __init__(self, case: Case, said: Said, fates: list[Fate], waited_ms: float, timeout_ms: float,
                 expect: str = "ok", max_loss: float = 0.0, is_endless: bool = False) -> None:
        self.case, self.said, self.fates = case, said, fates
        self.waited_ms, self.timeout_ms = waited_ms, timeout_ms
        self.expected, self.max_loss, self.is_endless = set(expect.split(",")), max_loss, is_endless
        for fate in fates:
            if fate.unfinished is None:
                fate.unfinished = fate.number not in said.probes
        self.decided = {fate.number: self._decide(fate) for fate in fates}

    def _decide(self, fate: Fate) -> str:
        """The verdict by the ledger. Where that has two, the client's choice among them."""
        said = self.said.probes.get(fate.number, {}).get("verdict")
        return said if said in fate.verdicts else sorted(fate.verdicts)[0]

    def check(self, ok: Any, otherwise: str) -> None:
        self.case.check(ok, otherwise)

    def run(self) -> None:
        """Everything about a run."""
        for wrong in self.said.wrong:
            self.check(False, wrong)
        if not self.said.summary:
            self.check(False, f"no summary, exit {self.said.status}: {self.said.errors[:300]}")
            return
        self.check(self.status() == self.said.status, f"exit status {self.said.status}, not {self.status()}")
        self.counts()
        self.probes()
        self.strays()
        self.times()
        self.jitter()
        self.outages()

    def single(self) -> None:
        """Everything about a single exchange with one address."""
        for wrong in self.said.wrong:
            self.check(False, wrong)
        expected = 0 if self.decided.get(1) in self.expected else 1
        self.check(self.said.status == expected, f"exit status {self.said.status}, not {expected}")
        self.probes()
        self.times()

    def totals(self) -> dict[str, int]:
        """What the summary must have, but for what happens in the client alone."""
        ended = [fate for fate in self.fates if not fate.unfinished]
        verdicts = [self.decided[fate.number] for fate in ended]
        late = sum(fate.late_at is not None and self.decided[fate.number] in ("no-reply", "wrong-source")
                   for fate in ended)
        lost = sum(self.is_silent(fate) for fate in ended)
        return {"sent": len(self.fates), "ok": verdicts.count("ok"), "late": late, "lost": lost - late,
                "unfinished": len(self.fates) - len(ended),
                "duplicate": sum(fate.duplicate for fate in self.fates),
                "foreign": sum(fate.foreign for fate in self.fates),
                "failed": sum(word not in {*self.expected, "local"} for word in verdicts)}

    def is_silent(self, fate: Fate) -> bool:
        """Whether nothing came back while the probe was open. A peer that closed is not silence."""
        return self.decided[fate.number] in SILENCE and not fate.closed

    def status(self) -> int:
        totals = self.totals()
        counts_neither_way = self.is_endless and self.expected & SILENCE
        bad = totals["failed"] + (0 if counts_neither_way else totals["unfinished"])
        ended = totals["sent"] - totals["unfinished"]
        return 0 if ended and 100 * bad <= self.max_loss * totals["sent"] else 1

    def counts(self) -> None:
        said, totals = self.said.summary, self.totals()
        for name, number in totals.items():
            self.check(said.get(name) == number, f"{name} {said.get(name)}, by the ledger {number}")
        verdicts = {word: 0 for word in WORDS}
        for fate in self.fates:
            if not fate.unfinished:
                verdicts[self.decided[fate.number]] += 1
        wrong = {word: (said["verdicts"].get(word), number) for word, number in verdicts.items()
                 if said["verdicts"].get(word) != number}
        self.check(not wrong, f"verdicts (said, by the ledger): {wrong}")
        ended = totals["sent"] - totals["unfinished"] - verdicts["local"]
        for name, number in (("loss_percent", totals["lost"]), ("failed_percent", totals["failed"])):
            share = math.ceil(100_000 * number / ended) / 1000 if ended else None
            self.check(said.get(name) == share, f"{name} {said.get(name)}, by the ledger {share}")

    def probes(self) -> None:
        said, fates = self.said.probes, {fate.number: fate for fate in self.fates if not fate.unfinished}
        self.check(set(said) == set(fates), f"{len(said)} probes are said, {len(fates)} have ended: "
                                            f"{sorted(set(said) ^ set(fates))[:10]} differ")
        for name in ("verdict", "local", "address", "bytes", "icmp", "router", "from", "syn_retransmits", "complete"):
            both = [(number, self.compared(name, said[number], fate)) for number, fate in fates.items()
                    if number in said]
            wrong = [f"probe {number}: {values[0]}, by the ledger {values[1]}" for number, values in both
                     if values and values[0] != values[1]]
            self.tally(name, len(fates), wrong)

    def compared(self, name: str, said: Object, fate: Fate) -> tuple[Any, Any] | None:
        """What the client and the ledger have for this field; None where the ledger does not decide."""
        verdict = self.decided[fate.number]
        replied = verdict in REPLIED
        match name:
            case "verdict":
                return said["verdict"], verdict
            case "local" | "address":
                return said[name], str(fate.local if name == "local" else fate.target)
            case "bytes":
                return None if replied and fate.bytes is None else (said["bytes"], fate.bytes if replied else None)
            case "icmp":
                return self.explained(verdict, (said["icmp_type"], said["icmp_code"]), fate.icmp or (None, None))
            case "router":
                return self.explained(verdict, said["router"], fate.router)
            case "from":
                wanted = fate.sender if verdict == "wrong-source" else None
                return said["from"], str(wanted) if wanted else None
            case "syn_retransmits":
                return None if fate.syn_retransmits is None else (said[name] or 0, fate.syn_retransmits)
            case "complete":
                if verdict == "wrong-reply":
                    return None  # whoever knows that it is wrong need not wait for its end
                return (said.get(name), fate.complete if replied else None) if name in said else None
        raise ValueError(name)

    @staticmethod
    def explained(verdict: str, said: object, by_ledger: object) -> tuple[Any, Any] | None:
        """An ICMP error that ended a probe explains it. Whether another one explains a silence is not decided here."""
        if verdict in ("refused", "unreachable"):
            return said, by_ledger
        nothing = (None, None) if isinstance(said, tuple) else None
        return (said, nothing) if verdict == "ok" else None

    def tally(self, name: str, tried: int, wrong: list[str]) -> None:
        self.case.tally(max(1, tried), len(wrong), f"{name}: {wrong[0]}" if wrong else "")

    def strays(self) -> None:
        """Which probe each stray belongs to. Only the first hundred are said."""
        said = self.said.strays
        of = {"late": {fate.number: int(fate.late_at is not None and self.is_silent(fate)) for fate in self.fates},
              "duplicate": {fate.number: fate.duplicate for fate in self.fates},
              "foreign": {fate.number: fate.foreign for fate in self.fates}}
        number_of_all = sum(sum(numbers.values()) for numbers in of.values())
        self.check(len(said) == min(STRAYS_SAID, number_of_all), f"{len(said)} strays are said, of {number_of_all}")
        if number_of_all <= STRAYS_SAID:
            for kind, numbers in of.items():
                by_ledger = {number: times for number, times in numbers.items() if times}
                found = Counter(each["number"] for each in said if each["kind"] == kind)
                wrong = sorted(number for number in found.keys() | by_ledger.keys()
                               if found[number] != by_ledger.get(number, 0))
                self.check(not wrong, f"{kind}: the numbers differ for probes {wrong[:5]} ({len(wrong)})")
        late = {fate.number: fate for fate in self.fates if fate.late_at is not None}
        for each in (each for each in said if each["kind"] == "late"):
            fate = late.get(each["number"])
            if not fate or fate.late_at is None:
                self.check(False, f"a late reply to probe {each['number']}, which the ledger does not have")
                continue
            after = (fate.late_at - fate.sent_at) / 1e6
            name = f"the late reply to probe {each['number']}"
            self.check(abs(each["after_ms"] - after) <= OWN_MS + self.waited_ms,
                       f"{name} after {each['after_ms']} ms, by the ledger {after:.3f}")
            self.check(each["local"] == str(fate.local), f"{name} to {each['local']}, not {fate.local}")

    def times(self) -> None:
        """Reply times and connect times agree with the ledger, and the summary with the probes."""
        for name in ("reply_ms", "connect_ms"):
            pairs = [(self.said.probes[fate.number][name], getattr(fate, name), fate.number) for fate in self.fates
                     if fate.number in self.said.probes and getattr(fate, name) is not None
                     and self.decided[fate.number] in (CONNECTED if name == "connect_ms" else REPLIED)]
            self.agree(name, pairs)
        self.beyond_timeout()
        if self.said.probes and self.said.summary:
            replied = [probe for probe in self.said.probes.values() if probe["reply_ms"] is not None]
            self.figures("reply_ms", [probe["reply_ms"] for probe in replied])
            unknown = [probe["number"] for probe in replied if probe["host_ms"] is None]
            self.check(not unknown, f"no host_ms of the probes {unknown[:5]} ({len(unknown)}), which have a reply")
            if not unknown:
                self.figures("host_ms", [probe["host_ms"] for probe in replied])
            if any(probe["connect_ms"] is not None for probe in replied):
                self.figures("total_ms", [probe["connect_ms"] + probe["reply_ms"] for probe in replied])

    def agree(self, name: str, pairs: list[tuple[float | None, float, int]]) -> None:
        if absent := [number for said, _, number in pairs if said is None]:
            self.check(False, f"{name}: none of probe {absent[0]} ({len(absent)} of {len(pairs)})")
        known = [(said - by_ledger, number, said, by_ledger) for said, by_ledger, number in pairs if said is not None]
        if not known:
            return
        beyond = sum(max(0.0, abs(each[0]) - OWN_MS) for each in known)
        worst = max(known, key=lambda each: abs(each[0]))
        self.case.note(f"{name} differs by at most {worst[0]:+.3f} ms")
        self.check(beyond <= self.waited_ms + ROUNDED_MS * len(known),
                   f"{name}: probe {worst[1]}: {worst[2]}, by the ledger {worst[3]:.3f}; beyond {OWN_MS} ms in sum "
                   f"{beyond:.3f}, and the client had waited {self.waited_ms:.3f} for the processor")

    def jitter(self) -> None:
        """The mean difference of the reply times of neighbours, by the ledger and by what is said of the probes."""
        said = self.said.summary["jitter_ms"]
        replied = {fate.number for fate in self.fates if not fate.unfinished and fate.reply_ms is not None
                   and self.decided[fate.number] in REPLIED}
        pairs = [(a, b) for a, b in pairwise(self.fates) if {a.number, b.number} <= replied]
        if self.said.summary["sent_late"]:
            return  # they have no reply time that counts, and are not named
        self.check((said is None) == (not pairs), f"jitter_ms {said}, by the ledger of {len(pairs)} pairs")
        if said is None or not pairs:
            return
        by_ledger = sum(abs((b.reply_ms or 0) - (a.reply_ms or 0)) for a, b in pairs) / len(pairs)
        of = [abs(self.said.probes[b.number]["reply_ms"] - self.said.probes[a.number]["reply_ms"]) for a, b in pairs]
        mean = sum(of) / len(of)
        self.check(abs(said - mean) <= ROUNDED_MS, f"jitter_ms {said}, of the probes {mean:.3f}")
        self.check(abs(said - by_ledger) <= 2 * (OWN_MS + self.waited_ms / len(pairs)),
                   f"jitter_ms {said}, by the ledger {by_ledger:.3f}")

    def outages(self) -> None:
        """Which probes each outage has, when it began, and how long it lasted."""
        ended = [fate for fate in self.fates if not fate.unfinished and self.decided[fate.number] != "local"]
        streaks = [(failed, list(fates)) for failed, fates in
                   groupby(ended, lambda fate: self.decided[fate.number] not in self.expected)]
        after = [fates[0] for _, fates in streaks[1:]] + [None]
        outages = [(fates, end) for (failed, fates), end in zip(streaks, after)
                   if failed and len(fates) >= LEAST_OF_OUTAGE]
        said = self.said.summary
        count = said["outage_count"]
        self.check(count == len(outages), f"outage_count {count}, by the ledger {len(outages)}")
        listed = [(each["first"], each["last"], each["probes"]) for each in said["outages"]]
        by_ledger = [(fates[0].number, fates[-1].number, len(fates)) for fates, _ in outages][-MOST_LISTED:]
        self.check(listed == by_ledger, f"outages {listed[:5]}, by the ledger {by_ledger[:5]}")
        if listed != by_ledger:
            return
        longest = max(said["outages"], key=lambda each: float(each["duration_ms"]), default=None)
        if len(outages) <= MOST_LISTED:
            self.check(said["longest_outage"] == longest, f"the longest {said['longest_outage']}, listed {longest}")
        wall, own = distance(), 2 * OWN_MS + self.waited_ms
        for each, (fates, end) in zip(said["outages"], outages[-MOST_LISTED:]):
            # Probes that had to wait for their port are sent after ones with higher numbers.
            began = min(fate.sent_at for fate in fates)
            ended_at = end.sent_at if end else max(fate.sent_at for fate in fates)
            lasted = max(0, ended_at - began) / MILLI
            begin = datetime.fromisoformat(each["begin"]).timestamp() * 1000 - (began - wall) / MILLI
            self.check(abs(each["duration_ms"] - lasted) <= own and abs(begin) <= CLOCK_MS + own
                       and (each["end"] is None) == (end is None),
                       f"outage {each}, which by the ledger lasted {lasted:.3f} ms and began {begin:+.3f} ms off")

    def beyond_timeout(self) -> None:
        over = [(number, probe["reply_ms"]) for number, probe in self.said.probes.items()
                if probe["verdict"] == "ok" and (probe["reply_ms"] or 0) > self.timeout_ms]
        self.check(not over, f"ok beyond the timeout: {over[:3]} ({len(over)})")

    def figures(self, name: str, values: list[float]) -> None:
        """The summary's figures are those of the probes, if none was sent late."""
        said = self.said.summary.get(name)
        late = self.said.summary.get("sent_late") or 0
        samples = said["samples"] if said else 0
        self.check(len(values) - late <= samples <= len(values), f"{name} of {samples} samples, not {len(values)}")
        if said and samples == len(values):
            of_probes = {"min": min(values), "mean": sum(values) / samples, "max": max(values)}
            wrong = {word: (said[word], value) for word, value in of_probes.items()
                     if abs(said[word] - value) > ROUNDED_MS}
            self.check(not wrong, f"{name} (said, of the probes): {wrong}")
