"""What a round costs: python3 -m mesh.figures.costs [--bin DIR] [--round FILE] [--rounds N] [HOSTS...]

Makes a desk of so many hosts (2, 4, 8 and 16 if not given), with servers on each,
and has all hosts measure one another at once, as scripts/mesh and the timer do. It
counts CPU time, memory, bytes on a host's link and bytes of results; then it
reckons the same for 10, 1,000 and 100,000 hosts. Needs root.
"""

import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

from lab import command, harness
from lab.case import CLIENTS
from lab.command import Command
from lab.harness import Server
from lab.hosts import Host
from mesh import fleet
from mesh.desks.desk import Desk
from mesh.figures import plan_figures
from mesh.figures.plan_figures import FLOWS, PROBES
from mesh.plan import MESH_PLAN

COMMAND = Command("mesh.figures.costs", {"ip": "iproute2", "nft": "nftables"}, "networks of its own")
ROUND = MESH_PLAN.parent / "mesh-round"
SERVICES = {"tcp/6666": "tcp-server", "udp/6666": "udp-server"}
SLOTS = 17  # of a host in a fleet where not everybody probes everybody
MINUTE = 60  # seconds: there is a round in each
DESKS, ALONE = (2, 4, 8, 16), 8  # hosts; and those of a desk that has one service


class Used(NamedTuple):
    """What one round took of one host."""

    clients: float  # CPU time, s: clients, shells and awk
    servers: float
    wire: int  # bytes on its link, both ways, Ethernet's headers and all
    results: int  # bytes
    seconds: float  # until its round had ended


class Cost(NamedTuple):
    """Rounds of a desk: the median host's, and what its servers keep in memory."""

    hosts: int
    lines: int  # of a host's plan
    used: Used
    packed: float  # share that gzip leaves of the results
    resident: int  # bytes that the servers of a host have had at most


def main() -> int:
    parser = command.options(__doc__)
    parser.add_argument("--bin", type=command.directory, default=None, metavar="DIR")
    parser.add_argument("--round", type=Path, default=ROUND, metavar="FILE", help="mesh-round")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("hosts", type=int, nargs="*", default=[])
    arguments = parser.parse_args()
    if len(set(arguments.hosts)) == 1:
        parser.error("desks of two sizes are needed, to tell what a round costs from what a line of it does")
    programs = COMMAND.programs(arguments.bin)
    if not programs:
        return 2
    if not os.access(arguments.round, os.X_OK):
        print(f"{COMMAND.name}: {arguments.round}: cannot be run", file=sys.stderr)
        return 2
    command.heed_signals()
    single: dict[str, Cost] = {}
    try:
        print("| desk | services | lines a host | CPU of clients | a probe | CPU of servers | a probe "
              "| bytes a probe | results a line | of that, gzip | servers, resident | round |")
        print("|---|---|---|---|---|---|---|---|---|---|---|---|")
        for service in SERVICES:
            single[service] = measure(programs, arguments.round, ALONE, arguments.rounds, [service])
            print(row(service, single[service]), flush=True)
        desks = [measure(programs, arguments.round, hosts, arguments.rounds, list(SERVICES))
                 for hosts in arguments.hosts or DESKS]
        for cost in desks:
            print(row("both", cost), flush=True)
        print()
        for program in CLIENTS:
            print(f"{program} with {FLOWS} flows: {largest(programs, program) / 1e6:.1f} MB resident")
        print()
        for line in reckoned(desks):
            print(line)
    except KeyboardInterrupt:
        return 130
    finally:
        harness.end_all()
    return 0


def measure(programs: Path, round_: Path, hosts: int, rounds: int, services: Sequence[str]) -> Cost:
    """The cost of rounds in which all hosts of a desk measure one another."""
    with tempfile.TemporaryDirectory(prefix="costs-") as name, Desk(hosts) as desk:
        scratch = Path(name)
        (scratch / "fleet").write_text(fleet.file_of(desk.fleet))
        (scratch / "policy").write_text("".join(f"* * {service} ok\n" for service in services))
        servers = {host: [serve(programs, machine, SERVICES[service], scratch) for service in services]
                   for host, machine in desk.hosts.items()}
        used: list[Used] = []
        for number in range(rounds + 1):
            one = one_round(programs, round_, desk, servers, scratch, number)
            if number:  # the first one fills caches and neighbour tables
                used += one
        text = b"".join((scratch / f"{host}.ndjson").read_bytes() for host in desk.hosts)
        resident = max(sum(peak(each.pid) for each in those) for those in servers.values())
        for each in (server for those in servers.values() for server in those):
            each.stop()
    median = Used(*(statistics.median(column) for column in zip(*used)))
    return Cost(hosts, (hosts - 1) * len(services), median, len(gzip.compress(text)) / len(text), resident)


def serve(programs: Path, host: Host, program: str, scratch: Path) -> Server:
    words: list[harness.Word] = [programs / program, "--listen", "0.0.0.0:6666", "--witness"]
    with host.entered():
        return Server(program, words, scratch)


