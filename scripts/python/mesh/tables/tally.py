"""Cells added up: of a pair of hosts, or of all pairs between two racks."""

import re
from collections import Counter
from typing import Iterable, NamedTuple, Sequence

from mesh.cells import Cell, Figures
from mesh.fleet import Host

MOST_HOSTS = 48  # that are shown one by one, as in the plan: beyond, it has not all pairs


class Tally(NamedTuple):
    """The figures of some cells together."""

    cells: int
    missing: int  # cells without figures
    wrong: int  # cells with figures that are not as the policy says
    closed: int  # cells where the policy does not want `ok`
    sent: int  # probes
    ended: int
    failed: int
    verdicts: frozenset[str]  # of the cells that are wrong
    whole: int  # wrong cells of which every probe failed
    lost: int
    there: int | None  # None: of some that were lost nobody knows in which direction
    back: int | None
    buckets: tuple[tuple[float, int], ...]

    @property
    def share(self) -> float:
        """Which share of the probes failed."""
        return self.failed / self.ended if self.ended else 0.0

    @property
    def sign(self) -> str:
        """What came of it, in one character. SIGNS has the words."""
        if not self.cells:
            return NOT_PROBED
        if self.missing == self.cells:
            return NO_RESULT
        if not self.failed:
            return SOME_MISSING if self.missing else CLOSED if self.closed == self.cells else FINE
        if self.failed < self.ended:
            return str(min(9, max(1, round(10 * self.share))))
        return LETTERS.get(next(iter(self.verdicts)), MIXED) if len(self.verdicts) == 1 else MIXED

    def percentile(self, thousandths: int) -> float | None:
        """What so many replies did not exceed, by the buckets' bounds (infinity: they say no bound).

        None if there are too few, as with the clients.
        """
        samples = self.buckets[-1][1] if self.buckets else 0
        if samples * (1000 - thousandths) < 1000:
            return None
        rank = -(-samples * thousandths // 1000)
        return next(bound for bound, count in self.buckets if count >= rank)


NOT_PROBED, NO_RESULT, SOME_MISSING, CLOSED, FINE, MIXED = " ", "?", "~", "-", ".", "X"
LETTERS = {"ok": "!", "no-reply": "N", "timeout": "T", "refused": "R", "unreachable": "U", "reset": "S",
           "wrong-reply": "W", "wrong-source": "O", "unresolved": "D"}
SIGNS = {
    FINE: "as the policy says", CLOSED: "closed, as the policy says", "1": "1-9: tenths of the probes failed",
    **{letter: f"all {verdict}" for verdict, letter in LETTERS.items()}, "!": "open, which the policy forbids",
    MIXED: "all failed, in several ways", NO_RESULT: "no result", SOME_MISSING: "some have no result",
}


def tally(cells: Iterable[Cell]) -> Tally:
    """These cells, added up."""
    cells = list(cells)
    measured = [(cell, cell.figures) for cell in cells if cell.figures]
    figures = [each for _, each in measured]
    wrong = [cell for cell, each in measured if each.failed]
    lost = sum(each.lost for each in figures)
    known = all(not each.lost or each.lost_there is not None and each.lost_back is not None for each in figures)
    return Tally(
        cells=len(cells), missing=len(cells) - len(measured), wrong=len(wrong),
        closed=sum("ok" not in cell.planned.expect for cell in cells),
        sent=sum(each.sent for each in figures), ended=sum(map(ended, figures)),
        failed=sum(each.failed for each in figures),
        verdicts=frozenset(cell.verdict for cell in wrong),
        whole=sum(each.failed == ended(each) for each in figures if each.failed), lost=lost,
        there=sum(each.lost_there or 0 for each in figures) if lost and known else None,
        back=sum(each.lost_back or 0 for each in figures) if lost and known else None, buckets=added(figures),
    )


def ended(figures: Figures) -> int:
    """The probes that came to an end on the network."""
    return sum(count for verdict, count in figures.verdicts.items() if verdict != "local")


def added(figures: Sequence[Figures]) -> tuple[tuple[float, int], ...]:
    """The buckets of all: the bounds are the same in every run."""
    total: Counter[float] = Counter()
    for each in figures:
        total.update(dict(each.buckets))
    return tuple(sorted(total.items()))


class Place(NamedTuple):
    """A row and a column of a matrix: a host in its rack, or a rack in its datacentre."""

    name: str
    group: str
    is_alone: bool  # the only one in its group


class Axis(NamedTuple):
    """The rows and columns of a matrix, and at which of them each host is."""

    places: list[Place]
    of_host: dict[str, str]


def hosts_apart(hosts: Sequence[Host]) -> Axis:
    """A place for each host, in the order of people: 10 comes after 9."""
    hosts = sorted(hosts, key=natural)
    sizes = Counter(host.place for host in hosts)
    rack_of = racks_apart(hosts).of_host
    return Axis([Place(host.name, rack_of[host.name], sizes[host.place] == 1) for host in hosts],
                {host.name: host.name for host in hosts})


def racks_apart(hosts: Sequence[Host]) -> Axis:
    """A place for each rack. The name of one that several datacentres have is DATACENTRE/RACK."""
    racks = {host.place: host for host in sorted(hosts, key=natural)}
    named_so = Counter(host.rack or host.name for host in racks.values())
    centres = Counter(host.datacentre for host in racks.values())

    def name(host: Host) -> str:
        rack = host.rack or host.name
        return f"{host.datacentre or '-'}/{rack}" if named_so[rack] > 1 else rack

    return Axis([Place(name(host), host.datacentre or "", centres[host.datacentre] == 1) for host in racks.values()],
                {host.name: name(host) for host in hosts})


def natural(host: Host) -> list[tuple[int, str]]:
    """In the order of datacentres, racks and names, with numbers as numbers."""
    words = f"{host.datacentre or ''} {host.rack or host.name} {host.name}"
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"[0-9]+|[^0-9]+", words)]


def by_pair(cells: Iterable[Cell], axis: Axis) -> dict[tuple[str, str, str], Tally]:
    """Tallies by source, target and service."""
    pairs: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        line = cell.planned
        pairs.setdefault((axis.of_host[line.source], axis.of_host[line.target], line.service), []).append(cell)
    return {key: tally(found) for key, found in pairs.items()}


def services(cells: Iterable[Cell]) -> list[str]:
    """What was probed: over TCP before UDP, and by port."""
    return sorted({cell.planned.service for cell in cells}, key=in_order)


def in_order(service: str) -> tuple[int, int]:
    kind, _, port = service.partition("/")
    return ("tcp", "connect", "udp").index(kind), int(port)
