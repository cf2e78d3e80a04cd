"""Runs of udp-client against replies that are lost, late, doubled, foreign, and errors: seeded, at several rates."""

from functools import partial
from typing import Iterator

from lab.protocol import PORT
from oracle.acts import Icmp, Reply
from oracle.packets import Endpoint
from oracle.play import MEASURES, Play
from oracle.scene import Going, Outcome, udp
from oracle.stage import Stage
from oracle.tun import ROUTER, STRANGER, TARGET
from oracle.udp_peer import Act, listed

# A run waits for what is late, but nobody has to wait for what comes twice. So the last
# fifth has nothing that does.
LAST = 0.2
FAST = "2ms"
RATES = (("slow", "50ms", 40), ("brisk", "10ms", 200), ("fast", FAST, 500))


def plays() -> Iterator[Play]:
    for family in (4, 6):
        for name, interval, count in RATES if family == 4 else RATES[:2]:
            yield Play(f"udp{family}-mixed-{name}", f"{count} probes each {interval} with random fates",
                       partial(mixed, Going(count, interval, 400, family=family)), MEASURES)
        yield Play(f"udp{family}-mixed-one-by-one", "60 probes with -i 0 and random fates",
                   partial(mixed, Going(60, "0", 150, family=family)), MEASURES)
        yield Play(f"udp{family}-mixed-flows", "6 flows of 20 probes each, random fates",
                   partial(mixed, Going(20, "30ms", 300, ("--flows", "6"), family=family)), MEASURES)
    yield Play("udp4-source-port", "one port for all: probes wait while something may still come to it",
               source_port, MEASURES)
    yield Play("udp4-mixed-flows-0", "4 flows of 40 probes each with -i 0, random fates",
               partial(mixed, Going(40, "0", 150, ("--flows", "4"))), MEASURES)


def mixed(going: Going, stage: Stage) -> Outcome:
    numbers, timeout, family = stage.random, going.timeout_ms / 1000, going.family
    strangers = (Endpoint(STRANGER[family], PORT), Endpoint(TARGET[family], PORT + 1))
    unreachable, prohibited = ((3, 3), (3, 13)) if family == 4 else ((1, 4), (1, 1))

    count = (going.count or 0) * int(dict(zip(going.options, going.options[1:])).get("--flows", 1))
    # A flow that keeps its port uses it again for its next probe, and one that does not has 16
    # to take turns with. All that comes twice, comes before a port's turn.
    slowest = 0.015 if going.options else 0.008 if going.interval == FAST else 0.03

    def soon() -> float:
        return numbers.uniform(0.001, slowest)

    def fate(number: int) -> tuple[Act, ...]:
        stranger = numbers.choice(strangers)
        late = Reply(timeout + numbers.uniform(0.02, 0.1))
        first = Reply(soon())
        choices: list[tuple[Act, ...]] = [
            (), (late,), (Reply(soon(), source=stranger), Reply(0.032)), (Reply(soon(), source=stranger),),
            (Icmp(*unreachable, soon()),), (Icmp(*prohibited, soon(), ROUTER[family]),),
        ]
        if number < (1 - LAST) * count:
            choices += [(late, Reply(late.after + 0.005)), (first, Reply(first.after + numbers.uniform(0.0, 0.005)))]
        return numbers.choice(choices) if numbers.random() < 0.3 else (first,)

    return udp(stage, listed([fate(number) for number in range(count)]), going)


def source_port(stage: Stage) -> Outcome:
    """After a loss the port is quiet for one timeout: what is due meanwhile is held, and none is skipped."""
    ok, lost, late = (Reply(0.003),), (), (Reply(0.13),)
    fates: list[tuple[Act, ...]] = [*[ok] * 5, lost, *[ok] * 5, late, *[ok] * 8]
    outcome = udp(stage, listed(fates), Going(20, "20ms", 100, ("--source-port", "7777")))
    check, said = stage.case.check, outcome.said.summary
    check({fate.local.port for fate in outcome.fates} == {7777}, "another source port on the wire")
    check((said.get("held") or 0) > 0, f"held {said.get('held')}")
    check(said.get("skipped") == 0, f"skipped {said.get('skipped')}: what waits for its port is not")
    return outcome