def one_round(programs: Path, round_: Path, desk: Desk, servers: dict[str, list[Server]], scratch: Path,
              number: int) -> list[Used]:
    """All hosts at once. What each took."""
    before = {host: (busy(servers[host]), on_link(desk.hosts[host])) for host in desk.hosts}
    running, begun = {}, time.monotonic()
    for host in desk.hosts:
        line = '"$1" -p "$2/policy" "$2/fleet" "$3" "$4" | "$5" -d "$6" >"$2/$3.ndjson"'
        words: list[harness.Word] = ["sh", "-c", line, "round", MESH_PLAN, scratch, host, str(number), round_, programs]
        with desk.hosts[host].entered():
            running[host] = harness.start(words, stderr=subprocess.DEVNULL)
    used = []
    for host, process in running.items():
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        harness.reap(process)
        if process.returncode:
            raise RuntimeError(f"a round on {host} ended with {process.returncode}")
        used.append(Used(usage.ru_utime + usage.ru_stime, 0, 0, (scratch / f"{host}.ndjson").stat().st_size,
                         time.monotonic() - begun))
    for index, host in enumerate(running):
        was_busy, had = before[host]
        used[index] = used[index]._replace(servers=busy(servers[host]) - was_busy, wire=on_link(desk.hosts[host]) - had)
    return used


def busy(servers: Sequence[Server]) -> float:
    """CPU time of all threads, in seconds: schedstat has it in nanoseconds."""
    tasks = [task for server in servers for task in Path(f"/proc/{server.pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def on_link(host: Host) -> int:
    """Bytes that a host has sent and received, without its own loopback."""
    with host.entered():
        lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    fields = [line.split() for line in lines if not line.strip().startswith("lo:")]
    return sum(int(field[9]) + int(field[1]) for field in fields)


def largest(programs: Path, program: str) -> int:
    """The most that a client has had resident in a round, in bytes."""
    with tempfile.TemporaryDirectory(prefix="costs-") as name, Desk(2) as desk:
        first, second = desk.fleet
        serve(programs, desk.hosts[second.name], program.replace("client", "server"), Path(name))
        options = ["-J", "-q", "--trace", "--flows", str(FLOWS), "-c", str(PROBES), "-i", "100ms", second.address]
        with desk.hosts[first.name].entered():
            client = harness.start([programs / program, *options], stdout=subprocess.DEVNULL)
        most = 0
        while client.poll() is None:
            # Until exec(2) it is this process's memory, and after the end there is none.
            if os.path.realpath(f"/proc/{client.pid}/exe").endswith(program):
                most = max(most, peak(client.pid))
            time.sleep(0.01)
        harness.reap(client)
    return most


def peak(process: int) -> int:
    """The most bytes that a process has had resident."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def row(services: str, cost: Cost) -> str:
    """A row of docs/scale.md's table of what was measured."""
    used, probes = cost.used, cost.lines * FLOWS * PROBES
    # A host answers as many probes as it sends: half of what is on its link is for its own.
    return (f"| {cost.hosts} | {services} | {cost.lines} | {used.clients * 1000:.0f} ms | "
            f"{used.clients / probes * 1e6:.0f} µs | {used.servers * 1000:.0f} ms | "
            f"{used.servers / probes * 1e6:.0f} µs | {used.wire / probes / 2:.0f} | "
            f"{used.results / cost.lines:.0f} | {cost.packed:.0%} | "
            f"{cost.resident / 1e6:.1f} MB | {used.seconds:.1f} s |")


def reckoned(desks: Sequence[Cost]) -> Iterator[str]:
    """The rows for fleets that do not fit on a desk: a line's share of the desks, and each host's own plan."""
    lines = [float(cost.lines) for cost in desks]
    line = statistics.linear_regression(lines, [cost.used.clients for cost in desks])
    last = desks[-1]
    yield f"clients, CPU: {line.intercept * 1000:.0f} ms, and {line.slope * 1000:.1f} ms for each line of the plan"
    yield ""
    yield ("| hosts | lines a host | own plan, CPU | clients, CPU | servers, CPU | of a core | wire "
           "| results a minute | a day |")
    yield "|---|---|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory(prefix="costs-") as name:
        for hosts, racks in ((10, 5), (1_000, 25), (100_000, 2_500)):
            fleet = Path(name, "fleet")
            fleet.write_text("".join(f"h{n} r{n % racks}\n" for n in range(hosts)))
            plan = plan_figures.seconds(fleet, 29_929_490)
            count = 2 * (hosts - 1 if hosts <= 48 else SLOTS)
            clients, servers = line.intercept + count * line.slope + plan, count * last.used.servers / last.lines
            wire, results = count * last.used.wire / last.lines, count * last.used.results / last.lines * hosts
            yield (f"| {hosts:,} | {count} | {plan * 1000:.0f} ms | {clients:.2f} s | {servers:.2f} s | "
                   f"{(clients + servers) / MINUTE:.1%} | {wire * 8 / MINUTE / 1000:.0f} kbit/s | "
                   f"{results / 1e6:,.1f} MB | {results * 1440 / 1e9:,.1f} GB |")


if __name__ == "__main__":
    sys.exit(main())
