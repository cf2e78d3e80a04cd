"""Rounds by hand: a fleet, and what becomes of the probes of each cell."""

from typing import Callable, Iterable, NamedTuple

from mesh.cells import Cell, Figures, Flow, Planned, Visit, Way
from mesh.figures import formula
from mesh.figures.simulated import EACH, SENT, Network, well
from mesh.fleet import Host
from mesh.results import Round


class Fate(NamedTuple):
    """What becomes of the probes of a cell: of SENT, so many are lost, or have another verdict."""

    there: int = 0
    back: int = 0
    verdict: str | None = None  # instead of silence
    routers: tuple[str, ...] = ()  # who said so
    ways: tuple[Way, ...] = ()


Fates = Callable[[Planned], Fate | None]  # None: all is well


def table(fleet: list[Host], *fates: Fates, silent: Iterable[str] = (), unvisited: str = "unreachable",
          routers: dict[str, str] | None = None) -> Round:
    """A round of a fleet: the first fate that is not None holds for a cell. Of `silent` hosts there are no results."""
    dumb = set(silent)
    cells = []
    for line in formula.plan(fleet, 0):
        fate = next((found for each in fates if (found := each(line))), None)
        if line.source in dumb:
            cells.append(Cell(line, None, (), "unreachable by ssh"))
        elif fate is None and line.target not in dumb:
            cells.append(Cell(line, well(line.port)))
        else:
            cells.append(failing(line, fate or Fate(SENT)))
    visits = {host.name: Visit(host.name, unvisited if host.name in dumb else "ok", "ssh") for host in fleet}
    return Round("2026-11-27T0831Z", fleet, cells, visits, routers or {})


def failing(line: Planned, fate: Fate) -> Cell:
    lost = fate.there + fate.back
    silence = "timeout" if line.service.startswith("tcp") else "no-reply"
    is_told = line.service.startswith("udp") and lost < SENT and not fate.verdict
    flows = tuple(Flow(line.port + number, EACH, sum(probe % formula.FLOWS == number for probe in range(lost)))
                  for number in range(formula.FLOWS))
    verdicts = {word: count for word, count in (("ok", SENT - lost), (fate.verdict or silence, lost)) if count}
    figures = Figures(SENT, lost, verdicts, 0 if fate.verdict else lost, fate.there if is_told else None,
                      fate.back if is_told else None, 0, 0.4, 0.9, flows, fate.routers)
    return Cell(line, figures, fate.ways)


def fleet(racks: int, size: int) -> list[Host]:
    return Network(racks, size, 2).fleet


def rack(host: str) -> str:
    return host.split("-")[0]


def crosses(line: Planned) -> bool:
    return rack(line.source) != rack(line.target)


def uplink_out(of: str, lost: int) -> Fates:
    """Of what goes out of a rack: probes to others, and replies to others."""
    def fate(line: Planned) -> Fate | None:
        if not crosses(line) or of not in (rack(line.source), rack(line.target)):
            return None
        return Fate(there=lost) if rack(line.source) == of else Fate(back=lost)
    return fate


def blocked(source: str, target: str, *services: str, fate: Fate = Fate(SENT)) -> Fates:
    """A rule between two hosts, for some services or all."""
    def chosen(line: Planned) -> Fate | None:
        is_meant = (line.source, line.target) == (source, target) and (not services or line.service in services)
        return fate if is_meant else None
    return chosen


def by_ends(lost: int, source: str | None, target: str | None = None, of: Callable[[str], str] = str) -> Fates:
    """Of what goes from the one to the other, or to anybody or from anybody: probes there, and replies back."""
    def meant(one: str, other: str) -> bool:
        return source in (None, of(one)) and target in (None, of(other))
    return lambda line: Fate(lost) if meant(line.source, line.target) else \
        Fate(0, lost) if meant(line.target, line.source) else None


def touching(host: str, fate: Fate) -> Fates:
    return lambda line: fate if host in (line.source, line.target) else None


def answering(round: Round, host: str) -> Round:
    """The same, but that a host answers."""
    return round._replace(cells=[Cell(cell.planned, well(cell.planned.port)) if cell.planned.target == host else cell
                                 for cell in round.cells])
