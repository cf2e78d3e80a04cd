"""The list of cells, each with its figures; and figures in words."""

from collections import defaultdict
from typing import Iterator, NamedTuple, Sequence

from mesh.cells import Cell
from mesh.tables import columns, grid
from mesh.tables.columns import Column
from mesh.tables.tally import Tally, services, tally

MOST_LINES = 40  # what else there is, is counted
LONGEST = 32  # characters of a verdict: a reason may be longer, and would leave no room for figures
LIKE = 3  # so many cells of a host that all failed alike share a line

COLUMNS = (Column("from", 0), Column("to", 0), Column("service", 1), Column("verdict", 0), Column("failed", 2, True),
           Column("lost", 6, True), Column("there", 4, True), Column("back", 4, True), Column("p50 ms", 3, True),
           Column("p99 ms", 3, True), Column("max ms", 5, True))


class Line(NamedTuple):
    """A line of the list: a cell, or all cells of a host, which failed alike."""

    source: str
    target: str
    service: str
    verdict: str
    figures: Tally
    p50: float | None = None
    p99: float | None = None
    slowest: float | None = None


def of_all(cells: Sequence[Cell], width: int, colour: bool) -> Iterator[str]:
    """A line for each cell."""
    yield from printed([line_of([cell]) for cell in cells], width, colour)


def of_wrong(cells: Sequence[Cell], width: int, colour: bool) -> Iterator[str]:
    """What is not as the policy says, the worst first."""
    lines = sorted(gathered(cells), key=severity)
    yield from printed(lines[:MOST_LINES], width, colour)
    yield from more(len(lines) - MOST_LINES, "line")


def printed(lines: Sequence[Line], width: int, colour: bool) -> Iterator[str]:
    titles, *rows = columns.fitted(COLUMNS, [words_of(line) for line in lines], width)
    yield grid.painted(titles, "2") if colour else titles
    for line, words in zip(lines, rows):
        is_wrong = line.figures.failed or line.figures.missing
        yield grid.painted(words, grid.colour_of(line.figures.sign)) if colour and is_wrong else words
    if any(line.p50 is not None for line in lines) and all(line.p99 is None for line in lines):
        yield columns.cut("No p99: that takes 100 replies a cell.", max(width, columns.LEAST))


def gathered(cells: Sequence[Cell]) -> Iterator[Line]:
    """The wrong ones of all cells. All that a host measured, or that others measured of it, may have failed alike."""
    left = {number: cell for number, cell in enumerate(cells) if cell.failed}
    measured = {cell.planned.source for cell in cells if cell.figures}
    for end in ("target", "source"):
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, cell in enumerate(cells):
            if cell.figures:
                groups[getattr(cell.planned, end), cell.planned.service].append(number)
            elif end == "source" and cell.planned.source not in measured:  # nothing has come from there
                groups[cell.planned.source, cell.verdict].append(number)
        for numbers in groups.values():
            alike = {how(cells[number]) for number in numbers}
            if len(numbers) >= LIKE and len(alike) == 1 and None not in alike and any(at in left for at in numbers):
                yield line_of([cells[number] for number in numbers])
                for number in numbers:
                    left.pop(number, None)
    for cell in left.values():
        yield line_of([cell])


def how(cell: Cell) -> tuple[str, ...] | None:
    """In which way all of a cell's probes failed; None if not all did."""
    if cell.figures and tally([cell]).share < 1:
        return None
    return (cell.verdict, *cell.planned.expect) if cell.figures else (cell.verdict,)


def line_of(cells: Sequence[Cell]) -> Line:
    planned, figures = cells[0].planned, cells[0].figures
    verdict = cells[0].verdict
    if figures and figures.failed and planned.expect != ("ok",):
        verdict += f", not {','.join(planned.expect)}"
    line = Line(named([cell.planned.source for cell in cells]), named([cell.planned.target for cell in cells]),
                planned.service if len(services(cells)) == 1 else "all", columns.cut(verdict, LONGEST), tally(cells))
    if figures and len(cells) == 1:
        line = line._replace(p50=figures.p50, p99=figures.p99, slowest=figures.slowest)
    return line


def named(hosts: Sequence[str]) -> str:
    different = len(set(hosts))
    return hosts[0] if different == 1 else f"all {different}"


def severity(line: Line) -> tuple[float, int]:
    """The worst first: what failed most, then what has no result."""
    return -line.figures.share if line.figures.ended else 1.0, -line.figures.cells


def words_of(line: Line) -> list[str]:
    figures = line.figures
    if not figures.ended:
        return [line.source, line.target, line.service, line.verdict, *[""] * 7]
    return [line.source, line.target, line.service, line.verdict, percent(figures.share),
            percent(figures.lost / figures.ended) if figures.sent else "", known(figures.there), known(figures.back),
            millis(line.p50), millis(line.p99), millis(line.slowest)]


def more(number: int, thing: str) -> Iterator[str]:
    if number > 0:
        yield f"... and {count(number, thing)} more"


def count(number: int, thing: str) -> str:
    several = thing.removesuffix("y") + "ies" if thing.endswith("y") else f"{thing}s"
    return f"{number:,} {thing if number == 1 else several}"


def percent(share: float) -> str:
    """Some of it is not none, and most of it is not all."""
    return f"{100 * share:.0f} %" if share in (0, 1) else f"{min(max(100 * share, 0.1), 99.9):.1f} %"


def known(number: int | None) -> str:
    return "" if number is None else str(number)


def millis(time: float | None) -> str:
    return "" if time is None else f"{time:.3f}" if time < 1 else f"{time:.2f}" if time < 100 else f"{time:.0f}"


def bound(time: float | None) -> str:
    """An upper bound, as the buckets have it."""
    return "" if time is None else "> 10000" if time == float("inf") else f"<= {time:g}"
