"""What is found without a search: dead hosts, what gets through and must not, our own side's trouble, and the rest."""

from collections import defaultdict
from typing import Iterable, Iterator

from mesh.blame.evidence import SILENCE, ended, lost, not_through, silent
from mesh.blame.finding import Finding, Hearing, count, listed, some
from mesh.blame.suspects import Line
from mesh.cells import Cell
from mesh.results import Round

SKIPPED = "skipped"
TROUBLES = {SKIPPED: "{was} too busy to send", "local": "could not send",
            "unresolved": "could not resolve the name for"}
APIECE = 4  # hosts that have a finding each
A_PATTERN = 3  # probes of one cell that were lost: these are named


def dead(round: Round, line: Line, hosts: dict[str, list[Cell]]) -> Iterator[Finding]:
    """Hosts that answer nobody and that could not be visited; where that is a whole rack, the rack."""
    racks: dict[str, set[str]] = defaultdict(set)
    for host in round.fleet:
        racks[line.rack[host.name]].add(host.name)
    told: set[str] = set()
    for rack, members in racks.items():
        if rack in line.named and members <= set(hosts):
            told |= members
            yield dead_rack(round, rack, sorted(members), sum(len(hosts[host]) for host in members))
    for name, cells in hosts.items():
        if name not in told:
            touched = with_missing(round, {name})
            cells_of_it = f"all {count(touched, 'cell')} to and from it fail"
            words = f"{name} is dead or cut off: {cells_of_it}, {and_visit(round, name)}"
            yield Finding("dead", name, 100.0, touched, words)


def dead_rack(round: Round, rack: str, members: list[str], cells: int) -> Finding:
    all_cells = with_missing(round, set(members))
    if len(members) == 1:
        words = (f"one of: {members[0]}, its top-of-rack, or the uplink of rack {rack}: nothing gets through to it "
                 f"({count(cells, 'cell')}), {and_visit(round, members[0])}")
        of = f"{members[0]}, the top-of-rack of {rack} or the uplink of {rack}"
        return Finding("one of", of, 100.0, all_cells, words)
    words = (f"rack {rack} is dead or cut off: all {count(cells, 'cell')} from others to its {len(members)} hosts "
             f"fail, {and_visit(round, members[0])}: its top-of-rack, its uplink or its power")
    return Finding("rack", rack, 100.0, all_cells, words)


def and_visit(round: Round, host: str) -> str:
    visit = round.visits.get(host)
    if visit is None or visit.state == "ok":
        return "and there are no results from it"
    return f"and {visit.by} does not reach it"


def with_missing(round: Round, hosts: set[str]) -> int:
    """All cells to and from hosts, those included that nobody measured."""
    return sum(1 for cell in round.cells if {cell.planned.source, cell.planned.target} & hosts)


def through(cells: list[Cell]) -> Iterator[Finding]:
    """What is to be denied and gets through: each counts, be it one probe."""
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.figures and "ok" not in cell.planned.expect and cell.figures.verdicts.get("ok"):
            found[cell.planned.service].append(cell)
    for service, those in found.items():
        names = dict.fromkeys(f"{cell.planned.source} to {cell.planned.target}" for cell in those)
        passed = sum(cell.figures.verdicts["ok"] for cell in those if cell.figures)
        sent = sum(ended(cell.figures) for cell in those if cell.figures)
        expected = listed(sorted({word for cell in those for word in cell.planned.expect}), "or")
        words = (f"{service} is to be denied and gets through ({passed} of {sent} probes): {some(names)}; "
                 f"expected: {expected}")
        yield Finding("open", some(names), None, len(those), words)


def our_side(round: Round, dead_ones: Iterable[str]) -> Iterator[Finding]:
    """What is the measuring side's trouble and never the network's."""
    of_host: dict[str, list[Cell]] = defaultdict(list)
    for cell in round.cells:
        of_host[cell.planned.source].append(cell)
    known_dead = set(dead_ones)
    for host in round.fleet:
        cells, visit = of_host[host.name], round.visits.get(host.name)
        missing = [cell for cell in cells if cell.figures is None]
        if host.name in known_dead or not cells:
            continue
        if missing or (visit and visit.state != "ok"):
            yield Finding("visit", host.name, None, len(missing), visited(round, host.name, missing))
    yield from own_trouble(of_host)
    yield from late_replies(round.cells)


