"""deploy/host/mesh-plan: whom a plan has, in fleets of many shapes."""

import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

from lab import harness
from lab.case import Case
from lab.trial import Trial
from mesh import fleet
from mesh.cells import Planned
from mesh.figures import plan_figures
from mesh.figures.plan_figures import FIRST_SHARED, FLOWS
from mesh.fleet import Host
from mesh.plan import MESH_PLAN

FLEETS = 40
SLOTS, PAIRS = 16, 48  # what mesh-plan has if nothing else is said
LAST_MINUTE = 999_999_999
LIMITED = ("timeout", "18")  # ends the awk of a script, too; before harness.PATIENCE, which ends the script alone

Place = tuple[str, str]


def trials() -> Sequence[Trial]:
    return (
        Trial("plan-pairs", pairs),
        Trial("plan-order", order),
        Trial("plan-few", few),
        Trial("plan-many", many),
        Trial("plan-covers", covers),
        Trial("plan-uneven", uneven),
        Trial("plan-1000", thousand),
        Trial("plan-100000", hundred_thousand),
    )


class Fleet(NamedTuple):
    """A fleet in a file, and where its hosts are."""

    path: Path
    hosts: list[Host]
    policy: Path

    @property
    def racks(self) -> dict[Place, list[str]]:
        racks: dict[Place, list[str]] = defaultdict(list)
        for host in self.hosts:
            racks[host.place].append(host.name)
        return racks

    def plan(self, case: Case, minute: int, slots: int = SLOTS, most: int = PAIRS,
             host: str = "--all") -> list[Planned]:
        options = ["-k", str(slots), "-a", str(most), "-p", str(self.policy)]
        ended = harness.run([*LIMITED, MESH_PLAN, *options, self.path, host, str(minute)], case.scratch)
        if ended.status != 0 or ended.errors:
            raise RuntimeError(f"mesh-plan {host} {minute}: {ended.status}, {ended.errors.decode()}")
        return list(plan_figures.read(ended.output.decode().splitlines()))


def pairs(case: Case) -> None:
    """Nobody probes itself, or another one twice; targets are as the fleet has them; ports are a slot's own"""
    for each in fleets(case, FLEETS, services=case.random.choice([1, 2])):
        minute, slots = case.random.randint(0, LAST_MINUTE), case.random.choice([1, 3, SLOTS, 60])
        most = case.random.choice([0, 1, PAIRS, 300])
        lines = each.plan(case, minute, slots, most)
        what = f"{shape(each)}, -k {slots} -a {most}, minute {minute}"
        case.check(all(line.source != line.target for line in lines), f"{what}: a host probes itself")
        seen = Counter((line.source, line.target, line.service) for line in lines)
        case.check(not seen or max(seen.values()) == 1, f"{what}: twice {seen.most_common(1)}")
        address = {host.name: f"[{host.address}]" if ":" in host.address else host.address for host in each.hosts}
        odd = [line for line in lines if line.endpoint != f"{address[line.target]}:{line.service[4:]}"]
        case.check(not odd, f"{what}: not its address: {odd[:1]}")
        check_ports(case, what, lines)
        for host in case.random.sample(each.hosts, min(2, len(each.hosts))):
            own = each.plan(case, minute, slots, most, host.name)
            in_all = [line for line in lines if line.source == host.name]
            case.check(own == in_all, f"{what}: {host.name} has another list")


def check_ports(case: Case, what: str, lines: list[Planned]) -> None:
    of_pair: dict[tuple[str, str], set[int]] = defaultdict(set)
    for line in lines:
        of_pair[line.source, line.target].add(line.port)
    case.check(all(len(ports) == 1 for ports in of_pair.values()), f"{what}: a pair has several slots")
    for source in {line.source for line in lines}:
        first = sorted(min(ports) for (one, _), ports in of_pair.items() if one == source)
        apart = all(b - a >= FLOWS for a, b in zip(first, first[1:]))
        is_own = first[0] >= 1024 and first[-1] + FLOWS <= FIRST_SHARED
        case.check(apart and is_own, f"{what}: {source} has the ports {first}")


def order(case: Case) -> None:
    """The order of the fleet's lines does not matter, nor do comments; mesh/fleet.py reads them alike"""
    for each in fleets(case, FLEETS):
        minute = case.random.randint(0, LAST_MINUTE)
        lines = each.plan(case, minute)
        parsed = fleet.parse(each.path.read_bytes().decode())
        case.check(sorted(parsed) == sorted(each.hosts), f"{shape(each)}: mesh/fleet.py reads other hosts")
        sources = list(dict.fromkeys(line.source for line in lines))
        in_order = [host.name for host in parsed]
        case.check(sources == in_order or len(in_order) == 1, f"{shape(each)}: mesh/fleet.py has another order")
        write(case, each.path, each.hosts)
        case.check(each.plan(case, minute) == lines, f"{shape(each)}, minute {minute}: another order, another plan")


