"""Markdown that scripts write: tables, and parts of a document that are made anew."""

import re
from typing import Iterable, Iterator, Sequence


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first row is the head. Columns are aligned, so that a terminal shows them well."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in (rows[0], ["-" * width for width in widths], *rows[1:]):
        yield "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |"


def fill(document: str, part: str, lines: Iterable[str]) -> str:
    """The document with these lines between the marks of a part: `<!-- PART: ... -->` and `<!-- end -->`."""
    marks = re.compile(rf"(<!-- {re.escape(part)}:[^>]*-->\n).*?(<!-- end -->)", re.DOTALL)
    text = "\n".join(lines).strip("\n")
    filled, found = marks.subn(lambda mark: f"{mark[1]}\n{text}\n\n{mark[2]}", document)
    if found != 1:
        raise RuntimeError(f"the document has {found} parts called {part}")
    return filled
