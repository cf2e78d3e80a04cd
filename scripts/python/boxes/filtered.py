"""The programs under the filters of their units, from their start to their end.

A call that the unit denies kills: see unit_filter. So a program that comes
through has made none.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Sequence

from boxes import unit_file, unit_filter
from boxes.dist import Dist
from boxes.unit_file import UnitFile
from lab import harness, namespace, peers
from lab.case import Case
from lab.harness import Address, Word, until

KINDS = ("x86_64-musl", "x86_64-gnu")
FIRST_PASSED = 3  # sd_listen_fds(3)
# What the service manager says, and only the shell knows: the process id.
MANAGER = ("sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 NOTIFY_SOCKET="$0" exec "$@"')

DESCRIPTORS = 60  # of a server that is to run out of them
CROWD = 100
# Besides the options of the unit: what else a user may write there.
OPTIONS = {
    "tcp-server": (
        ("--json", "--witness", "--stats", "20ms", "--workers", "2", "--max-per-source", "1000"),
        ("--verbose", "--timestamps", "--conversation", "--linger", "100ms", "--read-timeout", "2s"),
    ),
    "udp-server": (
        ("--json", "--witness", "--stats", "20ms", "--workers", "2", "--rate", "1000"),
        ("--verbose", "--timestamps", "--allow-low-ports"),
    ),
}
# A name with several addresses: glibc asks the kernel for those of this machine, to sort them.
HOSTS = "127.0.0.1 localhost several\n127.0.0.2 several\n::1 localhost several\n"

# Calls that the filters deny, each in a line of Python; the first is denied by none.
PROBES = {
    "nothing": "pass",
    "chown": "import os; os.chown('/dev/null', 0, 0)",
    "setpriority": "import os; os.setpriority(os.PRIO_PROCESS, 0, 0)",
    "a socket of another family": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "writable code": "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)",
}
SERVERS_ONLY = {
    "a network socket": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "a pipe": "import os; os.pipe()",
}


class Passed(NamedTuple):
    """A socket that a server is given, and what it says to its manager."""

    address: Address
    socket: socket.socket
    notified: socket.socket
    name: str


def check_is_on(case: Case, unit: UnitFile, probes: dict[str, str]) -> None:
    """A denied call is fatal, and a program that makes none is left alone."""
    confine = unit_filter.confining(unit)
    for name, code in probes.items():
        command = [sys.executable, "-I", "-S", "-c", code]
        status = harness.reap(harness.start(command, stderr=subprocess.DEVNULL, preexec_fn=confine))
        expected = 0 if name == "nothing" else -signal.SIGSYS
        case.check(status == expected, f"{unit.path.name}, {name}: exit {status}, not {expected}")


def servers(case: Case, dist: Dist, program: str) -> None:
    """A server through its life: its options, crowds, want of descriptors, SIGTERM."""
    unit = unit_file.read(f"{program}.service")
    check_is_on(case, unit, PROBES | SERVERS_ONLY)
    for kind in KINDS:
        for options in (unit.command()[1:], *OPTIONS[program]):
            with case.part(f"{kind}, {' '.join(options)}"):
                serve(case, dist.programs(kind) / program, options, unit_filter.confining(unit))
    case.note(f"{len(unit_filter.allowed(unit))} calls allowed")


def serve(case: Case, path: Path, options: Sequence[str], confine: Callable[[], None]) -> None:
    with passed_socket(case, path.name) as passed, open(case.scratch / "out", "wb") as out:
        def prepare() -> None:
            os.dup2(passed.socket.fileno(), FIRST_PASSED)
            os.set_inheritable(FIRST_PASSED, True)  # it may have been this one before
            resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
            confine()

        command: list[Word] = [*MANAGER, passed.name, path, *options]
        process = harness.start(command, stdout=out, stderr=out, close_fds=False, preexec_fn=prepare)
        try:
            said = passed.notified.recv(100)
            case.check(said == b"READY=1", f"{path} {options}: {said!r}, not READY=1")
            visit(case, path.name, passed.address)
        except TimeoutError:
            case.check(False, f"{path} {options} is never ready")
        process.terminate()
        status = harness.reap(process)
        text = (case.scratch / "out").read_bytes()
        case.check(status == 0, f"{path} {options}: {how_it_ended(status)}: {text[-200:]!r}")


def visit(case: Case, program: str, address: Address) -> None:
    """Peers of every kind: of both families, honest, silent, too many, and none for a while."""
    port, protocol = address[1], program.removesuffix("-server")
    for host in ("127.0.0.1", "::1", "127.0.0.2"):
        case.check(is_answered(protocol, (host, port)), f"{program} does not answer to {host}")
    if protocol == "tcp":
        crowd = peers.silent(("127.0.0.1", port), CROWD)
    else:
        crowd = [peers.datagram_socket(("127.0.0.1", port)) for _ in range(CROWD)]
    for peer in crowd:
        try:
            peer.send(b"hello")
        except OSError:  # it had to make room
            pass
    # The next one has a place, after some time: those that have their reply have to leave.
    case.check(until(lambda: is_answered(protocol, ("::1", port))), f"{program} answers nobody after a crowd")
    peers.close_all(crowd)


def is_answered(protocol: str, address: Address) -> bool:
    try:
        if protocol == "udp":
            return bool(peers.ask_datagram(address, seconds=1))
        with peers.connect(address, seconds=1) as peer:
            peer.sendall(b"hello")
            peer.shutdown(socket.SHUT_WR)  # a conversation would go on
            return bool(peers.read_all(peer))
    except OSError:
        return False


@contextmanager
def passed_socket(case: Case, program: str) -> Iterator[Passed]:
    """A socket for both families, as the socket unit has it, and a service manager to notify."""
    kind = socket.SOCK_STREAM if program == "tcp-server" else socket.SOCK_DGRAM
    name = str(case.scratch / f"notify.{case.tried}")
    with ExitStack() as opened:
        passed = opened.enter_context(socket.socket(socket.AF_INET6, kind))
        passed.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        passed.bind(("::", 0))
        if program == "tcp-server":
            passed.listen(4096)
        notified = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        notified.bind(name)
        notified.settimeout(peers.PATIENCE)
        yield Passed(passed.getsockname()[:2], passed, notified, name)


def clients(case: Case, dist: Dist, program: str) -> None:
    """A client through its life: names, runs, dead targets, traces, figures, standard input."""
    unit = unit_file.read(f"{program}@.service")
    check_is_on(case, unit, PROBES)
    server, confine = program.replace("client", "server"), unit_filter.confining(unit)
    figures, hosts = case.scratch / "figures.prom", case.scratch / "hosts"
    hosts.write_text(HOSTS)

    def prepare() -> None:
        namespace.cover("/etc/hosts", by=str(hosts))
        confine()

    with case.server(server, "--witness", listen=":0") as running:
        port = running.address[1]
        short = ("-c", "3", "-i", "5ms", "-W", "1s")

        def shortened(target: str) -> tuple[str, ...]:
            """As the unit calls it. The last of two options counts, and what is behind -- is none."""
            *words, last, instance = unit.command(target)[1:]
            return (*words, *short, last, instance)

        uses: dict[tuple[str, ...], int] = {
            shortened(f"localhost:{port}"): 0,
            shortened(f"several:{port}"): 0,
            shortened("127.0.0.1:1"): 1,
            (f"[::1]:{port}", *short, "--trace=always", "--histogram", "--flows", "2", "--every", "10ms"): 0,
            (f"127.0.0.1:{port}", *short, "--prometheus", str(figures)): 0,
            (f"127.0.0.1:{port}", "-m", "hello", "-v", "--dscp", "EF", "--interface", "lo"): 0,
            (f"127.0.0.1:{port}", "-m", "hello", "--size", "1200", "-s", "127.0.0.2", "--trace=always"): 0,
            (f"localhost:{port}", "-c", "0", "-i", "1ms", "--deadline", "1200ms", "--resolve-every", "1s", "-qq"): 0,
            ("127.0.0.1:1", "-m", "hello", "--wait", "--deadline", "100ms"): 124,
            ("127.0.0.1:1", "-m", "hello", "--expect", "refused", "--json"): 0,
            ("unit.invalid", "-m", "hello", "-v", "--deadline", "2s"): 1,
        }
        for kind in KINDS:
            for words, status in uses.items():
                command: list[Word] = [dist.programs(kind) / program, *words]
                ended = harness.run(command, case.scratch, preexec_fn=prepare)
                how = how_it_ended(ended.status)
                # No network says here whether that name exists: then it may also be this machine's fault.
                right = ended.status == status or words[0] == "unit.invalid" and ended.status == 2
                case.check(right, f"{kind}, {program} {' '.join(words)}: {how}: {ended.errors!r}")
            case.check(figures.exists(), f"{kind}, {program}: no figures")
            figures.unlink(missing_ok=True)
    case.note(f"{len(unit_filter.allowed(unit))} calls allowed")


def how_it_ended(status: int | None) -> str:
    return "killed for a call that the unit denies" if status == -signal.SIGSYS else f"exit {status}"
