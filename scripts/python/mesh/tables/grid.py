"""The matrix at a glance: a character for each pair, TCP and UDP beside each other."""

import re
from typing import Iterable, Iterator, NamedTuple, Sequence

from mesh.tables.columns import LEAST, cut
from mesh.tables.tally import CLOSED, FINE, NO_RESULT, NOT_PROBED, SIGNS, SOME_MISSING, Place, Tally

GAP = "   "  # between the grids of two services
SELF = "\\"
# How a sign is shown on a terminal (ECMA-48, SGR). Others are bold and red.
COLOURS = {FINE: "32", CLOSED: "36", NOT_PROBED: "", SELF: "2", NO_RESULT: "35", SOME_MISSING: "35",
           **{str(tenth): "33" for tenth in range(1, 10)}}

Pairs = dict[tuple[str, str, str], Tally]


def colour_of(sign: str) -> str:
    return COLOURS.get(sign, "1;31")


class Layout(NamedTuple):
    """How the grids fit into a width."""

    step: int  # columns that a cell takes
    beside: int  # how many grids there are in a row
    room: int  # columns that each has


def painted(words: str, colour: str) -> str:
    return f"\033[{colour}m{words}\033[0m" if colour else words


def plain(words: str) -> str:
    """The words without their colours."""
    return re.sub(r"\033\[[0-9;]*m", "", words)


def layout(places: Sequence[Place], services: Sequence[str], width: int) -> Layout | None:
    """The roomiest way: all services beside each other, if one is left. None: not even one grid fits."""
    longest = max(map(len, services), default=0)
    for beside in range(len(services), 0, -1):
        for step in (2, 1):
            room = max(extent(places, step), longest)
            if margin(places) + beside * room + (beside - 1) * len(GAP) <= width:
                return Layout(step, beside, room)
    return None


def margin(places: Sequence[Place]) -> int:
    """Columns that the names of the rows take."""
    return len(f"{len(places)} ") + max(len(place.name) for place in places) + 2


def extent(places: Sequence[Place], step: int) -> int:
    return sum(step + is_apart(places, at) for at in range(len(places))) - (step - 1)


def is_apart(places: Sequence[Place], at: int) -> bool:
    """Whether there is a gap before this place: another group begins, and one of the two has several places."""
    if at == 0 or places[at].group == places[at - 1].group and not places[at].is_alone:
        return False
    return not (places[at].is_alone and places[at - 1].is_alone)


def drawn(places: Sequence[Place], services: Sequence[str], pairs: Pairs, how: Layout, width: int, colour: bool,
          notes: dict[str, str] | None = None) -> Iterator[str]:
    """The grids, then words for the signs that are in them. A row has its note behind it, if there is room."""
    left = " " * margin(places)

    def across(grids: Iterable[str], begin: str = left) -> str:
        return (begin + GAP.join(grid + " " * (how.room - len(plain(grid))) for grid in grids)).rstrip()

    for first in range(0, len(services), how.beside):
        chosen = services[first : first + how.beside]
        yield across(chosen)
        if any(not place.is_alone for place in places):
            yield across([groups(places, how.step)] * len(chosen))
        for digits in numbers(places, how.step):
            yield across([digits] * len(chosen))
        for number, place in enumerate(places, 1):
            name = f"{number:>{len(str(len(places)))}} {place.name}".ljust(len(left))
            cells = [row(places, place, service, pairs, how.step, colour) for service in chosen]
            line, note = across(cells, name), (notes or {}).get(place.name, "")
            behind = len(left) + len(chosen) * (how.room + len(GAP))
            if note and behind + len(note) <= width:
                line += " " * (behind - len(plain(line))) + note
            yield line
        yield ""
    yield from legend(pairs, width, colour)


def row(places: Sequence[Place], source: Place, service: str, pairs: Pairs, step: int, colour: bool) -> str:
    words = ""
    for at, target in enumerate(places):
        found = pairs.get((source.name, target.name, service))
        sign = found.sign if found else SELF if source == target else NOT_PROBED
        space = " " * (is_apart(places, at) + (step - 1 if at else 0))
        words += space + (painted(sign, colour_of(sign)) if colour else sign)
    return words


def groups(places: Sequence[Place], step: int) -> str:
    """The racks' names above their columns, as far as there is room."""
    words, at = "", 0
    while at < len(places):
        after = at + 1
        while after < len(places) and places[after].group == places[at].group and not places[at].is_alone:
            after += 1
        columns = extent(places, step)
        begin = column(places, at, step)
        end = column(places, after, step) - 1 if after < len(places) else columns
        name = "" if places[at].is_alone else places[at].group
        words = words.ljust(begin) + name[: end - begin]
        at = after
    return words.ljust(extent(places, step))


def column(places: Sequence[Place], at: int, step: int) -> int:
    """Where a place's column is."""
    return at * step + sum(is_apart(places, before) for before in range(at + 1))


def numbers(places: Sequence[Place], step: int) -> Iterator[str]:
    """The columns' numbers, from top to bottom: those of the rows."""
    digits = len(str(len(places)))
    for digit in range(digits):
        words = ""
        for at in range(len(places)):
            words = words.ljust(column(places, at, step)) + f"{at + 1:>{digits}}"[digit]
        yield words.ljust(extent(places, step))


def legend(pairs: Pairs, width: int, colour: bool) -> Iterator[str]:
    """The signs that occur, each with its words."""
    signs = {"1" if found.sign.isdigit() else found.sign for found in pairs.values()}
    line, used = "", 0
    for sign, words in SIGNS.items():
        if sign in signs:
            words = cut(words, max(width, LEAST) - 2)
            room = len(f"{sign} {words}")
            if used and used + len(GAP) + room > width:
                yield line
                line, used = "", 0
            line += GAP * bool(used) + (painted(sign, colour_of(sign)) if colour else sign) + f" {words}"
            used += len(GAP) * bool(used) + room
    if used:
        yield line
