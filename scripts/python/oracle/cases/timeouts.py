"""Short timeouts: each probe has all of its own time, from its own sending."""

from datetime import datetime
from functools import partial
from typing import Iterator

from oracle.acts import Reply
from oracle.play import MEASURES, Play
from oracle.scene import Going, Outcome, tcp, udp
from oracle.stage import Stage
from oracle.tcp_peer import Manner
from oracle.udp_peer import Act, listed

SLOWEST = 0.0046  # seconds
STAMPED_MS = 1.0  # to which --timestamps writes


def plays() -> Iterator[Play]:
    for timeout in (10, 20):
        yield Play(f"udp4-timeout-{timeout}-all-in-time", f"-W {timeout}ms, all replies within 4.6 ms: all ok",
                   partial(in_time, timeout), MEASURES)
        yield Play(f"udp4-timeout-{timeout}-not-early", f"-W {timeout}ms, some are lost: none is given up early",
                   partial(not_early, timeout), MEASURES)
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
