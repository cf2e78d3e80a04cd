"""The units under systemd itself, as the first process of a machine of our own."""

import json
import os
import re
import time
from pathlib import Path
from typing import Callable, Iterator

from boxes import machine, unit_file
from boxes.dist import Dist
from boxes.filtered import KINDS
from boxes.machine import Machine
from lab import systemd
from lab.case import CLIENTS, SERVERS, Case
from lab.harness import until
from lab.protocol import REPLIES
from lab.trial import Trial

HOSTS = ("127.0.0.1", "192.0.2.1", "[::1]", "box-a")
TARGETS = ("127.0.0.1", "::1", "localhost:6666", "box-a:6666")  # as instances
STOP = 1.0  # seconds that a service may take to stop
DYNAMIC_USERS = range(61184, 65520)  # systemd.exec(5)
FIGURES = "var/lib/prometheus/node-exporter"
FAR = "[2001:db8::7]:7777"  # a client's target in the head of its unit


def manager(case: Case, dist: Dist) -> None:
    """Under systemd, the units do what they are for.

    Sockets start the servers, which are confined, start again, and stop; clients
    succeed or fail; timers start them. What the heads of the units say is done as
    they say it.
    """
    for kind in KINDS:
        scratch = case.scratch / kind
        scratch.mkdir()
        with machine.running(dist.programs(kind), scratch) as box:
            for part in PARTS:
                with case.part(f"{kind}, {part.__name__}"):
                    part(case, box)


TRIAL = Trial("units-manager", manager, machine.TOOLS, systemd.lacks)


def probe(case: Case, box: Machine, protocol: str, target: str, reply: str, *options: str) -> None:
    ended = box.do(f"{protocol}-client", target, "-m", "hello", *options)
    right = ended.status == 0 and re.fullmatch(reply, ended.output.decode().strip())
    case.check(right, f"{protocol}, {target}: {ended}")


def do(case: Case, box: Machine, *command: str, status: int = 0) -> float:
    """Runs a command that has to end so. Returns the seconds that it took."""
    begun = time.monotonic()
    ended = box.do(*command)
    case.check(ended.status == status, f"{' '.join(command)}: {ended}")
    return time.monotonic() - begun


def edit(box: Machine, name: str, *numbers: int) -> None:
    """Makes the edits that the head of a unit shows, or those of these numbers."""
    for number, found in enumerate(unit_file.edits(name)):
        if not numbers or number in numbers:
            box.drop_in(found.unit, *found.lines)


def events(box: Machine, unit: str) -> Iterator[dict[str, object]]:
    """The objects that a unit has written."""
    return (json.loads(line) for line in box.journal(unit).splitlines() if line.startswith("{"))


def servers(case: Case, box: Machine) -> None:
    """The first who comes starts a server, and has an answer. Any call that is denied kills, from here on."""
    for unit in unit_file.names("service"):
        box.drop_in(unit, "[Service]", "SystemCallErrorNumber=kill")
    do(case, box, "systemctl", "start", *(f"{server}.socket" for server in SERVERS))
    for server in SERVERS:
        protocol = server.removesuffix("-server")
        case.check(box.shown(f"{server}.service", "ActiveState") == "inactive", f"{server} runs before anybody came")
        for host in HOSTS:
            probe(case, box, protocol, host, re.escape(REPLIES[protocol]))
        case.check(box.shown(f"{server}.service", "ActiveState") == "active", f"{server} is not active")


def confinement(case: Case, box: Machine) -> None:
    """A server is a dynamic user without capabilities under a filter, and tcp-server has no network."""
    expected = {"CapPrm": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    for server in SERVERS:
        process = Path("/proc", box.shown(f"{server}.service", "MainPID"))
        status = box.do("cat", process / "status").output.decode()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        users = {int(user) for user in fields["Uid"].split()}
        case.check(users < set(DYNAMIC_USERS), f"{server}: user {users}, not a dynamic one")
        found = {key: fields[key] for key in expected}
        case.check(found == expected, f"{server}: {found}")
        if server == "tcp-server":  # 10,000 connections, and what it needs besides
            limits = re.search(r"open files +(\d+)", box.do("cat", process / "limits").output.decode())
            case.check(limits and limits[1] == "10032", f"{server}: {limits and limits[1]} descriptors")
        networks = {box.do("readlink", each / "ns/net").output for each in (process, Path("/proc/1"))}
        case.check(len(networks) == (2 if server == "tcp-server" else 1), f"{server}: networks {networks}")


def options(case: Case, box: Machine) -> None:
    """Options are changed as the head of a unit says. The totals come at their time."""
    for server in SERVERS:
        protocol = server.removesuffix("-server")
        edit(box, f"{server}.service")
        do(case, box, "systemctl", "restart", f"{server}.service")
        for host in HOSTS:
            probe(case, box, protocol, host, rf"host={machine.NAME} peer=\S+ n=\d+.*")
        box.drop_in(f"{server}.service", "[Service]", "ExecStart=", f"ExecStart={server} --stats 50ms --json")
        do(case, box, "systemctl", "restart", f"{server}.service")
        stats = until(lambda: [each for each in events(box, server) if each["event"] == "stats"])
        case.check(stats, f"{server}: no totals")


def drops(case: Case, box: Machine) -> None:
    """udp-server counts what the kernel dropped."""
    flood = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
             "[s.sendto(bytes(1000), ('127.0.0.1', 6666)) for _ in range(5000)]")
    do(case, box, "systemctl", "kill", "--signal=STOP", "udp-server.service")
    do(case, box, "python3", "-I", "-c", flood)
    do(case, box, "systemctl", "kill", "--signal=CONT", "udp-server.service")
    counted = until(lambda: [each for each in events(box, "udp-server") if each.get("dropped_kernel")])
    case.check(counted, "udp-server: no drops counted")


