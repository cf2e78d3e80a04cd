"""Names with two addresses: the first stands in the way, and the second answers."""

from functools import partial
from typing import Iterator

from lab.protocol import PORT
from oracle.acts import ERRORS, Icmp, Reply
from oracle.judge import OWN_MS
from oracle.ledger import MILLI, Entry
from oracle.packets import Endpoint
from oracle.play import Play
from oracle.said import Said
from oracle.scene import Going, go
from oracle.stage import Stage, hosts_wrapper
from oracle.tcp_peer import Manner, TcpPeer
from oracle.tun import TARGET
from oracle.udp_peer import Act, UdpPeer

NAME = "both.test"  # RFC 6761 keeps .test for this
FIRST, SECOND = Endpoint(TARGET[6], PORT), Endpoint(TARGET[4], PORT)  # RFC 6724 puts IPv6 first
HEAD_START_MS = 250.0  # RFC 8305, section 5
PUNCTUAL_MS = 30.0

UdpFates = tuple[tuple[Act, ...], tuple[Act, ...]]  # of both addresses
TcpFates = tuple[Manner, Manner]


def plays() -> Iterator[Play]:
    dropped: tuple[Act, ...] = ()
    quick, slow, refused = (Reply(0.01),), (Reply(0.6),), (Icmp(*ERRORS[6]["port"], 0.01),)
    yield Play("udp-name-first-dropped", "the first address drops, the second answers: ok, and `others` says so",
               partial(single_udp, (dropped, quick), SECOND, HEAD_START_MS))
    yield Play("udp-name-first-refused", "the first address refuses, and the second begins at once",
               partial(single_udp, (refused, quick), SECOND, 10.0))
    yield Play("udp-name-both-slow", "both answer after 600 ms with -W 1s: ok, by the first",
               partial(single_udp, (slow, slow), FIRST, HEAD_START_MS))
    yield Play("udp-name-none", "neither answers: the verdict is the second's", udp_none)
    yield Play("udp-name-run", "a run to a name whose first address drops: only the first probes try it", udp_run)
    yield Play("tcp-name-first-dropped", "the first address drops SYNs, the second answers",
               partial(single_tcp, (Manner("ignore"), Manner(after=0.01)), SECOND, HEAD_START_MS, 1000))
    yield Play("tcp-name-first-refused", "the first address resets, and the second begins at once",
               partial(single_tcp, (Manner("refuse", 0.01), Manner()), SECOND, 10.0, 1000))
    yield Play("tcp-name-slow-reply", "the first connects, and answers after 3 s with -W 5s: ok, one connection",
               partial(single_tcp, (Manner(after=3.0), Manner()), FIRST, None, 5000))
    slow_to_open = Manner(open_after=0.4, after=0.01)
    yield Play("tcp-name-second-overtakes", "the second connects first, and keeps the time that is left",
               partial(single_tcp, (slow_to_open, Manner(after=0.6)), SECOND, HEAD_START_MS, 1000))
    yield Play("tcp-name-run", "a run to a name whose first address drops SYNs", tcp_run)


def single_udp(fates: UdpFates, winner: Endpoint, apart_ms: float, stage: Stage) -> str:
    UdpPeer(stage, lambda request: fates[0 if request.packet.target == FIRST else 1])
    client, said = go(stage, "udp-client", to_name(stage, Going(timeout_ms=1000)))
    check_single(stage, said, winner, apart_ms)
    requests = [entry for entry in stage.ledger.entries if entry.what == "request"]
    replies = [entry for entry in stage.ledger.entries if entry.what == "reply" and entry.source == winner]
    asked = next((entry for entry in requests if entry.target == winner), None)
    if asked and replies and said.probe.get("reply_ms") is not None:
        by_ledger = (replies[0].at - asked.at) / MILLI
        stage.case.check(abs(said.probe["reply_ms"] - by_ledger) <= OWN_MS + client.waited_ms,
                         f"reply_ms {said.probe['reply_ms']}, by the ledger {by_ledger:.3f}")
    return f"{said}, {said.probe.get('address')}"


def single_tcp(manners: TcpFates, winner: Endpoint, apart_ms: float | None, timeout_ms: int, stage: Stage) -> str:
    TcpPeer(stage, lambda caller: manners[0 if caller.packet.target == FIRST else 1])
    _, said = go(stage, "tcp-client", to_name(stage, Going(timeout_ms=timeout_ms)))
    check_single(stage, said, winner, apart_ms)
    messages = {(entry.exchange, entry.sequence) for entry in stage.ledger.entries if entry.what == "data"}
    stage.case.check(len(messages) == 1, f"{len(messages)} messages were sent")
    return f"{said}, {said.probe.get('address')}"


