"""A round as text for people, and as JSON for scripts: which cells are not as the policy says, and by how much."""

import json
import os
import textwrap
from typing import Any, Iterator, Sequence, TextIO

from mesh.cells import Cell, Visit
from mesh.results import Round
from mesh.tables import columns, grid, listing
from mesh.tables.columns import Column
from mesh.tables.listing import bound, count, more, percent
from mesh.tables.tally import MOST_HOSTS, by_pair, hosts_apart, racks_apart, services, tally

MOST_FLAWS = 10
FEW = 24  # cells that are listed even if all are as the policy says

RACKS = (Column("from", 0), Column("to", 0), Column("service", 0), Column("wrong", 1, True),
         Column("no result", 2, True), Column("failed", 0, True), Column("p50 ms", 3, True), Column("p99 ms", 3, True))


def lines(round: Round, colour: bool, width: int, cells: bool = False, faults: Sequence[str] = ()) -> list[str]:
    """The round for a terminal of this width, and whose fault it is. With `cells`, or if there are few, each cell has a
    line.
    """
    found = [*headline(round, width)]
    if round.cells:
        found += ["", *overview(round, colour, width)]
    if odd := [*odd_hosts(round, width)]:
        found += ["", *odd]
    if faults:
        found += ["", "Whose fault it is:", *(line for fault in faults for line in prose(f"- {fault}", width))]
    if round.cells and (cells or len(round.cells) <= FEW):
        found += ["", "Each cell:", *listing.of_all(in_order(round), width, colour)]
    elif any(cell.failed for cell in round.cells):
        found += ["", *prose("Not as the policy says, the worst first:", width),
                  *listing.of_wrong(round.cells, width, colour)]
    return found


def in_order(round: Round) -> list[Cell]:
    """The cells in the order of the grid."""
    place = {host.name: at for at, host in enumerate(hosts_apart(round.fleet).places)}
    return sorted(round.cells, key=lambda cell: (place[cell.planned.source], place[cell.planned.target]))


def prose(words: str, width: int) -> list[str]:
    """Words that go on in the next line, where the terminal would break them anywhere."""
    return textwrap.wrap(words, max(width, columns.LEAST), subsequent_indent="  ")


def headline(round: Round, width: int) -> Iterator[str]:
    """When and what, how it is, and how fast."""
    racks = len({host.place for host in round.fleet})
    yield from prose(f"{round.minute[:10]} {round.minute[11:13]}:{round.minute[13:15]} UTC: "
                     f"{count(len(round.fleet), 'host')}, {count(racks, 'rack')}, {count(len(round.cells), 'cell')}",
                     width)
    without = sum(cell.figures is None for cell in round.cells)
    wrong = sum(cell.failed for cell in round.cells) - without
    said = [f"{wrong:,} not as the policy says"] if wrong else []
    said += [f"{without:,} without a result"] if without else []
    yield from prose(", ".join(said or ["all as the policy says" if round.cells else "nothing is planned"]), width)
    for service in services(round.cells):
        together = tally(cell for cell in round.cells if cell.planned.service == service)
        if median := bound(together.percentile(500)):
            slow = bound(together.percentile(990))
            yield from prose(f"{service}: {count(together.buckets[-1][1], 'reply')}, p50 {median} ms"
                             + (f", p99 {slow} ms" if slow else ""), width)


def overview(round: Round, colour: bool, width: int) -> Iterator[str]:
    """A grid of hosts; of racks, if those are too many; or the worst pairs of racks."""
    chosen = services(round.cells)
    hosts, racks = hosts_apart(round.fleet), racks_apart(round.fleet)
    if len(round.fleet) > MOST_HOSTS:
        yield from prose(f"More than {MOST_HOSTS} hosts: racks by racks.", width)
    elif how := grid.layout(hosts.places, chosen, width):
        notes = {visit.host: state_of(visit) for visit in round.visits.values() if visit.state != "ok"}
        yield from grid.drawn(hosts.places, chosen, by_pair(round.cells, hosts), how, width, colour, notes)
        return
    else:
        yield from prose(f"{len(round.fleet)} hosts do not fit into {width} columns: racks by racks.", width)
    if how := grid.layout(racks.places, chosen, width):
        yield ""
        yield from grid.drawn(racks.places, chosen, by_pair(round.cells, racks), how, width, colour)
    else:
        yield from prose(f"{len(racks.places)} racks do not fit into {width} columns: the worst pairs of them.", width)
        yield ""
        yield from worst_racks(by_pair(round.cells, racks), width)


