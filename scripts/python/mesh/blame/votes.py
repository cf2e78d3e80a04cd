"""What the failing flows have in common: whether they fail alike, and which router their traces agree on."""

import math
from collections import Counter, defaultdict
from typing import Iterable, NamedTuple, Sequence

from mesh.cells import Cell

LOOKED_AT = 3000  # cells: enough for two digits, and a thousand hosts have ten times as many
AGREED = math.log(5)  # how much likelier than chance a vote has to be, for each router that may win it
SURE = math.log(500)  # the same, where nothing but the vote speaks for a router
AHEAD = math.log(100)  # and how much likelier than the second one the first one
UNANIMOUS = 8  # ways that go by one router, where no other one was seen in its place
ENOUGH_PAIRS = 12  # of probes that a flow lost both: fewer say nothing about the flows


class Part(NamedTuple):
    """A share of the flows that loses, while the others lose nothing."""

    flows: float
    loses: float


class Vote(NamedTuple):
    """The router that the failing flows pass more often than chance would have it."""

    router: str
    passes: int
    ways: int  # that were traced as far as that
    among: int  # routers that were seen in the same place


def clumping(cells: Sequence[Cell]) -> float:
    """How many times as much as chance the losses of flows differ within a cell. 1: each probe for itself."""
    differing, degrees = 0.0, 0
    for cell in some(cells):
        figures = cell.figures
        failed = sum(flow.failed for flow in figures.flows) if figures else 0
        sent = sum(flow.sent for flow in figures.flows) if figures else 0
        if not figures or not 0 < failed < sent or len(figures.flows) < 2:
            continue
        share = failed / sent
        differing += sum((flow.failed - flow.sent * share) ** 2 / (flow.sent * share * (1 - share))
                         for flow in figures.flows if flow.sent)
        degrees += sum(1 for flow in figures.flows if flow.sent) - 1
    return max(1.0, differing / degrees) if degrees > 50 else 1.0


def part(cells: Sequence[Cell]) -> Part | None:
    """Which share of the flows loses how much, there and back, if the flows do not all lose alike."""
    failed = sent = failed_pairs = pairs = 0
    for cell in some(cells):
        for flow in cell.figures.flows if cell.figures and gets_through(cell) else ():
            failed += flow.failed
            sent += flow.sent
            failed_pairs += flow.failed * (flow.failed - 1)
            pairs += flow.sent * (flow.sent - 1)
    if failed_pairs < 2 * ENOUGH_PAIRS or not sent or not pairs:
        return None
    once, twice = failed / sent, failed_pairs / pairs
    found = Part(min(1.0, once * once / twice), min(1.0, twice / once))
    return found if found.flows < 0.8 else None


def some(cells: Sequence[Cell]) -> Sequence[Cell]:
    return cells[:: -(-len(cells) // LOOKED_AT)] if len(cells) > LOOKED_AT else cells


def gets_through(cell: Cell) -> bool:
    """Whether a probe of it was answered. If none was, another fault may be the cell's."""
    return bool(cell.figures and cell.figures.verdicts.get("ok"))


def vote(cells: Iterable[Cell], rack: dict[str, str], routers: dict[str, str], least: float = AGREED) -> Vote | None:
    """The router that the traces of failing flows agree on, among those that flows share.

    A top-of-rack is on each way from its rack: that says nothing. So only routers count that were met from several
    racks and on the way to several. A trace shows the way there: cells that lost nothing there have no say, nor do
    those of which nothing gets through.
    """
    found: list[tuple[str, str, tuple[str | None, ...]]] = []
    for cell in cells:
        source, target = rack[cell.planned.source], rack[cell.planned.target]
        if cell.figures and gets_through(cell) and cell.figures.lost_there != 0 and source != target:
            found += [(source, target, way.routers) for way in cell.ways]
    best, votes = None, 0.0
    for hop in range(max((len(way) for _, _, way in found), default=0)):
        counted, sources, targets = Counter[str](), defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
        for source, target, way in found:
            router = way[hop] if hop < len(way) else None
            if router is not None:
                name = routers.get(router, router)
                counted[name] += 1
                sources[name].add(source)
                targets[name].add(target)
        shared = {name for name in counted if min(len(sources[name]), len(targets[name])) > 1}
        won = winner(counted, least) if shared and len(counted) > 1 else None
        if won and won[0].router in shared and won[1] > votes:
            best, votes = won
        elif shared and len(counted) == 1 and not best and (total := counted.total()) >= UNANIMOUS:
            best = Vote(next(iter(shared)), total, total, 1)
    return best


def winner(counted: dict[str, int], least: float) -> tuple[Vote, float] | None:
    """Who has more votes than chance gives, if it is clear who."""
    total, among = sum(counted.values()), len(counted)
    (first, most), (_, second) = Counter(counted).most_common(2)
    share, even = most / total, 1 / among
    gain = most * math.log(share / even) + ((total - most) * math.log((1 - share) / (1 - even)) if share < 1 else 0.0)
    odds = share * (among - 1) / max(1 - share, 0.5 / total)
    if gain < least + math.log(among) or odds <= 1 or (most - second) * math.log(odds) < AHEAD:
        return None
    return Vote(first, most, total, among), gain
