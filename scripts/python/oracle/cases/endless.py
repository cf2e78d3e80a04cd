"""Runs without an end (--count 0): what ends them, and whether that is a failure."""

import signal
from functools import partial
from typing import Iterator

from oracle.acts import ERRORS, Icmp, Reply
from oracle.play import Play
from oracle.scene import Going, Meanwhile, Outcome, tcp, udp
from oracle.stage import Stage
from oracle.tcp_peer import Manner
from oracle.udp_peer import always

INTERRUPTED_AFTER = 1.0  # seconds
DIES_AFTER = 0.5


def plays() -> Iterator[Play]:
    for protocol in ("tcp", "udp"):
        yield Play(f"{protocol}4-endless-interrupted", "Ctrl-C with replies under way: they are waited for, exit 0",
                   partial(interrupted, protocol))
        yield Play(f"{protocol}4-endless-dies", "the target dies 500 ms before Ctrl-C: unfinished, exit 1",
                   partial(dies, protocol))
        yield Play(f"{protocol}4-endless-silence", "Ctrl-C where silence is expected: unfinished, exit 0",
                   partial(silence, protocol))
        yield Play(f"{protocol}4-endless-refused", "a closed loop of refusals, until the deadline: exit 0",
                   partial(refused, protocol))


def interrupts(stage: Stage) -> Meanwhile:
    return lambda client: stage.loop.later(INTERRUPTED_AFTER, lambda: client.signal(signal.SIGINT))


def check(outcome: Outcome, stage: Stage, status: int, has_unfinished: bool) -> Outcome:
    said = outcome.said
    unfinished = said.summary.get("unfinished", 0)
    stage.case.check(said.status == status, f"exit status {said.status}, not {status}: {said.errors[:200]}")
    stage.case.check(bool(unfinished) == has_unfinished, f"{unfinished} unfinished")
    return outcome


def interrupted(protocol: str, stage: Stage) -> Outcome:
    going = Going(0, "20ms", 2000, meanwhile=interrupts(stage))
    outcome = udp(stage, always(Reply(0.1)), going) if protocol == "udp" else tcp(
        stage, lambda _: Manner(after=0.1), going)
    return check(outcome, stage, 0, has_unfinished=False)


def dies(protocol: str, stage: Stage) -> Outcome:
    going = Going(0, "20ms", 2000, meanwhile=interrupts(stage))
    if protocol == "udp":
        outcome = udp(stage, lambda request: [Reply(0.005)] if request.elapsed < DIES_AFTER else [], going)
    else:
        outcome = tcp(stage, lambda caller: Manner() if caller.elapsed < DIES_AFTER else Manner("ignore"), going)
    return check(outcome, stage, 1, has_unfinished=True)


def silence(protocol: str, stage: Stage) -> Outcome:
    expect = "no-reply" if protocol == "udp" else "timeout,refused"
    going = Going(0, "20ms", 300, meanwhile=interrupts(stage), expect=expect)
    outcome = udp(stage, always(), going) if protocol == "udp" else tcp(stage, lambda _: Manner("ignore"), going)
    return check(outcome, stage, 0, has_unfinished=True)


def refused(protocol: str, stage: Stage) -> Outcome:
    """One is always out. The last one is not sent if the deadline leaves it less time than refusals take."""
    going = Going(0, "0", 2000, ("--deadline", "1s"), expect="refused")
    if protocol == "udp":
        outcome = udp(stage, always(Icmp(*ERRORS[4]["port"], 0.03)), going)
    else:
        outcome = tcp(stage, lambda _: Manner("refuse", 0.03), going)
    return check(outcome, stage, 0, has_unfinished=False)
