"""Counts beside those that were kept: what is over its tolerance, and what has become much less."""

from typing import Callable, NamedTuple

# A hot path is counted exactly, but for the transcript's: how often the writer has to be woken differs by less
# than half of this. A whole program's count also has how its sends and receives fell together: of that the least
# of KEPT_OF counts differs from the least of as many others by less than half of this, on a machine that does
# much else.
EXACT = 0.01
WHOLE = 0.04
LEAST = {"instructions": 3.0, "system calls": 0.15}  # a hundredth of very few is none
KEPT_OF = 3
AT_MOST = 5  # counts of what seems to be over its tolerance


class Row(NamedTuple):
    """What was kept of something, if anything, and what it is now, if it still is."""

    name: str
    kept: float | None
    now: float | None

    @property
    def tolerance(self) -> float:
        kept = self.kept or 0
        what = self.name.rpartition(": ")[2]  # of a hot path, what its work is
        share = WHOLE if what in LEAST else EXACT
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
    """Counts. What seems to be over its tolerance is counted again, and the least counts: what others do only adds."""
    row = Row(name, kept, count())
    for _ in range(AT_MOST - 1):
        if row.kept is None or not row.is_wrong:
            break
        row = row._replace(now=min(row.now or 0, count()))
    return row


def least(count: Callable[[], float]) -> float:
    """What is kept: the least of some counts."""
    return round(min(count() for _ in range(KEPT_OF)), 2)
