"""A table that fits into a width: rather than wrap, it leaves columns out, and cuts words."""

from typing import Iterator, NamedTuple, Sequence

APART = 2  # spaces between columns
KEPT = 6  # characters of a word that is cut
LEAST = 24  # columns that even the narrowest terminal is taken to have


class Column(NamedTuple):
    title: str
    rank: int  # the columns of the highest ranks are left out first; those of rank 0 are cut, and never left out
    is_number: bool = False


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """The table's lines, its titles first. A column that is empty in all rows is left out."""
    width = max(width, LEAST)
    chosen = [at for at, column in enumerate(columns) if not column.rank or any(row[at] for row in rows)]
    widths = [max([len(column.title), *(len(row[at]) for row in rows)]) for at, column in enumerate(columns)]
    while total(widths, chosen) > width and (last := max(chosen, key=lambda at: columns[at].rank)) is not None:
        if not columns[last].rank:
            break
        chosen.remove(last)
    while total(widths, chosen) > width:
        widest = max(chosen, key=lambda at: widths[at])
        if widths[widest] <= KEPT:
            break
        widths[widest] -= 1
    for row in ([column.title for column in columns], *rows):
        words = [cut(row[at], widths[at]) for at in chosen]
        line = (" " * APART).join(word.rjust(widths[at]) if columns[at].is_number else word.ljust(widths[at])
                                  for word, at in zip(words, chosen))
        yield cut(line.rstrip(), width)


def total(widths: Sequence[int], chosen: Sequence[int]) -> int:
    return sum(widths[at] for at in chosen) + APART * (len(chosen) - 1)


def cut(words: str, width: int) -> str:
    """The words, or as much of them as there is room for."""
    return words if len(words) <= width else words[: max(width - 2, 0)] + ".."[:width]
