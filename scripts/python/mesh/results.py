"""The results of rounds, as they lie in a directory. Its files:

  fleet, policy        what was used (no policy: everybody is to reach everybody)
  routers              if there is one: lines ADDRESS NAME, so that traces can be read
  plans/MINUTE         what mesh-plan --all printed for that minute
  visits/MINUTE.ndjson a line for each host: what is known of the host itself (Visit)
  results/MINUTE/HOST.ndjson  what the clients on that host printed (docs/json.md)

MINUTE is UTC: 2026-11-27T0831Z. A line of the plan finds its summary by the host, the target, the protocol and, if one
target is planned several times, by the source ports.
"""

import json
import re
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Iterable, NamedTuple

from mesh import clients, fleet
from mesh.cells import Cell, Planned, Visit, Way
from mesh.clients import Failure, Flaw, Summary, Trace, printable
from mesh.fleet import Host

MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d{4}Z")
LINE = re.compile(r"(\S+) (\S+) (\S+) ((?:tcp|udp|connect)/\d{1,5}) (\S+) (\d{1,5})", re.ASCII)  # of a plan
PORTS = 16  # of a line of the plan, from its source port on
STATES = ("ok", "unreachable", "failed")

Key = tuple[str, str, str | None]  # source, target, protocol


class Unreadable(Exception):
    """There is no such round: `thing: reason`."""


class Round(NamedTuple):
    """All that is known of a minute."""

    minute: str
    fleet: list[Host]
    cells: list[Cell]  # in the order of the plan
    visits: dict[str, Visit]
    routers: dict[str, str]  # names of addresses; may be empty
    flaws: tuple[Flaw, ...] = ()  # what in the files could not be used


def minute_name(number: int) -> str:
    """What the files of this minute since 1970 are called."""
    return datetime.fromtimestamp(60 * number, timezone.utc).strftime("%Y-%m-%dT%H%MZ")


def minute_number(name: str) -> int:
    """The minute since 1970 that a name of files means."""
    return int(datetime.strptime(name, "%Y-%m-%dT%H%MZ").replace(tzinfo=timezone.utc).timestamp()) // 60


def minutes(directory: Path) -> list[str]:
    """The minutes that there are plans of, the oldest first."""
    return sorted(path.name for path in (directory / "plans").glob("*") if MINUTE.fullmatch(path.name))


def write_plan(directory: Path, minute: str, lines: str) -> None:
    """Keeps what mesh-plan --all printed for a minute."""
    written(directory / "plans" / minute, lines)


def write_visits(directory: Path, minute: str, visits: Iterable[Visit]) -> None:
    lines = (json.dumps(visit._asdict(), separators=(",", ":")) + "\n" for visit in visits)
    written(directory / "visits" / f"{minute}.ndjson", "".join(lines))


def write_routers(directory: Path, routers: dict[str, str]) -> None:
    if routers:
        written(directory / "routers", "".join(f"{address} {name}\n" for address, name in routers.items()))


