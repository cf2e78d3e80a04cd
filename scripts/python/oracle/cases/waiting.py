"""--wait: attempts that overlap, each with a timeout of its own."""

import signal
from functools import partial
from typing import Iterator

from oracle import said as said_of
from oracle.acts import ERRORS, Icmp, Reply
from oracle.ledger import Entry
from oracle.play import Play
from oracle.scene import Going, go
from oracle.stage import Stage
from oracle.tcp_peer import Manner, TcpPeer
from oracle.udp_peer import UdpPeer

UP_AFTER = 1.3  # seconds
EACH = 0.3  # seconds: a tenth of the deadline
PUNCTUAL = 0.05


def plays() -> Iterator[Play]:
    for begin, protocol, family in (("udp4", "udp", 4), ("udp6", "udp", 6), ("tcp4", "tcp", 4), ("tcp6", "tcp", 6)):
        yield Play(f"{begin}-wait-comes-up", "--wait -w 3s, and the service is up after 1.3 s",
                   partial(comes_up, protocol, family))
    for protocol in ("udp", "tcp"):
        yield Play(f"{protocol}4-wait-refused-then-up", "--wait, refused for 1.3 s: said once, and then ok",
                   partial(refused_then_up, protocol))
        yield Play(f"{protocol}4-wait-never", "--wait -w 2s, and the service never answers: exit 124",
                   partial(never, protocol))
        yield Play(f"{protocol}4-wait-interrupted", "--wait, and Ctrl-C: the last verdict, and it dies by the signal",
                   partial(interrupted, protocol))


def serve(stage: Stage, protocol: str, up_after: float) -> None:
    if protocol == "udp":
        UdpPeer(stage, lambda request: [Reply()] if request.elapsed >= up_after else [])
    else:
        up, down = Manner(), Manner("ignore")
        TcpPeer(stage, lambda caller: up if caller.elapsed >= up_after else down)


def attempts(stage: Stage, each: float) -> list[Entry]:
    """The first packet of each attempt. They must be so many seconds apart."""
    found: dict[int | None, Entry] = {}
    for entry in stage.ledger.entries:
        if entry.what in ("request", "syn"):
            found.setdefault(entry.exchange, entry)
    times = [entry.at / 1e9 for entry in found.values()]
    apart = [later - earlier for earlier, later in zip(times, times[1:])]
    wrong = [f"{seconds:.3f}" for seconds in apart if abs(seconds - each) > PUNCTUAL]
    stage.case.check(not wrong, f"attempts are {', '.join(wrong[:4])} s apart, not {each:g}")
    return list(found.values())


def comes_up(protocol: str, family: int, stage: Stage) -> str:
    serve(stage, protocol, UP_AFTER)
    going = Going(timeout_ms=5000, options=("--wait", "--deadline", "3s"), family=family)
    client, said = go(stage, f"{protocol}-client", going)
    stage.case.check(said.status == 0, f"exit status {said.status}: {said.probe.get('verdict')}")
    stage.case.check(said.probe.get("verdict") == "ok", f"verdict {said.probe.get('verdict')}")
    found = attempts(stage, EACH)
    stage.case.check(len(found) == 6, f"{len(found)} attempts until 1.5 s, not 6")
    took = (client.ended_at - client.begun) / 1e9
    stage.case.check(took < 1.8, f"it took {took:.3f} s")
    return f"{said}, {len(found)} attempts"


def refused_then_up(protocol: str, stage: Stage) -> str:
    if protocol == "udp":
        refusal = Icmp(*ERRORS[4]["port"])
        UdpPeer(stage, lambda request: [Reply()] if request.elapsed >= UP_AFTER else [refusal])
    else:
        TcpPeer(stage, lambda caller: Manner() if caller.elapsed >= UP_AFTER else Manner("refuse"))
    _, said = go(stage, f"{protocol}-client", Going(timeout_ms=5000, options=("--wait", "--deadline", "3s")))
    stage.case.check(said.status == 0, f"exit status {said.status}: {said.probe.get('verdict')}")
    found = attempts(stage, EACH)
    times = said.errors.count("refused")
    stage.case.check(times == 1, f"refused is said {times} times: {said.errors[:300]!r}")
    return f"{said}, {len(found)} attempts"


def never(protocol: str, stage: Stage) -> str:
    serve(stage, protocol, 1e9)
    client, said = go(stage, f"{protocol}-client", Going(timeout_ms=300, options=("--wait", "--deadline", "2s")))
    stage.case.check(said.status == 124, f"exit status {said.status}, not 124")
    found = attempts(stage, 0.2)
    stage.case.check(len(found) in (9, 10), f"{len(found)} attempts in 2 s")
    took = (client.ended_at - client.begun) / 1e9
    stage.case.check(1.9 <= took <= 2.2, f"it took {took:.3f} s, with a deadline of 2 s")
    return f"{said}, {len(found)} attempts"


def interrupted(protocol: str, stage: Stage) -> str:
    serve(stage, protocol, 1e9)
    going = Going(timeout_ms=300, options=("--wait", "--deadline", "3s"), meanwhile=lambda client: stage.loop.later(
        1.0, lambda: client.signal(signal.SIGINT)))
    _, said = go(stage, f"{protocol}-client", going)
    verdict = "no-reply" if protocol == "udp" else "timeout"
    stage.case.check(said.status == -signal.SIGINT, f"exit status {said.status}, not by the signal")
    told = said_of.text(said)
    stage.case.check(verdict in told, f"the last verdict, {verdict}, is not said: {told[:200]}")
    return f"{said}"