def to_name(stage: Stage, going: Going) -> Going:
    """The same, to the name. Nothing but this client sees the name."""
    wrapper = hosts_wrapper(stage.case.scratch, NAME, FIRST.host, SECOND.host)
    return Going(going.count, going.interval, going.timeout_ms, going.options, target=f"{NAME}:{PORT}", wrapper=wrapper)


def first_of(stage: Stage, target: Endpoint) -> Entry | None:
    return next((entry for entry in stage.ledger.entries if entry.sent and entry.target == target), None)


def check_single(stage: Stage, said: Said, winner: Endpoint, apart_ms: float | None) -> None:
    """`apart_ms` is how long after the first address the second was tried; None if it was not."""
    check, probe = stage.case.check, said.probe
    check(said.status == 0, f"exit status {said.status}, {probe.get('verdict')}: {probe.get('reason')}")
    check(probe.get("address") == str(winner), f"address {probe.get('address')}, not {winner}")
    check_apart(stage, apart_ms)
    loser = SECOND if winner == FIRST else FIRST
    tried = [] if apart_ms is None else [str(loser)]
    others = [each["address"] for each in probe.get("others", [])]
    check(others == tried, f"others {probe.get('others')}, and tried were {tried}")
    if tried and winner == SECOND:
        check(loser.host in said.errors, f"standard error does not name {loser.host}: {said.errors!r}")
    for each in probe.get("others", []):
        absent = {"address", "verdict", "reason", "waited_ms"} - set(each)
        check(not absent, f"others: no {absent}")
        verdict = "refused" if apart_ms is not None and apart_ms < HEAD_START_MS else None
        check(each.get("verdict") == verdict, f"others: verdict {each.get('verdict')}, not {verdict}")


def check_apart(stage: Stage, apart_ms: float | None) -> None:
    first, second = first_of(stage, FIRST), first_of(stage, SECOND)
    if not first:
        stage.case.check(False, f"{FIRST} was not tried")
    elif apart_ms is None:
        stage.case.check(not second, f"{SECOND} was tried too")
    elif not second:
        stage.case.check(False, f"{SECOND} was not tried")
    else:
        after = (second.at - first.at) / MILLI
        stage.case.check(abs(after - apart_ms) <= PUNCTUAL_MS, f"{SECOND} after {after:.1f} ms, not {apart_ms:g}")


def udp_none(stage: Stage) -> str:
    UdpPeer(stage, lambda _: ())
    client, said = go(stage, "udp-client", to_name(stage, Going(timeout_ms=600)))
    check, probe = stage.case.check, said.probe
    check(said.status == 1, f"exit status {said.status}")
    check(probe.get("verdict") == "no-reply", f"verdict {probe.get('verdict')}")
    check(probe.get("address") == str(SECOND), f"address {probe.get('address')}, not {SECOND}")
    check_apart(stage, HEAD_START_MS)
    if first := first_of(stage, FIRST):
        took = (client.ended_at - first.at) / MILLI
        check(590 <= took <= 680, f"it took {took:.1f} ms, with a timeout of 600")
    return f"{said}, {probe.get('address')}"


def udp_run(stage: Stage) -> str:
    UdpPeer(stage, lambda request: () if request.packet.target == FIRST else (Reply(0.01),))
    _, said = go(stage, "udp-client", to_name(stage, Going(10, "100ms", 1000)))
    tried = [entry for entry in stage.ledger.entries if entry.what == "request" and entry.target == FIRST]
    return check_run(stage, said, tried)


def tcp_run(stage: Stage) -> str:
    manners = Manner("ignore"), Manner(after=0.01)
    TcpPeer(stage, lambda caller: manners[0 if caller.packet.target == FIRST else 1])
    _, said = go(stage, "tcp-client", to_name(stage, Going(10, "100ms", 900)))
    tried = [entry for entry in stage.ledger.entries if entry.what == "syn" and entry.target == FIRST]
    return check_run(stage, said, tried)


def check_run(stage: Stage, said: Said, tried: list[Entry]) -> str:
    check, summary = stage.case.check, said.summary
    check(said.status == 0, f"exit status {said.status}")
    check(summary.get("ok") == 10 and summary.get("sent") == 10, f"ok {summary.get('ok')} of {summary.get('sent')}")
    # Probes are due each 100 ms, and the second address answers 260 ms after the first probe.
    check(len(tried) == 3, f"{len(tried)} probes were sent to {FIRST}, not 3")
    others = [{"address": str(FIRST), "probes": len(tried)}]
    check(summary.get("others") == others, f"others {summary.get('others')}, not {others}")
    check(summary.get("address") == str(SECOND), f"address {summary.get('address')}")
    for wrong in said.wrong:
        check(False, wrong)
    return f"{said}, {len(tried)} to the first"
