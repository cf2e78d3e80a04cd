"""What is found, and what the words for it are made of: the cells that a suspect touches, and what came of them."""

from collections import Counter
from typing import Iterable, NamedTuple, Sequence

from mesh.blame.evidence import BOTH, OURS, Evidence
from mesh.blame.search import Search
from mesh.blame.suspects import Line, Suspect
from mesh.cells import Cell
from mesh.results import Round

SHOWN = 3  # names in a sentence, before it says how many more
WHOLE = 0.99  # who loses so much lets nothing through: the rest are probes that went by when it began or ended


class Finding(NamedTuple):
    """One thing that is wrong, or that is to be known."""

    kind: str  # docs/blame.md has the list
    of: str
    loss_percent: float | None  # of what passes; None where that has no meaning
    cells: int  # with failures that it explains
    words: str


class Touched(NamedTuple):
    """The cells that meet a suspect."""

    cells: list[Cell]
    failing: list[Cell]
    sent: int  # probes or replies that met it, as far as it is known
    failed: int

    @property
    def pairs(self) -> str:
        """How many pairs of hosts fail, of how many."""
        return f"{len(pairs(self.failing))} of {len(pairs(self.cells))} pairs"


class Hearing(NamedTuple):
    """A round whose suspects have been searched for."""

    round: Round
    line: Line
    evidence: Sequence[Evidence]
    search: Search

    def touched(self, suspect: Suspect) -> Touched:
        among = [self.evidence[number] for number, _ in self.search.members.get(suspect, ())]
        numbers = dict.fromkeys(each.cell for each in among)
        failing = dict.fromkeys(each.cell for each in among if each.failed)
        known = [each for each in among if each.way != BOTH or not each.failed]
        cells = self.round.cells
        return Touched([cells[number] for number in numbers], [cells[number] for number in failing],
                       sum(each.sent for each in known), sum(each.failed for each in known))

    def name(self, router: str) -> str:
        name = self.round.routers.get(router)
        return f"{name} ({router})" if name and name != router else router

    def untouched(self, suspect: Suspect, guilty: Suspect) -> tuple[int, int]:
        """What met a suspect and nobody else who was found guilty: how much, and how much of it failed."""
        among = [(self.evidence[number], {met for met, _ in self.search.classes[number]})
                 for number, _ in self.search.members.get(suspect, ())]
        known = [each for each, met in among if not met or (met == {guilty} and each.way == BOTH and not each.failed)]
        known = [each for each in known if each.way != BOTH or not each.failed]
        return sum(each.sent for each in known), sum(each.failed for each in known)


def pairs(cells: Iterable[Cell]) -> set[tuple[str, ...]]:
    return {tuple(sorted((cell.planned.source, cell.planned.target))) for cell in cells}


def percent(share: float) -> str:
    """Two digits, or one behind the point."""
    value = 100 * share
    if value >= 99.95:
        return "100 %"
    return f"{value:.1f} %" if value >= 1 else f"{value:.2g} %"


def some(names: Iterable[str]) -> str:
    """A few of the names, and how many more there are."""
    every = list(dict.fromkeys(names))
    shown = every if len(every) <= SHOWN + 1 else every[:SHOWN]
    left = len(every) - len(shown)
    return listed([*shown, *([f"{left} more"] if left else [])])


def listed(words: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def services(cells: Iterable[Cell], hearing: "Hearing") -> str:
    """`TCP and UDP`, or the services where the round has several of a protocol."""
    named = sorted({cell.planned.service for cell in cells})
    every = {cell.planned.service for cell in hearing.round.cells}
    protocols = [protocol(service) for service in every]
    return listed([protocol(service) for service in named] if len(set(protocols)) == len(protocols) else named)


def protocol(service: str) -> str:
    return "UDP" if service.startswith("udp/") else "TCP"


def outcome(cells: Sequence[Cell], hearing: Hearing) -> str:
    """What probes of these cells ended in, and who said so: `unreachable, said by tor-r3 (10.0.3.1)`."""
    counted, sayers = Counter[str](), Counter[str]()
    for cell in cells:
        if cell.figures:
            counted.update({word: number for word, number in cell.figures.verdicts.items()
                            if word not in cell.planned.expect and word not in OURS and number})
            sayers.update(cell.figures.routers)
    words = [word for word, _ in counted.most_common()]
    said = {router for router, _ in sayers.most_common()}
    text = listed(words) or "nothing came back"
    return f"{text}, said by {some(hearing.name(router) for router in sorted(said))}" if said else text


def last_heard(cells: Iterable[Cell], hearing: Hearing) -> str | None:
    """Where most pairs whose traces fell silent were last heard of: what answered one trace may have failed another."""
    farthest: dict[tuple[str, str], tuple[int, str]] = {}
    for cell in cells:
        for way in cell.ways:
            heard = [(hop, router) for hop, router in enumerate(way.routers) if router is not None]
            if way.end != "reached" and heard:
                pair = (cell.planned.source, cell.planned.target)
                farthest[pair] = max(farthest.get(pair, heard[-1]), heard[-1])
    counted = Counter(router for _, router in farthest.values())
    return hearing.name(counted.most_common(1)[0][0]) if counted else None
