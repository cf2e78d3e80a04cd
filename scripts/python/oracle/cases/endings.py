"""How a run ends: at its deadline, at Ctrl-C, and with replies that come late."""

import signal
from functools import partial
from typing import Iterator

from oracle.acts import Reply
from oracle.ledger import MILLI
from oracle.play import Play
from oracle.scene import Going, Outcome, tcp, udp
from oracle.stage import Stage
from oracle.tcp_peer import Manner
from oracle.udp_peer import Act, always, listed

DIES_AFTER = 1.0  # seconds
# Every 50 ms a probe is due: with this timeout, none ends just when the deadline comes.
BETWEEN_MS = 425


def plays() -> Iterator[Play]:
    for protocol in ("tcp", "udp"):
        yield Play(f"{protocol}4-dies-all-unfinished", "the target dies 1 s before the deadline, -W is longer",
                   partial(dies, protocol, 5000))
        yield Play(f"{protocol}4-dies-some-lost", "the target dies 1 s before the deadline, -W is shorter",
                   partial(dies, protocol, BETWEEN_MS))
        yield Play(f"{protocol}4-interrupted-silence", "Ctrl-C, and the target never answered: no loss_percent, exit 1",
                   partial(interrupted, protocol))
    for family in (4, 6):
        yield Play(f"udp{family}-last-are-late", "the last replies come after their timeout: late, not lost",
                   partial(last_are_late, family))
        yield Play(f"udp{family}-last-is-lost", "the last probe is lost: the run waits one more -W for it",
                   partial(last_is_lost, family))
    for protocol in ("tcp", "udp"):
        yield Play(f"{protocol}4-deadline-spares", "no probe is sent that the deadline would leave unfinished",
                   partial(deadline_spares, protocol))
    yield Play("udp4-ends-at-once", "all are ok, and the run ends with its last reply", ends_at_once)
    yield Play("udp4-max-loss", "a quarter is lost, with --max-loss 25", max_loss)
    yield Play("udp4-interrupted-midway", "Ctrl-C while replies are under way", interrupted_midway)


def dies(protocol: str, timeout_ms: int, stage: Stage) -> Outcome:
    going = Going(1000, "50ms", timeout_ms, ("--deadline", "2s"))
    if protocol == "udp":
        outcome = udp(stage, lambda request: [Reply(0.005)] if request.elapsed < DIES_AFTER else [], going)
    else:
        alive, dead = Manner(after=0.005), Manner("ignore")
        outcome = tcp(stage, lambda caller: alive if caller.elapsed < DIES_AFTER else dead, going)
    said = outcome.said
    stage.case.check(said.status == 1, f"exit status {said.status}: unfinished are no successes")
    stage.case.check(said.summary.get("unfinished", 0) > 0, "none is unfinished")
    took = (outcome.client.ended_at - outcome.client.begun) / 1e9
    stage.case.check(1.9 <= took <= 2.3, f"it took {took:.3f} s, with a deadline of 2 s")
    return outcome


def interrupted(protocol: str, stage: Stage) -> Outcome:
    going = Going(100, "50ms", 5000, meanwhile=lambda client: stage.loop.later(
        0.6, lambda: client.signal(signal.SIGINT)))
    outcome = udp(stage, always(), going) if protocol == "udp" else tcp(stage, lambda _: Manner("ignore"), going)
    said = outcome.said
    stage.case.check(said.status == 1, f"exit status {said.status}")
    stage.case.check(said.summary.get("loss_percent", 0) is None, f"loss_percent {said.summary.get('loss_percent')}")
    took = (outcome.client.ended_at - outcome.client.begun) / 1e9
    stage.case.check(took < 1.0, f"it ended {took - 0.6:.3f} s after the interrupt: nothing had ever answered")
    return outcome


def interrupted_midway(stage: Stage) -> Outcome:
    """What is out has twice the longest reply time: all that answers in 100 ms is still ok."""
    going = Going(100, "20ms", 2000, meanwhile=lambda client: stage.loop.later(
        1.0, lambda: client.signal(signal.SIGINT)))
    outcome = udp(stage, always(Reply(0.1)), going)
    stage.case.check(outcome.said.status == 0, f"exit status {outcome.said.status}")
    return outcome


def last_are_late(family: int, stage: Stage) -> Outcome:
    quick, late = (Reply(0.002),), (Reply(0.45),)
    fates: list[tuple[Act, ...]] = [*[quick] * 15, *[late] * 5]
    outcome = udp(stage, listed(fates), Going(20, "20ms", 300, family=family))
    for name, number in (("late", 5), ("lost", 0), ("ok", 15)):
        stage.case.check(outcome.said.summary.get(name) == number,
                         f"{name} {outcome.said.summary.get(name)}, not {number}")
    return outcome


def last_is_lost(family: int, stage: Stage) -> Outcome:
    quick: tuple[Act, ...] = (Reply(0.002),)
    outcome = udp(stage, listed([quick] * 9 + [()]), Going(10, "20ms", 300, family=family))
    after = (outcome.client.ended_at - outcome.fates[-1].sent_at) / MILLI
    stage.case.check(550 <= after <= 680, f"it ended {after:.1f} ms after the last probe, with -W 300ms")
    return outcome


def ends_at_once(stage: Stage) -> Outcome:
    outcome = udp(stage, always(Reply(0.002)), Going(20, "20ms", 2000))
    after = (outcome.client.ended_at - outcome.fates[-1].sent_at) / MILLI
    stage.case.check(after <= 100, f"it ended {after:.1f} ms after the last probe, which had its reply in 2 ms")
    return outcome


def deadline_spares(protocol: str, stage: Stage) -> Outcome:
    """Replies take 100 ms: in the last 200 ms before the deadline, nothing is sent."""
    going = Going(1000, "50ms", 1000, ("--deadline", "1500ms"))
    outcome = udp(stage, always(Reply(0.1)), going) if protocol == "udp" else tcp(
        stage, lambda _: Manner(open_after=0.05, after=0.05), going)
    check, said = stage.case.check, outcome.said
    check(said.summary.get("unfinished") == 0 and said.status == 0,
          f"unfinished {said.summary.get('unfinished')}, exit status {said.status}")
    last = (outcome.fates[-1].sent_at - outcome.fates[0].sent_at) / MILLI
    longest = max((fate.connect_ms or 0) + (fate.reply_ms or 0) for fate in outcome.fates)
    least = 1500 - 2 * longest - 75  # one is due each 50 ms
    check(least <= last <= 1305, f"the last probe was sent {last:.1f} ms after the first, not {least:.1f} to 1305")
    return outcome


def max_loss(stage: Stage) -> Outcome:
    quick: tuple[Act, ...] = (Reply(0.002),)
    fates = stage.random.sample([quick] * 15 + [()] * 5, 20)
    outcome = udp(stage, listed(fates), Going(20, "20ms", 200, max_loss=25))
    stage.case.check(outcome.said.status == 0, f"exit status {outcome.said.status}")
    return outcome