def late_replies(cells: list[Cell]) -> Iterator[Finding]:
    late = [(silent(cell.figures) - lost(cell.figures), cell) for cell in cells
            if cell.figures and SILENCE.isdisjoint(cell.planned.expect)]
    late = sorted(((number, cell) for number, cell in late if number > 0), key=lambda each: -each[0])
    if late:
        names = some(f"{cell.planned.source} to {cell.planned.target}" for _, cell in late)
        total = sum(number for number, _ in late)
        replies = "1 reply" if total == 1 else f"{total} replies"
        yield Finding("late", names, None, len(late), f"{replies} came too late: that is delay, not loss: {names}")


def visited(round: Round, host: str, missing: list[Cell]) -> str:
    visit = round.visits.get(host)
    unknown = f"its {count(len(missing), 'cell')} are not known" if len(missing) != 1 else "its cell is not known"
    if visit and visit.state == "unreachable":
        reason = f" ({visit.reason})" if visit.reason else ""
        alive = any(cell.figures and cell.figures.verdicts.get("ok") for cell in round.cells
                    if cell.planned.target == host)
        return f"{visit.by} does not reach {host}{reason}: {unknown}{'; it answers others' if alive else ''}"
    if visit and visit.state == "failed":
        known = f": {unknown}" if missing else ", but there are figures of all its cells"
        return f"{host} was reached, and it did not work there ({visit.reason or 'no reason given'}){known}"
    why = some(cell.missing or "no result" for cell in missing)
    return f"{host} has not measured all that it was to ({why}): {unknown}"


def own_trouble(of_host: dict[str, list[Cell]]) -> Iterator[Finding]:
    """What hosts could not do themselves: one finding for each, or for all if they are many."""
    for trouble, meaning in TROUBLES.items():
        found = {host: counted for host, cells in of_host.items() if (counted := troubled(cells, trouble))[1]}
        cells = sum(touched for touched, _ in found.values())
        probes = sum(number for _, number in found.values())
        if len(found) > APIECE:
            words = f"{len(found)} hosts {meaning.format(was='were')} {count(probes, 'probe')}, which count nowhere: " \
                    f"their own trouble, not the network's: {some(found)}"
            yield Finding("local", some(found), None, cells, words)
        else:
            for host, (touched, number) in found.items():
                those = count(number, "probe") + ", which " + ("counts" if number == 1 else "count")
                words = f"{host} {meaning.format(was='was')} {those} nowhere: its own trouble, not the network's"
                yield Finding("local", host, None, touched, words)


def troubled(cells: list[Cell], trouble: str) -> tuple[int, int]:
    """In how many cells, and with how many probes, a host had this trouble."""
    numbers = [cell.figures.skipped if trouble == SKIPPED else cell.figures.verdicts.get(trouble, 0)
               for cell in cells if cell.figures and trouble not in cell.planned.expect]
    return sum(1 for number in numbers if number), sum(numbers)


def remainder(hearing: Hearing) -> Iterator[Finding]:
    """What nobody that was found explains."""
    unexplained: dict[int, int] = defaultdict(int)
    for number, each in enumerate(hearing.evidence):
        if each.failed and not hearing.search.classes[number]:
            unexplained[each.cell] += each.failed
    if not unexplained:
        return
    cells = hearing.round.cells
    named = [cells[number] for number, failed in unexplained.items() if failed >= A_PATTERN]
    for cell in named:
        figures, plan = cell.figures, cell.planned
        if figures:
            failed, sent = not_through(figures, plan.expect), ended(figures)
            words = (f"{plan.source} to {plan.target}, {plan.service}: {failed} of {sent} probes failed "
                     f"({cell.verdict}), and nothing else says why")
            of = f"{plan.source} {plan.target} {plan.service}"
            yield Finding("unexplained", of, round(100 * failed / sent, 3), 1, words)
    few = {number: failed for number, failed in unexplained.items() if failed < A_PATTERN}
    if few:
        sent = sum(ended(cell.figures) for cell in cells if cell.figures)
        total = sum(few.values())
        was = "was" if total == 1 else "were"
        yield Finding("background", "", round(100 * total / sent, 4), len(few),
                      f"{count(total, 'probe')} of {sent} {was} lost here and there: no pattern")