def few(case: Case) -> None:
    """Up to 48 hosts everybody probes everybody, from the same ports in each minute"""
    for hosts in (1, 2, 3, case.random.randint(4, 47), 48):
        each = fleet_of(case, [Host(f"h{n}", f"h{n}", f"r{n % 5}" if n % 7 else None) for n in range(hosts)])
        lines = each.plan(case, case.random.randint(0, LAST_MINUTE))
        found = {(line.source, line.target) for line in lines}
        case.check(len(found) == len(lines) == hosts * (hosts - 1), f"{hosts} hosts: not all pairs")
        case.check(each.plan(case, 7) == lines, f"{hosts} hosts: another minute, another plan")
        # What one host does first, others do not all do first.
        first = Counter(line.target for line in lines if line.port == min(other.port for other in lines))
        case.check(not first or max(first.values()) == 1, f"{hosts} hosts: all begin with {first.most_common(1)}")
    each = fleet_of(case, [Host(f"h{n}", f"h{n}", f"r{n % 5}") for n in range(49)])
    case.check(len(each.plan(case, 1)) == 49 * 17, "49 hosts: still all pairs")
    # As many slots as there may be.
    each = fleet_of(case, [Host(f"h{n}", f"h{n}", f"r{n}") for n in range(700)] + [Host("last", "last", "r699")])
    for slots, most, expected in ((700, 0, 700), (16, 700, 17)):
        lines = each.plan(case, 1, slots, most, "last")
        case.check(len(lines) == expected, f"{len(lines)} lines with -k {slots} -a {most}")
        check_ports(case, f"-k {slots} -a {most}", lines)


def many(case: Case) -> None:
    """Racks of one size: as many hosts of other racks probe a host as it probes, and one of its own rack each way"""
    for _ in range(FLEETS):
        racks, size = case.random.randint(2, 40), case.random.randint(1, 12)
        slots, minute = case.random.choice([1, 4, SLOTS, 100]), case.random.randint(0, LAST_MINUTE)
        each = fleet_of(case, even(racks, size))
        lines = each.plan(case, minute, slots, 0)
        what = f"{racks} racks of {size}, -k {slots}, minute {minute}"
        expected = min(slots, (racks - 1) * size)
        rack = {host.name: host.rack for host in each.hosts}
        for end in ("source", "target"):
            abroad = Counter(getattr(line, end) for line in lines if rack[line.source] != rack[line.target])
            found = {abroad[name] for name in rack}
            case.check(found == {expected}, f"{what}: as {end} with other racks: {found}")
            at_home = Counter(getattr(line, end) for line in lines if rack[line.source] == rack[line.target])
            found = {at_home[name] for name in rack}
            case.check(found == {1 if size > 1 else 0}, f"{what}: as {end} in its own rack: {found}")
    # A single rack: each host is taken for one.
    probed = Counter(line.target for line in fleet_of(case, even(1, 60)).plan(case, 12345))
    case.check(len(probed) == 60 and set(probed.values()) == {SLOTS}, f"60 hosts in one rack: {probed}")


