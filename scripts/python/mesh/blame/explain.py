"""Whose fault it is: the smallest explanation of what failed in a round. How it decides: docs/blame.md.

First come hosts that are dead: they answer nobody, and nobody knows what they would say. What is left is evidence for a
search among suspects. Then what gets through and must not, what this side could not do, and what has no pattern.
"""

from typing import Sequence

from mesh.blame import aside, votes
from mesh.blame.evidence import ended, gather, not_through
from mesh.blame.finding import Finding, Hearing
from mesh.blame.search import Search
from mesh.blame.sentences import finding
from mesh.blame.suspects import Line, Lineup, kinds_of
from mesh.cells import Cell
from mesh.results import Round


def explain(round: Round) -> list[Finding]:
    """What is wrong, the gravest first. Of a round without a fault: nothing, or what was lost here and there."""
    line = Line.up(round.fleet)
    dead = dead_hosts(round)
    evidence = gather(round.cells, frozenset(dead))
    services = {cell.planned.service for cell in round.cells}
    pairs = len({(cell.planned.source, cell.planned.target) for cell in round.cells})
    lineup = Lineup(line, len(services))
    search = Search(evidence, lineup.met_by,
                    kinds_of(len(round.fleet), len(line.named), line.datacentres, pairs, len(services)),
                    lambda numbers: votes.clumping([round.cells[evidence[number].cell] for number in numbers
                                                    if evidence[number].failed]))
    guilty = search.run()
    hearing = Hearing(round, line, evidence, search)
    return [*aside.dead(round, line, dead), *(finding(hearing, each) for each in guilty), *aside.through(round.cells),
            *aside.our_side(round, dead), *aside.remainder(hearing)]


def dead_hosts(round: Round) -> dict[str, list[Cell]]:
    """Hosts that nobody knows anything from and that answer nobody, with the cells to each that show it."""
    heard = {cell.planned.source for cell in round.cells if cell.figures is not None}
    silent: dict[str, list[Cell]] = {host.name: [] for host in round.fleet if host.name not in heard}
    for cell in round.cells:
        if cell.planned.target in silent and cell.figures is not None:
            silent[cell.planned.target].append(cell)
    return {host: cells for host, cells in silent.items()
            if cells and all(fails_wholly(cell) for cell in cells) and state(round, host) != "failed"
            and any("ok" in cell.planned.expect for cell in cells)}


def fails_wholly(cell: Cell) -> bool:
    """Whether nothing of a cell gets through."""
    figures = cell.figures
    return figures is not None and not figures.verdicts.get("ok") and (
        not_through(figures, cell.planned.expect) == ended(figures) or "ok" not in cell.planned.expect)


def state(round: Round, host: str) -> str:
    visit = round.visits.get(host)
    return visit.state if visit else "unknown"


def together(rounds: Sequence[Round]) -> Round:
    """Several minutes as one round: what one shows too seldom, more of them do. The visits are the last one's."""
    first, last = rounds[0], rounds[-1]
    minute = first.minute if len(rounds) == 1 else f"{first.minute} to {last.minute}"
    return Round(minute, last.fleet, [cell for round in rounds for cell in round.cells], last.visits,
                  {address: name for round in rounds for address, name in round.routers.items()})
