"""Runs of udp-client against replies that are lost, late, doubled, foreign, and errors: seeded, at several rates."""

from functools import partial
from typing import Iterator

from lab.protocol import PORT
from oracle.acts import Icmp, Reply
from oracle.packets import Endpoint
from oracle.play import MEASURES, Play
from oracle.scene import Going, Outcome, udp
from oracle.stage import Stage
from oracle.tun import ROUTER, STRANGER
from oracle.udp_peer import Act, listed

# The last probes have a plain fate: what comes twice after the last one may not be seen.
LAST = 3
RATES = (("slow", "50ms", 40), ("brisk", "10ms", 200), ("fast", "2ms", 500))


def plays() -> Iterator[Play]:
    for family in (4, 6):
        for name, interval, count in RATES if family == 4 else RATES[:2]:
            yield Play(f"udp{family}-mixed-{name}", f"{count} probes each {interval} with random fates",
                       partial(mixed, Going(count, interval, 400, family=family)), MEASURES)
        yield Play(f"udp{family}-mixed-one-by-one", "60 probes with -i 0 and random fates",
                   partial(mixed, Going(60, "0", 150, family=family)), MEASURES)
        yield Play(f"udp{family}-mixed-flows", "6 flows of 20 probes each, random fates",
                   partial(mixed, Going(20, "30ms", 300, ("--flows", "6"), family=family)), MEASURES)
    yield Play("udp4-mixed-flows-0", "4 flows of 40 probes each with -i 0, random fates",
               partial(mixed, Going(40, "0", 150, ("--flows", "4"))), MEASURES)


def mixed(going: Going, stage: Stage) -> Outcome:
    numbers, timeout, family = stage.random, going.timeout_ms / 1000, going.family
    stranger = Endpoint(STRANGER[family], PORT)
    unreachable, prohibited = ((3, 3), (3, 13)) if family == 4 else ((1, 4), (1, 1))

    # A flow may use its port again for its next probe: all that comes, comes before that.
    slowest = 0.015 if going.options else 0.03

    def soon() -> float:
        return numbers.uniform(0.001, slowest)

    def fate() -> tuple[Act, ...]:
        late = Reply(timeout + numbers.uniform(0.02, 0.1))
        first = Reply(soon())
        choices: list[tuple[Act, ...]] = [
            (), (late,), (late, Reply(late.after + 0.005)), (first, Reply(first.after + numbers.uniform(0.0, 0.005))),
            (Reply(soon(), source=stranger), Reply(0.032)), (Reply(soon(), source=stranger),),
            (Icmp(*unreachable, soon()),), (Icmp(*prohibited, soon(), ROUTER[family]),),
        ]
        return numbers.choice(choices) if numbers.random() < 0.3 else (first,)

    count = (going.count or 0) * int(dict(zip(going.options, going.options[1:])).get("--flows", 1))
    fates = [fate() for _ in range(count - LAST)]
    return udp(stage, listed(fates, (Reply(0.001),)), going)
