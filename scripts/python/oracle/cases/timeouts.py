"""Short timeouts: each probe has all of its own time, from its own sending."""

from datetime import datetime
from functools import partial
from typing import Iterator

from oracle.acts import Reply
from oracle.hold import Hold
from oracle.play import BUSY, MEASURES, Play
from oracle.scene import Going, Outcome, tcp, udp
from oracle.stage import Stage
from oracle.tcp_peer import Caller, Manner
from oracle.udp_peer import Act, Request, always, listed

SLOWEST = 0.0046  # seconds
HELD_FOR, EACH = 0.03, 20  # seconds, and in which probe
STAMPED_MS = 1.0  # to which --timestamps writes


def plays() -> Iterator[Play]:
    for timeout in (10, 20):
        yield Play(f"udp4-timeout-{timeout}-all-in-time", f"-W {timeout}ms, all replies within 4.6 ms: all ok",
                   partial(in_time, timeout), MEASURES)
        yield Play(f"udp4-timeout-{timeout}-not-early", f"-W {timeout}ms, some are lost: none is given up early",
                   partial(not_early, timeout), MEASURES)
        flows = 5 * timeout
        yield Play(f"udp4-timeout-{timeout}-{flows}-flows", f"{flows} probes at once with -W {timeout}ms",
                   partial(at_once, "udp", timeout, flows), BUSY)
        yield Play(f"tcp4-timeout-{timeout}-{flows}-flows", f"{flows} probes at once with -W {timeout}ms",
                   partial(at_once, "tcp", timeout, flows), BUSY)
        for protocol in ("udp", "tcp"):
            yield Play(f"{protocol}4-timeout-{timeout}-held-up", "stopped for 30 ms while it waits, a dozen times",
                       partial(held_up, protocol, timeout), MEASURES)
    yield Play("tcp4-timeout-20-all-in-time", "-W 20ms, handshake and reply within 4.6 ms each: all ok",
               tcp_in_time, MEASURES)


def in_time(timeout_ms: int, stage: Stage) -> Outcome:
    fates: list[tuple[Act, ...]] = [(Reply(stage.random.uniform(0.0005, SLOWEST)),) for _ in range(300)]
    return udp(stage, listed(fates), Going(300, "4ms", timeout_ms))


def not_early(timeout_ms: int, stage: Stage) -> Outcome:
    numbers = stage.random
    fates: list[tuple[Act, ...]] = [
        () if numbers.random() < 0.2 else (Reply(numbers.uniform(0.0005, SLOWEST)),) for _ in range(300)]
    outcome = udp(stage, listed(fates), Going(300, "4ms", timeout_ms, ("--timestamps",)))
    early = []
    for fate in outcome.fates:
        said = outcome.said.probes.get(fate.number, {})
        if said.get("verdict") == "no-reply":
            at = datetime.fromisoformat(said["time"]).timestamp() * 1000
            after = at - stage.ledger.wall(fate.sent_at) * 1000
            if after < timeout_ms - STAMPED_MS:
                early.append(f"probe {fate.number} after {after:.1f} ms")
    stage.case.check(not early, f"given up before {timeout_ms} ms: {', '.join(early[:3])} ({len(early)})")
    return outcome


def tcp_in_time(stage: Stage) -> Outcome:
    def manner() -> Manner:
        return Manner(open_after=stage.random.uniform(0.0005, SLOWEST), after=stage.random.uniform(0.0005, SLOWEST))

    return tcp(stage, lambda _: manner(), Going(200, "5ms", 20))


def at_once(protocol: str, timeout_ms: int, flows: int, stage: Stage) -> Outcome:
    """All flows are due at the same time, and each counts its own time from its own sending."""
    going = Going(5, "150ms", timeout_ms, ("--flows", str(flows)))
    if protocol == "udp":
        return udp(stage, always(Reply(SLOWEST)), going)
    return tcp(stage, lambda _: Manner(open_after=SLOWEST / 2, after=SLOWEST / 2), going)


def held_up(protocol: str, timeout_ms: int, stage: Stage) -> Outcome:
    """What has come by the time that the client looks again was in time by the kernel's stamp."""
    hold = Hold(stage, HELD_FOR)

    def script(request: Request) -> list[Act]:
        if request.number % EACH == 0:
            hold.begin(SLOWEST / 4)
        return [Reply(SLOWEST)]

    def manner(caller: Caller) -> Manner:
        if caller.number % EACH == 0:
            hold.begin(SLOWEST * 3 / 4)
        return Manner(open_after=SLOWEST / 2, after=SLOWEST / 2)

    going = Going(250, "5ms", timeout_ms, meanwhile=hold.meanwhile)
    return udp(stage, script, going) if protocol == "udp" else tcp(stage, manner, going)
