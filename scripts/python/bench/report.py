"""The tables of scripts/bench: what was compared with plain C, and beside it what was only measured."""

from typing import Iterator, Sequence

from bench.figures import Figure, quartiles

SIDE, SPREAD, COLUMN = 16, 27, 10  # widths of columns


def lines(figures: Sequence[Figure]) -> Iterator[str]:
    """All figures, under their titles. A quantity that has ratios or a goal is a table of its own."""
    for half, title in dict.fromkeys((figure.half, figure.title) for figure in figures):
        own = [figure for figure in figures if (figure.half, figure.title) == (half, title)]
        compared = [quantity for quantity in quantities(own)
                    if any(figure.ratios or figure.goal for figure in own if figure.quantity == quantity)]
        yield f"\n{half}: {title}"
        for quantity in compared:
            yield from comparison([figure for figure in own if figure.quantity == quantity])
        if others := [figure for figure in own if figure.quantity not in compared]:
            yield from matrix(others)


def quantities(figures: Sequence[Figure]) -> list[str]:
    return list(dict.fromkeys(figure.quantity for figure in figures))


def heading(figure: Figure) -> str:
    return figure.quantity if figure.unit == "1" else f"{figure.quantity}, {figure.unit}"


def comparison(figures: Sequence[Figure]) -> Iterator[str]:
    """One quantity: each side's values, and their ratios to plain C's."""
    yield f"  {heading(figures[0]):{SIDE + SPREAD + 2}}ratio"
    for figure in figures:
        line = f"    {figure.side:{SIDE}}{spread(figure.values, 2):{SPREAD}}"
        if figure.ratios:
            line += f"{spread(figure.ratios, 3):{SPREAD}}{figure.verdict:20}"
        if figure.goal:
            line += f"to be {figure.goal}: {'ok' if figure.is_met else 'MISSED'}"
        yield line.rstrip()


def matrix(figures: Sequence[Figure]) -> Iterator[str]:
    """A row for each side, and a column for the medians of each quantity; '-' where there is none."""
    columns = quantities(figures)
    headings = {figure.quantity: heading(figure) for figure in figures}
    widths = {column: max(COLUMN, len(headings[column]) + 2) for column in columns}
    yield f"    {'':{SIDE}}" + "".join(f"{headings[column]:>{widths[column]}}" for column in columns)
    for side in dict.fromkeys(figure.side for figure in figures):
        values = {figure.quantity: f"{quartiles(figure.values)[1]:.2f}" for figure in figures if figure.side == side}
        yield f"    {side:{SIDE}}" + "".join(f"{values.get(column, '-'):>{widths[column]}}" for column in columns)


def spread(values: Sequence[float], digits: int) -> str:
    low, middle, high = (f"{value:.{digits}f}" for value in quartiles(values))
    return f"{middle} ({low}-{high})" if len(values) > 1 else middle
