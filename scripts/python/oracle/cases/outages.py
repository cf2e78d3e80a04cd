"""Outages: streaks of probes that fail, while others before and after them are answered."""

from functools import partial
from typing import Iterator

from oracle.acts import Reply
from oracle.play import MEASURES, Play
from oracle.scene import Going, Outcome, tcp, udp
from oracle.stage import Stage
from oracle.tcp_peer import Manner

Dead = tuple[range, ...]  # the numbers of the probes that get no answer, from 0 on

TWO: Dead = (range(10, 15), range(30, 42))
OPEN: Dead = (range(5, 6), range(50, 60))
MANY: Dead = tuple(range(3 * number, 3 * number + 2) for number in range(80))  # more than are listed


def plays() -> Iterator[Play]:
    for begin, protocol, family in (("udp4", "udp", 4), ("udp6", "udp", 6), ("tcp4", "tcp", 4), ("tcp6", "tcp", 6)):
        yield Play(f"{begin}-outages", "two outages: each has its probes, its begin and its end",
                   partial(outages, protocol, Going(60, "20ms", 300, family=family), TWO))
    yield Play("udp4-outages-long-timeout", "the same, with a timeout that is longer than both outages",
               partial(outages, "udp", Going(60, "20ms", 1000), TWO))
    yield Play("udp4-outage-open", "a single loss is no outage; one that goes on at the end has no end",
               partial(outages, "udp", Going(60, "20ms", 300), OPEN))
    yield Play("udp4-outages-many", "80 outages: all are counted, and the newest 64 are listed",
               partial(outages, "udp", Going(240, "10ms", 200), MANY), MEASURES)
    yield Play("tcp4-outages-expected", "refusals are expected: a streak of replies is what fails",
               partial(refusals, Going(40, "20ms", 300, expect="refused")))


def outages(protocol: str, going: Going, dead: Dead, stage: Stage) -> Outcome:
    def lives(number: int) -> bool:
        return all(number not in streak for streak in dead)

    if protocol == "udp":
        outcome = udp(stage, lambda request: [Reply(0.005)] if lives(request.number) else [], going)
    else:
        alive, silent = Manner(after=0.005), Manner("ignore")
        outcome = tcp(stage, lambda caller: alive if lives(caller.number) else silent, going)
    count = sum(len(streak) > 1 for streak in dead)
    found = outcome.said.summary.get("outage_count")
    stage.case.check(found == count, f"{found} outages, and there were {count}")
    return outcome


def refusals(going: Going, stage: Stage) -> Outcome:
    open_, closed = Manner(after=0.002), Manner("refuse")
    outcome = tcp(stage, lambda caller: open_ if 10 <= caller.number < 20 else closed, going)
    longest = outcome.said.summary.get("longest_outage") or {}
    numbers = longest.get("first"), longest.get("last")
    stage.case.check(numbers == (11, 20), f"the longest outage has the probes {numbers}")
    return outcome
