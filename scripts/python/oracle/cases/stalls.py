"""The client itself stands still: nobody reads what it prints, or a signal stops it."""

from functools import partial
from typing import Iterator

from oracle.acts import Reply
from oracle.hold import Hold
from oracle.ledger import Entry
from oracle.play import BUSY, Play
from oracle.scene import Going, Outcome, tcp, udp
from oracle.stage import Stage
from oracle.tcp_peer import Caller, Manner
from oracle.tcp_peer import always as always_tcp
from oracle.udp_peer import Act, Request, always

READS_AFTER = 3.0  # seconds, in which the run would be over
STOPPED_FOR, STOPPED_IN = 2.0, 100  # seconds, and in which probe
PLANNED = 400  # probes, of which one is due each 10 ms
LATE_MS = 10
BURST = 30  # datagrams in 10 ms: more than any backlog that is worth sending
BURST_NS = 10_000_000


def plays() -> Iterator[Play]:
    yield Play("udp4-reader-pauses", "nobody reads the output for 3 s: times are still those of the wire",
               partial(reader_pauses, "udp"), BUSY)
    yield Play("udp4-reader-pauses-slow-replies", "the same, and each reply takes 30 ms of a timeout of 100",
               partial(reader_pauses, "udp", after=0.03, timeout_ms=100), BUSY)
    yield Play("tcp4-reader-pauses", "the same over TCP: connect times too", partial(reader_pauses, "tcp"), BUSY)
    for begin, protocol, family in (("udp4", "udp", 4), ("udp6", "udp", 6), ("tcp4", "tcp", 4)):
        yield Play(f"{begin}-stopped", "stopped for 2 s: what was due meanwhile is skipped, and nothing is lost",
                   partial(stopped, protocol, family), BUSY)


def reader_pauses(protocol: str, stage: Stage, after: float = 0.002, timeout_ms: int = 500) -> Outcome:
    if protocol == "udp":
        return udp(stage, always(Reply(after)), Going(2000, "1ms", timeout_ms, reads_after=READS_AFTER))
    manner = Manner(open_after=0.003, after=after)
    return tcp(stage, always_tcp(manner), Going(600, "4ms", timeout_ms, reads_after=READS_AFTER))


def stopped(protocol: str, family: int, stage: Stage) -> Outcome:
    hold = Hold(stage, STOPPED_FOR)

    def script(request: Request) -> list[Act]:
        if request.number == STOPPED_IN:
            hold.begin(0.002)
        return [Reply(0.004)]

    def manner(caller: Caller) -> Manner:
        if caller.number == STOPPED_IN:
            hold.begin(0.003)
        return Manner(open_after=0.002, after=0.002)

    going = Going(PLANNED, "10ms", 1000, family=family, meanwhile=hold.meanwhile)
    outcome = udp(stage, script, going) if protocol == "udp" else tcp(stage, manner, going)
    check, said = stage.case.check, outcome.said.summary
    planned = (said.get("sent") or 0) + (said.get("skipped") or 0)
    check(planned == PLANNED, f"sent {said.get('sent')} and skipped {said.get('skipped')}, planned {PLANNED}")
    check(said.get("lost") == 0, f"lost {said.get('lost')}, and all were answered")
    # What came meanwhile lay here, and that is this machine's own.
    host_ms = (said.get("host_ms") or {}).get("max") or 0
    check(abs(host_ms / 1000 - STOPPED_FOR) < 0.25, f"host_ms up to {host_ms}, stopped for 2 s")
    # What was due in the last 250 ms is sent after all.
    check(165 <= (said.get("skipped") or 0) <= 201, f"skipped {said.get('skipped')}, stopped for 2 s")
    begun = [entry for entry in stage.ledger.entries if entry.what in ("request", "syn")]
    most = most_within(begun, BURST_NS)
    check(most <= BURST, f"a burst of {most} in 10 ms")
    # What waited for a port was not sent late for that. And delay_ms counts to the sending,
    # which in a burst comes after that of others.
    delays = [probe["delay_ms"] for probe in outcome.said.probes.values()]
    surely, perhaps = sum(ms > LATE_MS + 3 for ms in delays), sum(ms > LATE_MS for ms in delays)
    check(surely - (said.get("held") or 0) <= (said.get("sent_late") or 0) <= perhaps,
          f"sent_late {said.get('sent_late')}, held {said.get('held')}, and {perhaps} have a delay_ms beyond 10")
    return outcome


def most_within(entries: list[Entry], span: int) -> int:
    times = sorted(entry.at for entry in entries)
    most = begin = 0
    for end, at in enumerate(times):
        while times[begin] < at - span:
            begin += 1
        most = max(most, end - begin + 1)
    return most
