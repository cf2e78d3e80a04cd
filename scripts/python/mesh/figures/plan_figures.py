"""What mesh-plan's plans come to in a large fleet: python3 -m mesh.figures.plan_figures [MINUTE]

For fleets of 10, 1,000 and 100,000 hosts it says how many hosts probe one, how many
minutes pass until each rack has probed every other one, and what that is in probes
a second and in source ports. It reckons no formula: it reads the plans.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Callable, Iterable, Iterator, NamedTuple, Sequence

from mesh.cells import Planned
from mesh.plan import MESH_PLAN

FLOWS, PROBES = 16, 7  # of each line of the plan, in a round
FIRST_SHARED = 32768  # the first source port that the system gives to others

RackOf = Callable[[str], str]


class PlanFailed(Exception):
    pass


class Round(NamedTuple):
    """A minute's plan."""

    targets: Counter[int]  # how many hosts are probed by so many
    pairs: set[tuple[str, str]]  # of racks, from and to
    ports: int  # source ports that the busiest host uses
    highest: int


class Figures(NamedTuple):
    """What the plans of one fleet come to."""

    hosts: int
    racks: int
    lines: int  # that the busiest host has in a minute, for one service
    targets: Counter[int]
    minutes: int | None  # until each rack has probed every other one; None where all hosts probe each other
    ports: int
    highest: int  # of the source ports
    seconds: float  # CPU time of one host's own plan

    def probes_a_second(self, services: int) -> float:
        """That the busiest host answers, if the round is spread over a minute."""
        return max(self.targets) * services * FLOWS * PROBES / 60


def read(lines: Iterable[str]) -> Iterator[Planned]:
    """The lines of a plan."""
    for line in lines:
        source, target, endpoint, service, expect, port = line.split(" ")
        yield Planned(source, target, endpoint, service, tuple(expect.split(",")), int(port))


def look(fleet: Path, minute: int, rack_of: RackOf, options: Sequence[str] = ()) -> Round:
    """Reads the plan of all hosts for a minute, without keeping it."""
    probed: Counter[str] = Counter()
    ports: Counter[str] = Counter()
    pairs, highest = set(), 0
    for line in printed(fleet, minute, options):
        source, target, rest = line.split(" ", 2)
        probed[target] += 1
        ports[source] += FLOWS
        highest = max(highest, int(rest.rsplit(" ", 1)[1]) + FLOWS - 1)
        pairs.add((rack_of(source), rack_of(target)))
    return Round(Counter(probed.values()), pairs, max(ports.values()), highest)


def printed(fleet: Path, minute: int, options: Sequence[str] = ()) -> Iterator[str]:
    """The lines of the plan of all hosts, while it is made."""
    command: list[str | Path] = [MESH_PLAN, *options, fleet, "--all", str(minute)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield from process.stdout
    if process.returncode:
        raise PlanFailed(f"mesh-plan ended with {process.returncode}")


def figures(directory: Path, racks: int, size: int, minute: int) -> Figures:
    """Of a fleet with so many racks of this size, from this minute on."""
    fleet, policy = directory / "fleet", directory / "policy"
    fleet.write_text("".join(f"r{r}-h{h} r{r}\n" for r in range(racks) for h in range(size)))
    policy.write_text("* * udp/6666 ok\n")
    options = ["-p", str(policy)]

    def rack_of(host: str) -> str:
        return host.partition("-")[0]

    first = look(fleet, minute, rack_of, options)
    pairs, minutes = set(first.pairs), 1
    needed = racks * (racks - 1)
    while sum(source != target for source, target in pairs) < needed:
        for line in printed(fleet, minute + minutes, options):
            source, target, _ = line.split(" ", 2)
            pairs.add((rack_of(source), rack_of(target)))
        minutes += 1
    all_pairs = racks * size <= 48
    return Figures(racks * size, racks, max(first.targets), first.targets, None if all_pairs else minutes, first.ports,
                   first.highest, seconds(fleet, minute, options))


def seconds(fleet: Path, minute: int, options: Sequence[str] = ()) -> float:
    """CPU time of a host that reckons its own plan: the median of five times."""
    with open(fleet) as lines:
        host = lines.readline().split()[0]
    taken = []
    for _ in range(5):
        before = sum(children())
        subprocess.run([MESH_PLAN, *options, fleet, host, str(minute)], stdout=subprocess.DEVNULL, check=True)
        taken.append(sum(children()) - before)
    return sorted(taken)[2]


def children() -> tuple[float, float]:
    """CPU time, in user space and in the kernel, of this process's children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime, usage.ru_stime


def main() -> int:
    minute = int(sys.argv[1]) if len(sys.argv) > 1 else int(time.time()) // 60
    print(f"minute {minute}, two services of {FLOWS} flows and {PROBES} probes each")
    print("| hosts | probed by | all rack pairs in | probes a second a host answers | source ports | own plan, CPU |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for racks, size in ((5, 2), (25, 40), (2500, 40)):
            found = figures(Path(scratch), racks, size, minute)
            by = " or ".join(str(count) for count in sorted(found.targets))
            when = f"{found.minutes} min" if found.minutes else "each minute"
            print(f"| {found.hosts:,} | {by} | {when} | {found.probes_a_second(2):.0f} | {found.ports} | "
                  f"{found.seconds * 1000:.0f} ms |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