def written(path: Path, lines: str) -> None:
    """Writes a file whole: nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(lines)
    beside.replace(path)


def read(directory: Path, minute: str) -> Round:
    """The round of a minute. What cannot be used of it is among its flaws."""
    flaws: list[Flaw] = []
    hosts = fleet.parse(whole(directory / "fleet"))
    plan = list(planned(whole(directory / "plans" / minute), f"plans/{minute}", flaws))
    known = {host.name for host in hosts}
    for name in dict.fromkeys(name for line in plan for name in (line.source, line.target)):
        if name not in known:
            flaws.append(Flaw(f"plans/{minute}", None, f"{name} is not in the fleet"))
            hosts.append(Host(name, name))
    visits = visits_of(directory, minute, flaws)
    found = Found(plan)
    for path in sorted((directory / "results" / minute).glob("*.ndjson")):
        if path.stem in known:
            found.take(path.stem, f"results/{minute}/{path.name}", path)
        else:
            flaws.append(Flaw(f"results/{minute}/{path.name}", None, "no host of the fleet has this name"))
    cells = [found.cell(number, visits.get(line.source)) for number, line in enumerate(plan)]
    return Round(minute, hosts, cells, visits, routers_of(directory, flaws), (*flaws, *found.flaws))


class Found:
    """What the files of results have for each line of the plan."""

    def __init__(self, plan: list[Planned]):
        self.plan = plan
        self.flaws: list[Flaw] = []
        self.summaries: dict[int, Summary] = {}
        self.traces: dict[int, list[Way]] = defaultdict(list)
        self.too_old: set[int] = set()  # lines whose summaries do not say which protocol it was
        self.failures: dict[str, str] = {}  # the first one of a host
        self.lines: dict[Key, list[int]] = defaultdict(list)
        for number, line in enumerate(plan):
            protocol = "udp" if line.service.startswith("udp/") else "tcp"
            for key in (protocol, None):
                self.lines[line.source, clients.endpoint(line.endpoint), key].append(number)

    def take(self, host: str, name: str, path: Path) -> None:
        for each in clients.read(path, name):
            match each:
                case Flaw():
                    self.flaws.append(each)
                case Failure(_, reason):
                    self.failures.setdefault(host, reason)
                case Summary():
                    self.take_summary(host, name, each)
                case Trace():
                    if (place := self.place(host, name, each, (each.way.port,))) is not None:
                        self.traces[place].append(each.way)

    def take_summary(self, host: str, name: str, summary: Summary) -> None:
        ports = tuple(flow.port for flow in summary.figures.flows) if summary.figures else ()
        place = self.place(host, name, summary, ports)
        if place is None:
            return
        if place in self.summaries:
            line = self.summaries[place].line
            self.flaws.append(Flaw(name, summary.line, f"a second summary of {summary.target}: line {line} counts"))
        else:
            self.summaries[place] = summary

    def place(self, host: str, name: str, each: Summary | Trace, ports: tuple[int, ...]) -> int | None:
        """Which line of the plan this belongs to."""
        places = self.lines.get((host, each.target, each.protocol), [])
        over = f" over {each.protocol}" if each.protocol else ""
        if not places:
            self.flaws.append(Flaw(name, each.line, f"{each.target}{over} is not in the host's plan"))
        elif each.protocol is None and len({self.plan[place].service for place in places}) > 1:
            self.too_old.update(places)
            self.flaws.append(Flaw(name, each.line, f"no protocol for {each.target}: the program is too old"))
        elif own := [place for place in places
                     if any(self.plan[place].port <= port < self.plan[place].port + PORTS for port in ports)]:
            return own[0]
        else:
            # It left from other ports, or not at all.
            return next((place for place in places if place not in self.summaries), places[0])
        return None

    def cell(self, number: int, visit: Visit | None) -> Cell:
        line, summary, ways = self.plan[number], self.summaries.get(number), tuple(self.traces[number])
        if summary is None:
            return Cell(line, None, ways, self.missing(number, visit))
        if summary.figures is None:
            return Cell(line, None, ways, summary.why)
        stopped = (way.routers[-1] for way in ways if way.end == "stopped" and way.routers)
        routers = tuple(dict.fromkeys(router for router in stopped if router))
        return Cell(line, summary.figures._replace(routers=routers), ways)

    def missing(self, number: int, visit: Visit | None) -> str:
        """Why there is no summary."""
        if visit and visit.state == "unreachable":
            return f"unreachable by {visit.by}"
        if visit and visit.state == "failed":
            return visit.reason or "failed there"
        if number in self.too_old:
            return "the program is too old"
        reason = self.failures.get(self.plan[number].source)
        return f"no result ({reason})" if reason else "no result"


def whole(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise Unreadable(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise Unreadable(f"{path}: this is no text") from None


def planned(text: str, name: str, flaws: list[Flaw]) -> Iterable[Planned]:
    for number, line in enumerate(text.splitlines(), 1):
        if words := LINE.fullmatch(line):
            source, target, where, service, expect, port = words.groups()
            yield Planned(source, target, where, service, tuple(expect.split(",")), int(port))
        elif line.strip():
            flaws.append(Flaw(name, number, "this is no line of a plan"))


def visits_of(directory: Path, minute: str, flaws: list[Flaw]) -> dict[str, Visit]:
    """What is known of the hosts; without the file, of none."""
    path, name = directory / "visits" / f"{minute}.ndjson", f"visits/{minute}.ndjson"
    if not path.exists():
        return {}
    visits = {}
    for number, line in enumerate(whole(path).splitlines(), 1):
        try:
            visit = visit_of(clients.fields_of(line.encode()))
            visits[visit.host] = visit
        except clients.Unusable as fault:
            flaws.append(Flaw(name, number, str(fault)))
    return visits


def visit_of(fields: dict[str, object]) -> Visit:
    words = {name: value for name in ("host", "state", "by", "reason", "version")
             if isinstance(value := fields.get(name), str)}
    if not {"host", "by"} <= set(words) or words.get("state") not in STATES:
        raise clients.Unusable("this is no visit")
    return Visit(**{name: printable(word) for name, word in words.items()}, brought=fields.get("brought") is True)


def routers_of(directory: Path, flaws: list[Flaw]) -> dict[str, str]:
    path = directory / "routers"
    routers = {}
    for number, line in enumerate(whole(path).splitlines() if path.exists() else (), 1):
        match line.split():
            case [address, name]:
                routers[address] = printable(name)
            case []:
                pass
            case _:
                flaws.append(Flaw("routers", number, "it is ADDRESS NAME"))
    return routers
