"""A fleet that is only reckoned: racks of hosts below spines, paths by a hash, and faults that lose at random.

A datagram goes from its host to the top-of-rack, by the uplink to a spine (a hash of hosts, ports and protocol says
which), by the other rack's uplink to its top-of-rack, and to the host. Its answer comes back by a spine of its own.
"""

import math
import random
from typing import Iterator, NamedTuple

from mesh.cells import Cell, Figures, Flow, Planned, Visit, Way
from mesh.figures import formula
from mesh.fleet import Host
from mesh.results import Round

BACKGROUND = 1e-5  # lost on one way without a fault
EACH = 4  # probes of a flow
SENT = formula.FLOWS * EACH
INQUIRIES = 3  # how often a witness is asked
# A connection whose handshake was answered has this many tries to bring its message and reply through in a second.
TRIES = 3
MIXING, ALL_BITS = 0x9E3779B97F4A7C15, (1 << 64) - 1  # an odd number near 2^64 over the golden ratio
KINDS = ("host", "rack", "uplink-out", "uplink-in", "spine")


class Trouble(NamedTuple):
    """A fault of the network: who loses which share of what passes."""

    kind: str
    of: str
    share: float


class Network:
    """Racks of hosts, and spines above them."""

    def __init__(self, racks: int, size: int, spines: int, is_tracing: bool = True, knows_ways: bool = True):
        digits = len(str(racks))
        self.fleet = sorted((Host(f"r{rack:0{digits}}-h{host:02}", f"10.{rack}.0.{host}", f"r{rack:0{digits}}")
                             for rack in range(1, racks + 1) for host in range(1, size + 1)),
                            key=lambda host: (*host.place, host.name))
        self.rack = {host.name: host.rack or "" for host in self.fleet}
        self.number = {host.name: number for number, host in enumerate(self.fleet)}
        self.racks = sorted(set(self.rack.values()))
        self.spines = [f"spine-{number}" for number in range(1, spines + 1)]
        self.routers = {f"{spine}.{rack}": spine for spine in self.spines for rack in self.racks}
        self.is_tracing, self.knows_ways = is_tracing, knows_ways
        self._plans: dict[int, list[Cell]] = {}

    def random_trouble(self, kind: str, share: float, dice: random.Random) -> Trouble:
        among = {"host": [host.name for host in self.fleet], "spine": self.spines}.get(kind, self.racks)
        return Trouble(kind, dice.choice(among), share)

    def clean(self, minute: int) -> list[Cell]:
        """The cells of a minute in which nothing is lost."""
        if minute not in self._plans:
            if len(self._plans) > 8:
                self._plans.clear()
            self._plans[minute] = [Cell(line, well(line.port)) for line in formula.plan(self.fleet, minute)]
        return self._plans[minute]

    def rounds(self, minute: int, minutes: int, troubles: list[Trouble], dice: random.Random) -> list[Round]:
        """Minutes in a row: flows keep their paths."""
        salt = dice.getrandbits(32)
        return [self.round(minute + number, troubles, salt, dice) for number in range(minutes)]

    def round(self, minute: int, troubles: list[Trouble], salt: int, dice: random.Random) -> Round:
        cells = list(self.clean(minute))
        lost: dict[int, list[tuple[int, bool]]] = {}  # of a cell: which probe, and whether on the way there
        for point in skipping(len(cells) * SENT * 2, BACKGROUND, dice):
            lost.setdefault(point // (SENT * 2), []).append((point // 2 % SENT, bool(point % 2)))
        for number, cell in enumerate(cells):
            if any(self.touched(cell.planned, trouble) for trouble in troubles):
                found = self.losses(cell.planned, troubles, salt, dice)
                if found:
                    lost.setdefault(number, []).extend(found)
        for number, events in lost.items():
            cells[number] = self.cell(cells[number].planned, events, troubles, salt, dice)
        visits = {host.name: Visit(host.name, "ok", "ssh") for host in self.fleet}
        return Round(str(minute), self.fleet, cells, visits, self.routers)

    def touched(self, line: Planned, trouble: Trouble) -> list[bool]:
        """On which ways probes of this cell meet a trouble: there (True), back (False). By a spine: perhaps."""
        kind, of, _ = trouble
        if kind == "host":
            return [True, False] if of in (line.source, line.target) else []
        one, other = self.rack[line.source], self.rack[line.target]
        if kind == "rack":
            return [True, False] if of in (one, other) else []
        if one == other:
            return []
        if kind == "spine":
            return [True, False]
        is_out = kind == "uplink-out"
        return [is_out] if of == one else [not is_out] if of == other else []

    def by(self, line: Planned, port: int, is_there: bool, salt: int) -> str:
        """The spine of a flow."""
        key = (salt, self.number[line.source], self.number[line.target], port, line.service[0] == "t", is_there)
        mixed = hash(key) & ALL_BITS  # its low bits alone are not even enough
        mixed = (mixed ^ mixed >> 31) * MIXING & ALL_BITS
        return self.spines[(mixed ^ mixed >> 29) % len(self.spines)]

    def shares(self, line: Planned, port: int, troubles: list[Trouble], salt: int) -> tuple[float, float]:
        """What is lost on the way there and on the way back of a flow."""
        passed = {True: 1.0, False: 1.0}
        for trouble in troubles:
            for way in self.touched(line, trouble):
                if trouble.kind != "spine" or self.by(line, port, way, salt) == trouble.of:
                    passed[way] *= 1 - trouble.share
        return 1 - passed[True], 1 - passed[False]

    def losses(self, line: Planned, troubles: list[Trouble], salt: int, dice: random.Random) -> list[tuple[int, bool]]:
        """Which probes of a cell are lost, each on which way."""
        found = []
        is_tcp = line.service.startswith("tcp")
        several = any(trouble.kind == "spine" for trouble in troubles)
        for flow in range(formula.FLOWS if several else 1):
            there, back = self.shares(line, line.port + flow, troubles, salt)
            for probe in skipping(EACH if several else SENT, 1 - (1 - there) * (1 - back), dice):
                found.append((flow * EACH + probe, dice.random() < there / (there + back - there * back)))
            if is_tcp and there + back > 0.05:
                again = (1 - there) * (1 - back) * (1 - (1 - there) * (1 - back)) ** TRIES
                for probe in skipping(EACH if several else SENT, again, dice):
                    found.append((flow * EACH + probe, True))
        return found

    def cell(self, line: Planned, events: list[tuple[int, bool]], troubles: list[Trouble], salt: int,
             dice: random.Random) -> Cell:
        """A cell that has lost these probes."""
        first: dict[int, bool] = {}
        for probe, is_there in events:
            first.setdefault(probe, is_there)
        lost = len(first)
        flows = [[line.port + number, EACH, 0] for number in range(formula.FLOWS)]
        for probe in first:
            flows[probe // EACH][2] += 1
        is_tcp = line.service.startswith("tcp")
        there: int | None = sum(first.values())
        if is_tcp or not self.knows_ways or lost == SENT or not self.is_told(line, troubles, salt, dice):
            there = None
        counts = (("ok", SENT - lost), ("timeout" if is_tcp else "no-reply", lost))
        verdicts = {word: count for word, count in counts if count}
        figures = Figures(SENT, lost, verdicts, lost, there, None if there is None else lost - there, 0, 0.4, 0.9,
                          tuple(Flow(*flow) for flow in flows))
        port = line.port + min(first) // EACH
        ways = (self.trace(line, port, troubles, salt, dice),) if is_tcp and self.is_tracing else ()
        return Cell(line, figures, ways)

    def is_told(self, line: Planned, troubles: list[Trouble], salt: int, dice: random.Random) -> bool:
        """Whether an inquiry and its answer get through. They have a port of their own."""
        there, back = self.shares(line, dice.randrange(32768, 61000), troubles, salt)
        return any(dice.random() < (1 - there) * (1 - back) for _ in range(INQUIRIES))

    def trace(self, line: Planned, port: int, troubles: list[Trouble], salt: int, dice: random.Random) -> Way:
        """What a trace of a flow shows: routers answer for themselves, and each hop is asked twice."""
        one, other = self.rack[line.source], self.rack[line.target]
        spine = self.by(line, port, True, salt)
        hops = [f"tor-{one}", f"{spine}.{one}", f"tor-{other}", line.target]
        hops = hops if one != other else [hops[0], hops[3]]
        answers: list[str | None] = []
        for depth, hop in enumerate(hops):
            place = depth if one != other else 3 * depth
            back = dice.choice(self.spines)
            passed = math.prod(1 - trouble.share for trouble in troubles
                               for _ in range(self.met(line, trouble, place, spine, back)))
            answers.append(hop if any(dice.random() < passed for _ in range(2)) else None)
            if answers[-3:] == [None] * 3:
                return Way(port, "silent", tuple(answers))
        return Way(port, "reached" if answers[-1] else "silent", tuple(answers))

    def met(self, line: Planned, trouble: Trouble, place: int, spine: str, back: str) -> int:
        """How often a trace's packet to the router at a place, and its answer, meet a trouble."""
        kind, of, _ = trouble
        one, other = self.rack[line.source], self.rack[line.target]
        if kind == "host":
            return 2 * (line.source == of) + 2 * (line.target == of and place == 3)
        if kind == "rack":
            return 2 * (one == of and place > 0) + 2 * (other == of != one and place == 3)
        if one == other:
            return 0
        if kind == "spine":
            return (place > 1) * ((spine == of) + (back == of))
        return int(of == one and place > 0) + int(of == other and place > 1)


def well(port: int) -> Figures:
    """Nothing is lost."""
    flows = tuple(Flow(port + number, EACH, 0) for number in range(formula.FLOWS))
    return Figures(SENT, 0, {"ok": SENT}, 0, None, None, 0, 0.4, 0.9, flows)


def skipping(count: int, share: float, dice: random.Random) -> Iterator[int]:
    """Which of so many are lost, each with the same probability: from one lost one to the next."""
    if share <= 0:
        return
    if share >= 1:
        yield from range(count)
        return
    scale = math.log1p(-share)
    point = -1
    while True:
        point += 1 + int(math.log(1 - dice.random()) / scale)
        if point >= count:
            return
        yield point
