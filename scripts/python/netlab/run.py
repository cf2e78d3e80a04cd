"""A run of a client (--count): what it printed, and whether its parts agree with each other."""

import json
from typing import Any, NamedTuple

from lab import harness
from lab.harness import Ended, Running
from netlab import judge
from netlab.scene import Scene

WORDS = {"ok", "refused", "unreachable", "timeout", "no-reply", "reset", "wrong-reply", "wrong-source", "unresolved",
         "local"}
FIELDS = {"schema", "event", "protocol", "target", "address", "sent", "ok", "late", "lost", "unfinished", "skipped",
          "sent_late", "held", "left_port", "duplicate", "foreign", "failed", "loss_percent", "failed_percent",
          "elapsed_ms", "resolve_ms", "verdicts", "connect_ms", "reply_ms", "host_ms", "total_ms", "from_due_ms",
          "jitter_ms", "outage_count", "outages", "longest_outage", "flows", "hosts", "seen_as", "translated", "others",
          "lost_there", "lost_back", "local", "begin", "end", "buckets"}
ANSWERS = ("refused", "unreachable", "reset", "wrong-reply", "unresolved", "local")  # verdicts of which none is a loss
SHARES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}
ROUNDED = 0.06  # percent by which a share may be rounded
MICROSECOND = 0.0011  # milliseconds, and so a little more: by which rounding may make two times differ


class Run(NamedTuple):
    """What a run has printed, and its exit status."""

    status: int | None
    probes: list[dict[str, Any]]  # by number
    strays: list[dict[str, Any]]
    summary: dict[str, Any]

    def __str__(self) -> str:
        counted = ((self.summary[name], name) 
                   for name in ("ok", "late", "lost", "unfinished", "skipped", "duplicate", "foreign"))
        return ", ".join(f"{number} {name}" for number, name in counted if number)

    def verdicts(self) -> dict[str, int]:
        """How many probes had each verdict, without those that none had."""
        return {word: number for word, number in self.summary["verdicts"].items() if number}

    def by_port(self) -> dict[int, list[str]]:
        """The verdicts of the probes from each source port, in order."""
        found: dict[int, list[str]] = {}
        for probe in self.probes:
            found.setdefault(port_of(probe["local"]), []).append(probe["verdict"])
        return found


def measure(scene: Scene, count: int, *options: str, expect: str = "ok", max_loss: float | None = None,
            wrapper: tuple[str, ...] = ()) -> Run:
    """Makes a run, and checks it."""
    words = (*options, *(("--expect", expect) if expect != "ok" else ()),
             *(("--max-loss", f"{max_loss:g}") if max_loss is not None else ()))
    running = scene.start_run(count, "--json", *words, wrapper=wrapper)
    return finish(scene, running, expect, max_loss or 0, quiet="--verbose" not in options)


def finish(scene: Scene, running: Running, expect: str = "ok", max_loss: float = 0, quiet: bool = True) -> Run:
    """Waits for the end of a run. Checks that its exit status and its JSON agree, for every case."""
    ended = running.end()
    run = read(ended)
    scene.came = str(run)
    orderly = ended.is_quiet if quiet else not harness.panicked(ended.errors)
    scene.case.check(orderly, f"standard error: {ended.errors[:300]!r}")
    for wrong in (*contradictions(run, expect, max_loss), *(probes_wrong(run) if run.probes else ())):
        scene.case.check(False, wrong)
    return run


def read(ended: Ended) -> Run:
    try:
        said = [json.loads(line) for line in ended.output.splitlines()]
    except ValueError:
        raise RuntimeError(f"not JSON: {ended}") from None
    summary = [each for each in said if each["event"] == "summary"]
    if len(summary) != 1 or said[-1] is not summary[0] or FIELDS - set(summary[0]):
        missing = FIELDS - set(summary[0]) if summary else ()
        raise RuntimeError(f"exit {ended.status}, {len(summary)} summaries, without {missing}: {ended.errors[:200]!r}")
    probes = sorted((each for each in said if each["event"] == "probe"), key=lambda probe: probe["number"])
    return Run(ended.status, probes, [each for each in said if each["event"] == "stray"], summary[0])


