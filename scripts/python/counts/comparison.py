"""Counts beside those that were kept: what is over its tolerance, and what has become much less."""

from statistics import median
from typing import Callable, NamedTuple

# A hot path is counted exactly, but for the transcript's: how often the writer has to be woken differs by less
# than half of this. A whole program's count also has how its sends, receives and sleeps fell together, and that
# differs by up to this on a machine that does nothing else. On one that does, some counts are far off, mostly
# too small, for sleeps are left out: so a difference is believed if AT_MOST counts in a row show it.
EXACT = 0.01
WHOLE = 0.04
ASLEEP = 0.10  # of what sleeps between exchanges: how often a transcript's writer sleeps differs by half as much
LEAST = {"instructions": 3.0, "system calls": 0.15}  # a hundredth of very few is none
KEPT_OF = 3
AT_MOST = 5


class Row(NamedTuple):
    """What was kept of something, if anything, and what it is now, if it still is."""

    name: str
    kept: float | None
    now: float | None

    @property
    def tolerance(self) -> float:
        kept = self.kept or 0
        what = self.name.rpartition(": ")[2]  # of a hot path, what its work is
        share = EXACT if what not in LEAST else ASLEEP if " a second" in self.name else WHOLE
        return max(LEAST.get(what, LEAST["instructions"]), share * kept)

    @property
    def verdict(self) -> str:
        if self.kept is None:
            return "NOT KEPT YET"
        if self.now is None:
            return "GONE"
        if self.now > self.kept + self.tolerance:
            return "OVER ITS TOLERANCE"
        return "less" if self.now < self.kept - self.tolerance else ""

    def distance(self) -> float:
        return abs((self.now or 0) - (self.kept or 0))

    @property
    def is_wrong(self) -> bool:
        return self.verdict not in ("", "less")

    def __str__(self) -> str:
        change = f"{self.now / self.kept - 1:+8.1%}" if self.kept and self.now is not None else ""
        return f"{self.name:68}{shown(self.kept):>11}{shown(self.now):>11}{change:>9}"


HEAD = f"{'':68}{'kept':>11}{'now':>11}"


def shown(count: float | None) -> str:
    return "" if count is None else f"{count:,.2f}" if count < 100 else f"{count:,.0f}"


def compare(name: str, kept: float | None, count: Callable[[], float]) -> Row:
    """Counts. What is not as it was kept is counted again, and what comes nearest to that is what counts."""
    row = Row(name, kept, count())
    for _ in range(AT_MOST - 1):
        if kept is None or not row.verdict:
            break
        again = row._replace(now=count())
        row = min(row, again, key=Row.distance)
    return row


def middle(count: Callable[[], float]) -> float:
    """What is kept: the median of some counts."""
    return round(median(count() for _ in range(KEPT_OF)), 2)
