"""The tables of docs/performance.md."""

from statistics import fmean, median
from typing import Iterator, Sequence

from bench.figures import Figure, quartiles
from lab.markdown import table

GOALS = {True: "ok", False: "**missed**"}


def lines(figures: Sequence[Figure]) -> Iterator[str]:
    """Of one half: what was compared or has a goal, and then what was only measured."""
    compared = [figure for figure in figures if figure.ratios or figure.goal]
    others = [figure for figure in figures if not (figure.ratios or figure.goal) and not is_beside(figure, compared)]
    if compared:
        yield from comparison(compared, figures)
    if others:
        yield ""
        yield from matrix(others)


def is_beside(figure: Figure, compared: Sequence[Figure]) -> bool:
    """Whether the figure is what others are compared with: it stands beside them."""
    return any((each.title, each.quantity) == (figure.title, figure.quantity) and each.ratios for each in compared)


def comparison(compared: Sequence[Figure], figures: Sequence[Figure]) -> Iterator[str]:
    """A row for each figure. The ratio is a median, with the middle half of all turns behind it."""
    rows = [["", "", "", "", "beside", "ratio", "", "goal"]]
    for figure in compared:
        side = side_beside(figure, figures)
        beside = f"{shown(median(figure.plain))} {side}".strip() if figure.plain else ""
        ratio = spread(figure.ratios) if figure.ratios else ""
        # What is counted once is so, and needs no turns to say so.
        verdict = figure.verdict if len(figure.ratios) > 1 else ""
        goal = f"{figure.goal}: {GOALS[figure.is_met]}" if figure.goal else ""
        rows.append([figure.title, heading(figure), figure.side, shown(median(figure.values)), beside, ratio, verdict,
                     goal])
    yield from table(without_repeats(rows))


def side_beside(figure: Figure, figures: Sequence[Figure]) -> str:
    """Whose values the figure is compared with. Where two have the same, it is the one with the same output."""
    sides = [each.side for each in figures if is_beside(each, [figure]) and each.values == list(figure.plain)]
    output = figure.side.partition(",")[2]
    return next((side for side in sides if side.partition(",")[2] == output), sides[0] if sides else "")


def matrix(figures: Sequence[Figure]) -> Iterator[str]:
    """A row for each title and side, and a column for the medians of each quantity."""
    columns = {figure.quantity: heading(figure) for figure in figures}
    rows = [["", "", *columns.values()]]
    for title, side in dict.fromkeys((figure.title, figure.side) for figure in figures):
        values = {figure.quantity: shown(median(figure.values)) for figure in figures
                  if (figure.title, figure.side) == (title, side)}
        rows.append([title, side, *(values.get(column, "") for column in columns)])
    yield from table(without_repeats(rows))


def floor(figures: Sequence[Figure]) -> Iterator[str]:
    """What of plain C's CPU time is the kernel's, and how much more all of ours takes."""
    rows = [["", "plain C, µs", "of that the kernel's", "ours, µs", "ours -q, µs", "ours less that", "ours -q less that"]]
    for title in dict.fromkeys(figure.title for figure in figures):
        found = {(figure.side, figure.quantity): (fmean if figure.quantity == "kernel" else median)(figure.values)
                 for figure in figures if figure.title == title}
        if not {("plain C", "kernel"), ("ours", "CPU"), ("ours -q", "CPU")} <= found.keys():
            continue
        plain, ours, quiet = (found[side, "CPU"] for side in ("plain C", "ours", "ours -q"))
        least = plain * found["plain C", "kernel"] / 100
        rows.append([title, shown(plain), f"{shown(least)} ({found['plain C', 'kernel']:.0f} %)", shown(ours), shown(quiet),
                     shown(ours - least), shown(quiet - least)])
    yield from table(rows)


def heading(figure: Figure) -> str:
    unit = figure.unit.replace("us", "µs")
    return figure.quantity if unit == "1" else f"{figure.quantity}, {unit}"


def spread(values: Sequence[float]) -> str:
    low, middle, high = (f"{value:.2f}" for value in quartiles(values))
    return f"{middle} ({low} to {high})" if len(values) > 1 else middle


def without_repeats(rows: list[list[str]]) -> list[list[str]]:
    """A title is said once, in its first row."""
    return [[("" if number > 1 and row[0] == rows[number - 1][0] else row[0]), *row[1:]] for number, row in enumerate(rows)]


def shown(value: float) -> str:
    """With three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
