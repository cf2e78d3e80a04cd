"""Who may be to blame: hosts, racks, ways between them, and rules for some pairs. And what each of them touches.

A suspect of the first kind stands on the way of packets, so it meets probes on their way there, or replies on their way
back. One of the second kind (a rule, a program) decides about probes by who asked whom for which service, and does
not meet the replies to others.
"""

import math
from typing import Iterable, NamedTuple

from mesh.blame.evidence import BACK, BOTH, THERE, Evidence
from mesh.fleet import Host


class Suspect(NamedTuple):
    kind: str
    of: str = ""  # a host, a rack, a datacentre; of two: where from
    to: str = ""
    service: str = ""


# A suspect, and how often a probe meets it.
Met = tuple[Suspect, int]

RULES = ("to", "from", "pair", "rack-to", "rack-from", "rack-pair", "service")


class Line(NamedTuple):
    """Where the hosts of a fleet are."""

    rack: dict[str, str]  # of each host; a host without one is alone
    datacentre: dict[str, str]
    named: frozenset[str]  # racks that the fleet's file names
    datacentres: int

    @staticmethod
    def up(fleet: Iterable[Host]) -> "Line":
        hosts = list(fleet)
        several = len({host.datacentre for host in hosts}) > 1
        rack = {host.name: rack_name(host, several) for host in hosts}
        return Line(rack, {host.name: host.datacentre or "-" for host in hosts},
                    frozenset(rack[host.name] for host in hosts if host.rack),
                    len({host.datacentre for host in hosts}))


def rack_name(host: Host, several: bool) -> str:
    if host.rack is None:
        return host.name
    return f"{host.datacentre or '-'}/{host.rack}" if several else host.rack


class Lineup:
    """Who meets the probes of a cell."""

    def __init__(self, line: Line, services: int):
        self.line = line
        self.by_service = services > 1
        self._between: dict[tuple[str, str, str], list[Met]] = {}
        self._rules: dict[tuple[str, str, str], list[Met]] = {}

    def met_by(self, evidence: Evidence) -> list[Met]:
        """All suspects that this evidence is about."""
        source, target, way = evidence.source, evidence.target, evidence.way
        if way == BACK:
            return [*ends(target, source), *self.between(target, source)]
        met = rules(source, target, evidence.service if self.by_service else "")
        met += self.rack_rules(source, target, evidence.service)
        if way == THERE:
            return [*met, *ends(source, target), *self.between(source, target)]
        return [*met, *there_and_back(source, target), *self.both(source, target)]

    def between(self, source: str, target: str) -> list[Met]:
        key = (self.line.rack[source], self.line.rack[target], THERE)
        if key not in self._between:
            self._between[key] = list(self._one_way(source, target))
        return self._between[key]

    def both(self, source: str, target: str) -> list[Met]:
        key = (self.line.rack[source], self.line.rack[target], BOTH)
        if key not in self._between:
            met: dict[Suspect, int] = {}
            for suspect, times in [*self._one_way(source, target), *self._one_way(target, source)]:
                met[suspect] = met.get(suspect, 0) + times
            self._between[key] = list(met.items())
        return self._between[key]

    def _one_way(self, source: str, target: str) -> Iterable[Met]:
        """Who is met between two racks, or inside one."""
        yield Suspect("everywhere"), 1
        one, other = self.line.rack[source], self.line.rack[target]
        if one == other:
            yield Suspect("rack", one), 1
            return
        yield Suspect("fabric"), 1
        yield Suspect("rack-path", one, other), 1
        yield Suspect("rack-paths", *sorted((one, other))), 1
        for rack, way in ((one, "out"), (other, "in")):
            if rack in self.line.named:
                yield Suspect(f"uplink-{way}", rack), 1
                yield Suspect("uplink", rack), 1
                yield Suspect("rack", rack), 1
        here, there = self.line.datacentre[source], self.line.datacentre[target]
        if here != there:
            yield Suspect("far"), 1
            for datacentre, way in ((here, "out"), (there, "in")):
                yield Suspect(f"datacentre-{way}", datacentre), 1
                yield Suspect("datacentre", datacentre), 1

    def rack_rules(self, source: str, target: str, service: str) -> list[Met]:
        one, other = self.line.rack[source], self.line.rack[target]
        key = (one, other, service)
        if key not in self._rules:
            found = [Suspect("rack-from", one), Suspect("rack-to", other), Suspect("rack-pair", one, other)]
            found = [each for each in found if one != other and {each.of, each.to} - {""} <= self.line.named]
            if self.by_service:
                found += [each._replace(service=service) for each in found]
                found.append(Suspect("service", service=service))
            self._rules[key] = [(suspect, 1) for suspect in found]
        return self._rules[key]


def ends(source: str, target: str) -> tuple[Met, ...]:
    """Who is met at the ends of one way, or nowhere else."""
    one, other = (source, target) if source < target else (target, source)
    return ((Suspect("host-out", source), 1), (Suspect("host", source), 1), (Suspect("host-in", target), 1),
            (Suspect("host", target), 1), (Suspect("path", source, target), 1), (Suspect("paths", one, other), 1))


def there_and_back(source: str, target: str) -> tuple[Met, ...]:
    one, other = (source, target) if source < target else (target, source)
    return ((Suspect("host-out", source), 1), (Suspect("host-in", source), 1), (Suspect("host", source), 2),
            (Suspect("host-out", target), 1), (Suspect("host-in", target), 1), (Suspect("host", target), 2),
            (Suspect("path", source, target), 1), (Suspect("path", target, source), 1),
            (Suspect("paths", one, other), 2))


def rules(source: str, target: str, service: str) -> list[Met]:
    found = [(Suspect("from", source), 1), (Suspect("to", target), 1), (Suspect("pair", source, target), 1)]
    if service:
        found += [(Suspect("from", source, "", service), 1), (Suspect("to", target, "", service), 1),
                  (Suspect("pair", source, target, service), 1)]
    return found


def kinds_of(hosts: int, racks: int, datacentres: int, pairs: int, services: int) -> dict[str, float]:
    """The logarithm of how many suspects of each kind there are: the more, the likelier one looks guilty by chance."""
    rack_pairs = min(racks * racks, pairs)
    counts = {
        "host": hosts, "host-out": hosts, "host-in": hosts, "to": hosts, "from": hosts,
        "rack": racks, "uplink": racks, "uplink-out": racks, "uplink-in": racks, "rack-to": racks, "rack-from": racks,
        "datacentre": datacentres, "datacentre-out": datacentres, "datacentre-in": datacentres,
        "fabric": 1, "far": 1, "everywhere": 1, "service": services,
        "path": pairs, "paths": pairs, "pair": pairs,
        "rack-path": rack_pairs, "rack-paths": rack_pairs, "rack-pair": rack_pairs,
    }
    return {kind: math.log(max(count, 1)) for kind, count in counts.items()}