def contradictions(run: Run, expect: str, max_loss: float) -> list[str]:
    """What in the summary does not add up."""
    said, wrong = run.summary, []
    verdicts, done = said["verdicts"], said["sent"] - said["unfinished"]
    # What is left has no reply because the peer closed: something came back, and so it is no loss.
    closed = done - said["ok"] - said["late"] - said["lost"] - sum(verdicts[word] for word in ANSWERS)
    if not 0 <= closed <= verdicts["no-reply"]:
        wrong.append(f"sent {said['sent']}: {run}, {verdicts}")
    if set(verdicts) != WORDS or sum(verdicts.values()) != done or verdicts["ok"] != said["ok"]:
        wrong.append(f"{done} done, verdicts {verdicts}")
    ours = verdicts["local"] if expect != "local" else 0
    failed = done - verdicts.get(expect, 0) - ours
    if said["failed"] != failed:
        wrong.append(f"failed {said['failed']}, not {failed}")
    whole = done - verdicts["local"]
    for name, number in (("loss_percent", said["lost"]), ("failed_percent", failed)):
        share = 100 * number / whole if whole else None
        if (said[name] is None) != (share is None) or abs((said[name] or 0) - (share or 0)) > ROUNDED:
            wrong.append(f"{name} {said[name]}: {number} of {whole}")
    bad = failed + ours + said["unfinished"]
    is_success = done and 100 * bad <= max_loss * said["sent"]
    status = 0 if is_success else 2 if done and bad == ours else 1
    if run.status != status:
        wrong.append(f"exit status {run.status}, not {status}: {bad} of {said['sent']} are no success, "
                     f"at most {max_loss:g} % may be")
    for name in ("connect_ms", "reply_ms", "host_ms", "total_ms", "from_due_ms"):
        wrong += times_wrong(name, said[name])
    return wrong


def times_wrong(name: str, times: dict[str, Any] | None) -> list[str]:
    """What is wrong with the percentiles: there is one only of enough samples, and they ascend."""
    if times is None:
        return []
    wrong = [f"{name} {share}: {times[share]} of {times['samples']} samples" for share, percent in SHARES.items()
             if (times[share] is not None) != (round(times["samples"] * (100 - percent), 6) >= 100)]
    order = [times[share] for share in ("min", *SHARES, "max") if times[share] is not None]
    if order != sorted(order) or not times["min"] <= times["mean"] <= times["max"]:
        wrong.append(f"{name}: {times}")
    return wrong


def probes_wrong(run: Run) -> list[str]:
    """Where the probes and the summary disagree."""
    said, wrong = run.summary, []
    numbers = [probe["number"] for probe in run.probes]
    if len(set(numbers)) != len(numbers) or not 1 <= min(numbers) <= max(numbers) <= said["sent"]:
        wrong.append(f"numbers {numbers}")
    if missing := {name for probe in run.probes for name in judge.FIELDS - set(probe)}:
        return [*wrong, f"fields are missing: {', '.join(sorted(missing))}"]
    if delays := [probe["delay_ms"] for probe in run.probes if probe["delay_ms"] is None or probe["delay_ms"] < 0]:
        wrong.append(f"delay_ms {delays}")
    found: dict[str, int] = {}
    for probe in run.probes:
        found[probe["verdict"]] = found.get(probe["verdict"], 0) + 1
    if found != run.verdicts():
        wrong.append(f"the probes: {found}, the summary: {run.verdicts()}")
    replies = [probe["reply_ms"] for probe in run.probes if probe["verdict"] == "ok"]
    times = said["reply_ms"]
    samples = times["samples"] if times else 0
    # Probes that were sent late, because this machine was busy, are not among the samples.
    if not len(replies) - said["sent_late"] <= samples <= len(replies):
        wrong.append(f"reply_ms {times}, of {len(replies)}")
    elif times and not said["sent_late"] and (abs(times["min"] - min(replies)) > MICROSECOND
                                              or abs(times["max"] - max(replies)) > MICROSECOND):
        wrong.append(f"reply_ms {times}, of {sorted(replies)}")
    kinds = {"late": said["late"], "duplicate": said["duplicate"], "foreign": said["foreign"]}
    strays = {kind: sum(stray["kind"] == kind for stray in run.strays) for kind in kinds}
    if strays != kinds:
        wrong.append(f"the strays: {strays}, the summary: {kinds}")
    return wrong


def port_of(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])
