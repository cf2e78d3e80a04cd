"""The table of counts in docs/performance.md."""

from typing import Iterator

from counts.kept import Kept
from lab.command import ROOT
from lab.markdown import fill, table

DOCUMENT = ROOT / "docs/performance.md"


def write(kept: Kept) -> None:
    DOCUMENT.write_text(fill(DOCUMENT.read_text(), "counts", lines(kept)))


def lines(kept: Kept) -> Iterator[str]:
    yield f"Counted with {', '.join(kept.made_with.values())}."
    yield ""
    exact = {name: count for name, count in kept.counts.items() if not is_whole(name)}
    yield from table([["hot path", "instructions"], *([name, shown(count)] for name, count in exact.items())])
    yield ""
    yield from table([["an exchange of", "instructions", "system calls"], *whole_programs(kept.counts)])


def whole_programs(counts: dict[str, float]) -> Iterator[list[str]]:
    programs = dict.fromkeys(name.rpartition(": ")[0] for name in counts if is_whole(name))
    for program in programs:
        found = (counts.get(f"{program}: {what}") for what in ("instructions", "system calls"))
        yield [program, *("" if count is None else shown(count) for count in found)]


def is_whole(name: str) -> bool:
    """Whether it is of a whole program."""
    return name.rpartition(": ")[2] in ("instructions", "system calls")


def shown(count: float) -> str:
    return f"{count:,.0f}" if count >= 100 else f"{count:.1f}"