def crash(case: Case, box: Machine) -> None:
    """A server that died is started again, and who came meanwhile is answered."""
    for server in SERVERS:
        do(case, box, "systemctl", "kill", "--signal=KILL", f"{server}.service")
    for server in SERVERS:
        protocol = server.removesuffix("-server")
        probe(case, box, protocol, "127.0.0.1", re.escape(REPLIES[protocol]), "--timeout", "15s")
        case.check(box.shown(f"{server}.service", "NRestarts") == "1", f"{server} was not started again once")


def clients(case: Case, box: Machine) -> None:
    """A client's unit succeeds, or fails and says which probe did, and how far it got."""
    alive = [f"{client}@{target}" for client in CLIENTS for target in TARGETS]
    do(case, box, "systemctl", "start", *(f"{unit}.service" for unit in alive))
    for unit in alive:
        summaries = [each for each in events(box, unit) if each["event"] == "summary"]
        case.check([each["ok"] for each in summaries] == [10], f"{unit}: {summaries}")
    dead = [f"{client}@127.0.0.1:1" for client in CLIENTS]
    do(case, box, "systemctl", "start", *(f"{unit}.service" for unit in dead), status=1)
    for unit in dead:
        case.check(box.shown(f"{unit}.service", "Result") == "exit-code", f"{unit} does not fail")
        said = {each["event"] for each in events(box, unit)}
        case.check(said == {"probe", "trace", "summary"}, f"{unit}: {said}")


def edited(case: Case, box: Machine) -> None:
    """A target that is no instance, and figures for a collector, as the head of a client's unit says."""
    directory = box.root / FIGURES
    directory.mkdir(parents=True)
    os.chown(directory, 0, machine.GROUP_ID)
    directory.chmod(0o2775)
    for protocol in ("tcp", "udp"):
        client = f"{protocol}-client"
        edit(box, f"{client}@.service")
        notify = "--property=Type=notify"
        do(case, box, "systemd-run", f"--unit=far-{protocol}", notify, f"{protocol}-server", "--listen", FAR)
        do(case, box, "systemctl", "start", f"{client}@far.service", f"{client}@127.0.0.1.service")
        file = directory / f"{client}@127.0.0.1.prom"
        mode = file.stat().st_mode & 0o777
        case.check(mode == 0o644 and b"getthrough_probes_sent_total" in file.read_bytes(), f"{file.name}: {mode:o}")


def timers(case: Case, box: Machine) -> None:
    """A timer starts the client again and again."""
    units = [f"{client}@192.0.2.1.timer" for client in CLIENTS]
    do(case, box, "systemctl", "start", *units)
    listed = box.do("systemctl", "list-timers", "--no-pager").output.decode()
    for unit in units:
        due = box.shown(unit, "NextElapseUSecRealtime")
        case.check(due and unit in listed, f"{unit}: due {due!r}, listed: {listed}")
    for client in CLIENTS:
        box.drop_in(f"{client}@.timer", "[Timer]", "OnCalendar=*:*:*", "RandomizedDelaySec=0")
    do(case, box, "systemctl", "restart", *units)
    for unit in units:
        service = unit.removesuffix(".timer")
        case.check(until(lambda: len(list(events(box, service))) >= 2), f"{unit} does not start its service twice")
    do(case, box, "systemctl", "stop", *units)


def ends(case: Case, box: Machine) -> None:
    """A server stops at once, and with its socket, and starts with it."""
    for server in SERVERS:
        took = do(case, box, "systemctl", "stop", f"{server}.service")
        case.check(took < STOP, f"{server} takes {took:.1f} s to stop")
        case.check(box.shown(f"{server}.service", "Result") == "success", f"{server} does not end well")
        case.check(any(each["event"] == "stopped" for each in events(box, server)), f"{server}: no totals at the end")
        do(case, box, "systemctl", "stop", f"{server}.socket")
        do(case, box, "systemctl", "start", f"{server}.service")
        case.check(box.shown(f"{server}.socket", "ActiveState") == "active", f"{server} starts without its socket")
        do(case, box, "systemctl", "stop", f"{server}.socket")
        case.check(box.shown(f"{server}.service", "ActiveState") == "inactive", f"{server} goes on without its socket")


def elsewhere(case: Case, box: Machine) -> None:
    """The sockets listen elsewhere, on a port below 1024, or on a group, as their heads say."""
    for protocol, port in (("tcp", 22), ("udp", 53)):
        socket = f"{protocol}-server.socket"
        do(case, box, "systemctl", "start", f"{protocol}-server.service")
        edit(box, socket, 0)
        do(case, box, "systemctl", "restart", socket)
        probe(case, box, protocol, f"192.0.2.1:{port}", re.escape(REPLIES[protocol]))
        probe(case, box, protocol, "127.0.0.1:6666", ".*: refused .*", "--expect", "refused")
    edit(box, "udp-server.socket", 1)
    do(case, box, "systemctl", "restart", "udp-server.socket")
    do(case, box, "systemctl", "start", "udp-server.service", status=1)
    edit(box, "udp-server.socket", 2)
    do(case, box, "systemctl", "restart", "udp-server.socket")
    do(case, box, "systemctl", "start", "udp-server.service")


PARTS: tuple[Callable[[Case, Machine], None], ...] = (
    servers, confinement, options, drops, crash, clients, edited, timers, ends, elsewhere
)