def covers(case: Case) -> None:
    """A rack of n hosts, of R, has probed all others in (R - 1) / (n * slots) minutes, rounded up, from any one on"""
    for each in fleets(case, FLEETS // 4, largest=200):
        slots = case.random.choice([1, 2, SLOTS])
        racks = each.racks
        if len(racks) < 2:
            continue
        needed = {place: -(-(len(racks) - 1) // (len(hosts) * slots)) for place, hosts in racks.items()}
        begin = case.random.choice([0, 29_929_490, LAST_MINUTE - max(needed.values())])
        probed: dict[Place, set[Place]] = defaultdict(set)
        place = {host.name: host.place for host in each.hosts}
        for after in range(max(needed.values())):
            for line in each.plan(case, begin + after, slots, 0):
                probed[place[line.source]].add(place[line.target])
            for rack, minutes in needed.items():
                others = len(probed[rack] - {rack})
                so_far = len(racks[rack]) * slots * (after + 1)
                case.check(others == (so_far if after + 1 < minutes else len(racks) - 1),
                           f"{shape(each)}, -k {slots}, from {begin}: {rack} has probed {others} in {after + 1} min")


def uneven(case: Case) -> None:
    """Racks of many sizes: a bound of how many probe a host, and each host is probed from another rack before long"""
    most = 0.0
    for each in fleets(case, FLEETS // 4, smallest=20, largest=80):
        racks = list(each.racks.values())
        sizes = {len(hosts) for hosts in racks}
        if len(racks) < 2:
            continue
        slots, begin = case.random.choice([2, SLOTS]), case.random.randint(0, LAST_MINUTE - 10_000)
        # For each size of a rack and each slot, one rack at most comes to this one, with this many hosts to a host.
        bound = {name: slots * sum(-(-size // len(hosts)) for size in sizes) for hosts in racks for name in hosts}
        rack = {name: number for number, hosts in enumerate(racks) for name in hosts}
        missing = set(rack)
        minutes = max(sizes) * -(-(len(racks) - 1) // (min(sizes) * slots))
        for after in range(minutes):
            lines = each.plan(case, begin + after, slots, 0)
            probed = Counter(line.target for line in lines if rack[line.source] != rack[line.target])
            most = max(most, max(probed.values()) / slots)
            beyond = {name: count for name, count in probed.items() if count > bound[name]}
            case.check(not beyond, f"{shape(each)}, -k {slots}, minute {begin + after}: beyond the bound: {beyond}")
            missing -= set(probed)
            if not missing:
                break
        case.check(not missing, f"{shape(each)}, -k {slots}, from {begin}: {missing} not probed in {minutes} min")
    case.note(f"at most {most:.1f} times the slots")


def thousand(case: Case) -> None:
    """25 racks of 40: all pairs of racks in each minute, 17 probe a host"""
    for minute in (case.random.randint(0, LAST_MINUTE), 29_929_490, 29_929_491):
        found = plan_figures.figures(case.scratch, 25, 40, minute)
        case.check(found.minutes == 1 and found.targets == {17: 1000}, f"minute {minute}: {found}")
        case.check(found.ports == 17 * FLOWS and found.highest < FIRST_SHARED, f"minute {minute}: {found}")


def hundred_thousand(case: Case) -> None:
    """2,500 racks of 40: all pairs of racks in four minutes, 17 probe a host"""
    found = plan_figures.figures(case.scratch, 2500, 40, case.random.randint(0, LAST_MINUTE - 4))
    case.check(found.minutes == 4 and found.targets == {17: 100_000}, f"{found}")
    case.check(found.ports == 17 * FLOWS and found.highest < FIRST_SHARED, f"{found}")
    case.note(f"own plan {found.seconds:.1f} s CPU, {found.probes_a_second(2):.0f} probes a second")


def fleets(case: Case, count: int, smallest: int = 1, largest: int = 300, services: int = 1) -> Iterator[Fleet]:
    """Fleets of several shapes, each in a file in disorder."""
    for _ in range(count):
        hosts = case.random.randint(smallest, case.random.choice([smallest, 60, largest]))
        yield fleet_of(case, hosts_of(case.random, hosts), services)


def hosts_of(chance: random.Random, count: int) -> list[Host]:
    racks = chance.randint(1, max(1, count // chance.choice([1, 4, 20])))
    datacentres: Sequence[str | None] = chance.choice(([None], ["d1"], ["d1", "d2", "dc-3"]))
    lone = chance.choice([0.0, 0.0, 0.3, 1.0])
    families = chance.choice([[0], [1, 2], [0, 1, 2]])
    hosts = []
    for n in range(count):
        name = chance.choice([f"h{n}", f"web-{n}.example", f"{n}"])
        address = (name, f"10.0.{n >> 8}.{n & 255}", f"2001:db8::{n:x}")[chance.choice(families)]
        rack = None if chance.random() < lone else f"r{int(chance.random() ** 2 * racks)}"
        hosts.append(Host(name, address, rack, chance.choice(datacentres) if rack else None))
    return hosts


def even(racks: int, size: int) -> list[Host]:
    return [Host(f"r{r}-h{h}", f"r{r}-h{h}", f"r{r}") for r in range(racks) for h in range(size)]


def fleet_of(case: Case, hosts: list[Host], services: int = 1) -> Fleet:
    path, policy = case.scratch / "fleet", case.scratch / "policy"
    write(case, path, hosts)
    policy.write_text("* * udp/6666 ok\n* * tcp/22 ok,refused\n" if services == 2 else "* * udp/6666 ok\n")
    return Fleet(path, hosts, policy)


def write(case: Case, path: Path, hosts: list[Host]) -> None:
    lines = [host.line for host in hosts]
    case.random.shuffle(lines)
    end = case.random.choice(["\n", "\r\n"])
    comments = ["", "  # all\x0bof\x85them: h1 \u2028 h2", "#h1", "\t"]
    for number in range(len(lines)):
        lines[number] += case.random.choice(["", "", " # new", "\t# h9 r9"])
        if case.random.random() < 0.2:
            lines[number] += end + case.random.choice(comments)
    path.write_bytes((end.join(lines) + case.random.choice([end, ""])).encode())


def shape(each: Fleet) -> str:
    return f"racks of {Counter(len(hosts) for hosts in each.racks.values())}"
