"""What every half of scripts/bench gives: figures, each of one side, most of them beside plain C's.

A half is a module with `figures(setting)`, which prints how far it is, and returns
a list of figures. scripts/bench prints their table, judges the goals, and with
--save writes all of them as JSON: what was measured and where, and an object for each figure.

half: servers, clients ... title: what is done, as in "TCP, 64 at once". quantity: what is
measured of it: CPU, p50 ... side: who does it, as in "plain C". unit: us, k/s, 1 (a number) ...
values: one for each turn, and of what is counted only once, one. plain: plain C's values in the
same rounds, by which they are divided; none if there is nothing to divide by. goal:
{"limit": 1.05, "is_most": true} for the median of the ratios (or of the values, if there
are no ratios); null if there is none.
"""

import json
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple, Sequence

FEWEST = 3  # turns that have a middle half
MORE_IS_BETTER = ("k/s",)  # units; of all others, less is


class Setting(NamedTuple):
    """What all halves are told."""

    programs: Path  # the directory of our programs
    scratch: Path  # a directory for what is compiled and written
    server_core: int
    client_core: int  # or of whatever makes the load
    rounds: int
    is_quick: bool
    is_control: bool  # plain C in the place of ours


class Goal(NamedTuple):
    """A limit for a median: of the ratios to plain C or, if there are none, of the values."""

    limit: float
    is_most: bool = True

    def is_met(self, value: float) -> bool:
        return value <= self.limit if self.is_most else value > self.limit

    def __str__(self) -> str:
        return f"{'<=' if self.is_most else '>'} {self.limit:g}"


class Figure(NamedTuple):
    """What was measured of one side."""

    half: str
    title: str
    quantity: str
    side: str
    unit: str
    values: list[float]
    plain: Sequence[float] = ()  # plain C's in the same rounds
    goal: Goal | None = None

    @property
    def ratios(self) -> list[float]:
        """The ratio in each round, in which both sides had much the same machine."""
        return [value / plain for value, plain in zip(self.values, self.plain)]

    @property
    def judged(self) -> float:
        return median(self.ratios or self.values)

    @property
    def is_met(self) -> bool:
        return self.goal is None or self.goal.is_met(self.judged)

    @property
    def verdict(self) -> str:
        """What the ratios say. A difference within their spread is none: their middle half must lie beside 1."""
        if len(self.ratios) < FEWEST:
            return "too few turns"
        low, _, high = quartiles(self.ratios)
        if low <= 1 <= high:
            return "no difference seen"
        return "better" if (high < 1) == (self.unit not in MORE_IS_BETTER) else "worse"

    def as_json(self) -> dict[str, Any]:
        goal = self.goal and self.goal._asdict()
        values, plain = ([float(f"{value:.5g}") for value in numbers] for numbers in (self.values, self.plain))
        return {"half": self.half, "title": self.title, "quantity": self.quantity, "side": self.side,
                "unit": self.unit, "values": values, "plain": plain, "goal": goal}

    @classmethod
    def of_json(cls, read: dict[str, Any]) -> "Figure":
        goal = read["goal"] and Goal(**read["goal"])
        return cls(**{**read, "goal": goal})


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


class Saved(NamedTuple):
    """Figures, and the words that say when and where they were measured."""

    measured: str
    figures: list[Figure]

    def write(self, path: Path) -> None:
        lines = ",\n".join(json.dumps(figure.as_json()) for figure in self.figures)
        path.write_text(f'{{"measured": {json.dumps(self.measured)}, "figures": [\n{lines}\n]}}\n')

    @classmethod
    def read(cls, path: Path) -> "Saved":
        read: Any = json.loads(path.read_text())
        return cls(read["measured"], [Figure.of_json(figure) for figure in read["figures"]])
