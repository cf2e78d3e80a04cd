"""The measurements: two sides do the same, round by round, and their figures are compared."""

from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Callable, NamedTuple

from bench.programs import Ran, Words, run

FLOWS = (1, 16, 64)
# The goals: reply time and rate of our clients, divided by those of plain C.
MOST_REPLY = 1.05
LEAST_RATE = 0.9
# Exchanges of a turn. A turn takes some tenths of a second at most, so that both
# sides see the same machine. A turn for a rate must not be shorter, or the start of
# a program would be a good part of its CPU time; its exchanges are a multiple of
# each of FLOWS. A round has many short turns for reply times. UDP has most of them,
# because our reply time and plain C's differ by a hundredth, and it takes many ratios
# to see that.
REPLY_EXCHANGES = 1_000
REPLY_TURNS = {"udp": 20, "tcp": 5}
RATE_EXCHANGES = {"udp": 25_600, "tcp": 6_400}

Side = Callable[[], tuple[float, ...]]


def middle(rounded_down: Decimal) -> float:
    """The middle of all values that are rounded down to this one: our clients print whole microseconds."""
    exponent = rounded_down.as_tuple().exponent
    if not isinstance(exponent, int):
        raise RuntimeError(f"{rounded_down} is no number")
    return float(rounded_down) + 10.0 ** exponent / 2


class Goal(NamedTuple):
    """A limit for the ratio of our figure to that of plain C."""

    limit: float
    is_most: bool

    def is_met(self, ratio: float) -> bool:
        return ratio <= self.limit if self.is_most else ratio > self.limit

    def __str__(self) -> str:
        return f"{'<=' if self.is_most else '>'} {self.limit:g}"


class Figure(NamedTuple):
    """One figure: its title, its goal if it has one, and the values of both sides, one for each turn."""

    title: str
    goal: Goal | None
    ours: list[float]
    plain: list[float]

    @property
    def ratios(self) -> list[float]:
        """The ratio in each turn, in which both sides had much the same machine."""
        return [ours / plain for ours, plain in zip(self.ours, self.plain)]

    @property
    def is_met(self) -> bool:
        return self.goal is None or self.goal.is_met(median(self.ratios))


class Measurement(NamedTuple):
    """Two sides, and the figures that both give."""

    title: str
    ours: Side
    plain: Side
    figures: list[Figure]
    turns: int  # of a round

    def play(self) -> None:
        """Plays one round. The sides take turns at going first."""
        sides = [(self.ours, [figure.ours for figure in self.figures]),
                 (self.plain, [figure.plain for figure in self.figures])]
        for _ in range(self.turns):
            for side, kept in sides if len(self.figures[0].ours) % 2 == 0 else reversed(sides):
                for values, value in zip(kept, side()):
                    values.append(value)


class Bench(NamedTuple):
    """Makes the measurements, from what they have in common."""

    ours: Path  # the directory of our programs
    plain: Path  # that of the C ones
    ports: dict[str, int]
    is_control: bool  # plain C on both sides

    def all(self) -> list[Measurement]:
        replies = [self.reply("udp", "udp"), self.reply("udp", "connected"), self.reply("tcp", "tcp")]
        return replies + [self.rate(protocol, flows) for protocol in self.ports for flows in FLOWS]

    def reply(self, protocol: str, plainly: str) -> Measurement:
        """The time that a reply takes, with one exchange after another; for TCP also that of connecting.

        Beside a connected UDP socket there is no goal: ours is not connected, so that
        it hears who answers in the target's place.
        """
        names = ("reply", "connect") if protocol == "tcp" else ("reply",)

        def ours() -> tuple[float, ...]:
            printed = run(self._client(protocol, REPLY_EXCHANGES)).printed
            return tuple(middle(printed[f"{name}_ms"]["p50"]) * 1000 for name in names)

        def plain() -> tuple[float, ...]:
            printed = run(self._plain("pingpong", protocol, REPLY_EXCHANGES, mode=plainly)).printed
            return tuple(printed[f"{name}_ns"]["p50"] / 1000 for name in names)

        goals = (None if plainly == "connected" else Goal(MOST_REPLY, is_most=True), None)
        figures = [Figure(f"{plainly} {name}, us", goal, [], []) for name, goal in zip(names, goals)]
        return self._measurement(f"{plainly} reply", ours, plain, figures, REPLY_TURNS[protocol])

    def rate(self, protocol: str, flows: int) -> Measurement:
        """Exchanges in a second, and CPU time for an exchange, with so many flows at once."""
        count = RATE_EXCHANGES[protocol]

        def figures_of(ran: Ran, seconds: float) -> tuple[float, float]:
            return count / seconds / 1000, ran.cpu_seconds / count * 1e6

        def ours() -> tuple[float, ...]:
            ran = run([*self._client(protocol, count // flows), "--flows", flows])
            return figures_of(ran, float(ran.printed["elapsed_ms"]) / 1000)

        def plain() -> tuple[float, ...]:
            ran = run(self._plain("load", protocol, flows, count))
            return figures_of(ran, float(ran.printed["seconds"]))

        title = f"{protocol} {flows:2}"
        figures = [Figure(f"{title} rate, k/s", Goal(LEAST_RATE, is_most=False), [], []),
                   Figure(f"{title} CPU, us", None, [], [])]
        return self._measurement(f"{title} at once", ours, plain, figures, 1)

    def _measurement(self, title: str, ours: Side, plain: Side, figures: list[Figure], turns: int) -> Measurement:
        return Measurement(title, plain if self.is_control else ours, plain, figures, turns)

    def _client(self, protocol: str, count: int) -> Words:
        target = f"127.0.0.1:{self.ports[protocol]}"
        return [self.ours / f"{protocol}-client", target, *f"--count {count} --interval 0 --json --quiet".split()]

    def _plain(self, program: str, protocol: str, *numbers: int, mode: str | None = None) -> Words:
        return [self.plain / program, mode or protocol, "127.0.0.1", self.ports[protocol], *numbers]
