"""Runs of tcp-client against connections that are refused, reset, silent, closed, slow: seeded, at several rates."""

from functools import partial
from typing import Iterator

from oracle.acts import ERRORS, Icmp
from oracle.play import MEASURES, Play
from oracle.scene import Going, Outcome, tcp
from oracle.stage import Stage
from oracle.tcp_peer import Manner, listed
from oracle.tun import ROUTER

RATES = (("slow", "50ms", 40), ("brisk", "10ms", 150))


def plays() -> Iterator[Play]:
    for family in (4, 6):
        for name, interval, count in RATES:
            yield Play(f"tcp{family}-mixed-{name}", f"{count} probes each {interval} with random fates",
                       partial(mixed, Going(count, interval, 400, family=family)), MEASURES)
        yield Play(f"tcp{family}-mixed-one-by-one", "50 probes with -i 0 and random fates",
                   partial(mixed, Going(50, "0", 200, family=family)), MEASURES)
    yield Play("tcp4-mixed-flows", "4 flows of 25 probes each, random fates",
               partial(mixed, Going(25, "30ms", 300, ("--flows", "4"))), MEASURES)


def mixed(going: Going, stage: Stage) -> Outcome:
    numbers, family = stage.random, going.family
    count = (going.count or 0) * (4 if going.options else 1)

    def some() -> Manner:
        soon, later = numbers.uniform(0.0, 0.02), numbers.uniform(0.0, 0.03)
        kind, code = numbers.choice(list(ERRORS[family].values()))
        choices = (
            Manner("refuse", soon), Manner("ignore"), Manner(Icmp(kind, code, soon, ROUTER[family])),
            Manner(open_after=soon, reply=None), Manner(open_after=soon, after=later, closes=True, reply=None),
            Manner(open_after=soon, resets_after=later),
            Manner(open_after=soon, after=later, errors=(Icmp(kind, code, 0.0005, ROUTER[family]),),
                   acknowledges=False),
        )
        return numbers.choice(choices) if numbers.random() < 0.4 else Manner(open_after=soon, after=later)

    return tcp(stage, listed([some() for _ in range(count)]), going)