def worst_racks(pairs: grid.Pairs, width: int) -> Iterator[str]:
    wrong = [pair for pair in pairs.items() if pair[1].failed or pair[1].missing]
    wrong.sort(key=lambda pair: (-pair[1].share, -pair[1].missing))
    rows = [[*key, f"{found.wrong} of {found.cells}", str(found.missing or ""), percent(found.share),
             bound(found.percentile(500)), bound(found.percentile(990))] for key, found in wrong[: listing.MOST_LINES]]
    yield from columns.fitted(RACKS, rows, width) if rows else prose("None: all as the policy says.", width)
    yield from more(len(wrong) - len(rows), "pair")


def odd_hosts(round: Round, width: int) -> Iterator[str]:
    """Hosts that could not be visited, or have other programs than the rest."""
    rows = [(visit.host, state_of(visit), visit.reason or "") for visit in round.visits.values() if visit.state != "ok"]
    versions = {visit.version for visit in round.visits.values() if visit.version}
    newest = max(versions, key=of_version, default=None)
    rows += [(visit.host, "old programs", f"{visit.version}; others have {newest}")
             for visit in round.visits.values() if visit.version not in (None, newest)]
    names, states = (max((len(row[at]) for row in rows), default=0) for at in (0, 1))
    for host, state, reason in rows[: listing.MOST_LINES]:
        line = f"{host:{names}}  {state:{states}}  {reason}".rstrip()
        yield from [line] if len(line) <= width else prose(f"{host}  {state}: {reason}", width)
    yield from more(len(rows) - listing.MOST_LINES, "host")


def state_of(visit: Visit) -> str:
    return f"unreachable by {visit.by}" if visit.state == "unreachable" else "failed there"


def of_version(version: str) -> list[int]:
    """In the order of versions: 0.10.0 comes after 0.9.1."""
    return [int(digits) for digits in "".join(sign if sign in "0123456789" else " " for sign in version).split()]


def flaws(round: Round) -> Iterator[str]:
    """What in the files could not be used, for standard error."""
    yield from map(str, round.flaws[:MOST_FLAWS])
    yield from more(len(round.flaws) - MOST_FLAWS, "flaw")


def json_lines(round: Round) -> Iterator[str]:
    """An object a cell."""
    of_host = {host.name: host for host in round.fleet}
    for cell in round.cells:
        line, source, target = cell.planned, of_host[cell.planned.source], of_host[cell.planned.target]
        yield json.dumps({
            "schema": 1, "event": "cell", "minute": round.minute, "source": source.name, "source_rack": source.rack,
            "source_datacentre": source.datacentre, "target": target.name, "target_rack": target.rack,
            "target_datacentre": target.datacentre, "endpoint": line.endpoint, "service": line.service,
            "expect": line.expect, "source_port": line.port, **measured(cell),
        }, separators=(",", ":"))


def measured(cell: Cell) -> dict[str, Any]:
    figures, ended = cell.figures, tally([cell]).ended
    return {
        "as_expected": None if figures is None else not figures.failed,
        "verdict": figures and cell.verdict, "missing": cell.missing,
        "sent": figures and figures.sent, "failed": figures and figures.failed, "lost": figures and figures.lost,
        "lost_there": figures and figures.lost_there, "lost_back": figures and figures.lost_back,
        "skipped": figures and figures.skipped,
        "failed_percent": figures and thousandths(figures.failed, ended),
        "loss_percent": figures and thousandths(figures.lost, ended) if figures and figures.sent else None,
        "p50_ms": figures and figures.p50, "p99_ms": figures and figures.p99, "max_ms": figures and figures.slowest,
        "verdicts": figures and figures.verdicts, "flows": figures and [flow._asdict() for flow in figures.flows],
        "traces": [{"port": way.port, "end": way.end, "reason": way.reason, "routers": way.routers}
                   for way in cell.ways],
    }


def thousandths(part: int, whole: int) -> float:
    """A share in percent, rounded up to a thousandth, as in a summary."""
    return -(-part * 100_000 // whole) / 1000


def is_coloured(stream: TextIO) -> bool:
    """Whether what is written there is to have colours (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
