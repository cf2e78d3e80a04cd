"""The units for systemd: sound, hardened, and good for the programs' whole life."""

import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, Sequence

from boxes import filtered, managed, unit_file, unit_filter
from boxes.dist import Dist
from boxes.filtered import KINDS
from lab.trial import Trial
from boxes.unit_file import FOLDER
from lab import harness
from lab.case import Case
from lab.harness import Word
from lab.protocol import ACK, REPLY

MOST_EXPOSED = 13  # tenths, of what systemd-analyze security finds
# Our units, and those of the system that they name; not those of the administrator.
UNIT_PATH = f"SYSTEMD_UNIT_PATH={FOLDER}:/usr/lib/systemd/system:/lib/systemd/system"
# The programs are where the units expect them, for this command alone.
INSTALLED = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /usr/local/bin && exec "$@"')

SYSTEMD = {"systemd-analyze": "systemd"}
UTIL_LINUX = {"unshare": "util-linux", "mount": "mount"}


def trials() -> Iterable[Trial]:
    yield Trial("units-verify", verify, SYSTEMD | UTIL_LINUX)
    yield Trial("units-security", security, SYSTEMD)
    for perform in (filter_tcp_server, filter_udp_server, filter_tcp_client, filter_udp_client):
        yield Trial(f"units-{perform.__name__.replace('_', '-')}", perform, SYSTEMD, unit_filter.lacks)
    for perform in (activated_tcp, activated_udp):
        yield Trial(f"units-{perform.__name__.replace('_', '-')}", perform, {"systemd-socket-activate": "systemd"})
    yield managed.TRIAL


def verify(case: Case, dist: Dist) -> None:
    """systemd finds nothing wrong with any unit.

    The templates are verified too, and as instances of targets that users name.
    """
    units = [str(FOLDER / name) for name in unit_file.names("service", "socket", "timer")]
    targets = ("box-a:22", "192.0.2.7", "2001:db8::7")
    templates = [unit for unit in units if "@" in unit]
    # FILE:NAME is the file as a unit of that name.
    instances = [f"{unit}:{Path(unit).name.replace('@', f'@{target}')}" for unit in templates for target in targets]
    for unit in [*units, *instances]:
        check = ("env", UNIT_PATH, "systemd-analyze", "verify", "--man=no", unit)
        ended = harness.run([*INSTALLED, dist.programs("x86_64-musl"), *check], case.scratch)
        case.check(ended == (0, b"", b""), f"{unit}: exit {ended.status}, {(ended.output + ended.errors).decode()}")
    case.note(f"{len(units)} units, {len(instances)} instances")


def security(case: Case, dist: Dist) -> None:
    """No service is more exposed than 1.3 of 10, says systemd-analyze security."""
    for name in unit_file.names("service"):
        options = ["--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager", str(FOLDER / name)]
        ended = harness.run(["systemd-analyze", "security", *options], case.scratch)
        overall = ended.output.decode().strip().rsplit("\n", 1)[-1]
        case.check(ended.status == 0, f"{name}: exit {ended.status}: {overall} {ended.errors.decode()}")
        case.note(f"{name} {overall.partition(': ')[2].split(' ')[0]}")


def filter_tcp_server(case: Case, dist: Dist) -> None:
    """tcp-server makes no call that its unit denies."""
    filtered.servers(case, dist, "tcp-server")


def filter_udp_server(case: Case, dist: Dist) -> None:
    """udp-server makes no call that its unit denies."""
    filtered.servers(case, dist, "udp-server")


def filter_tcp_client(case: Case, dist: Dist) -> None:
    """tcp-client makes no call that its unit denies."""
    filtered.clients(case, dist, "tcp-client")


def filter_udp_client(case: Case, dist: Dist) -> None:
    """udp-client makes no call that its unit denies."""
    filtered.clients(case, dist, "udp-client")


def activated_tcp(case: Case, dist: Dist) -> None:
    """A socket of the service manager starts tcp-server, with the options of its unit."""
    activated(case, dist, "tcp", (), ACK)


def activated_udp(case: Case, dist: Dist) -> None:
    """A socket of the service manager starts udp-server, with the options of its unit."""
    activated(case, dist, "udp", ("--datagram",), REPLY)


def activated(case: Case, dist: Dist, protocol: str, options: tuple[str, ...], reply: bytes) -> None:
    server = f"{protocol}-server"
    words = unit_file.read(f"{server}.service").command()[1:]
    for kind in KINDS:
        port, programs = free_port(), dist.programs(kind)
        command: list[Word] = ["systemd-socket-activate", *options, f"--listen=[::]:{port}", programs / server, *words]
        with running(command) as process:
            for host in ("127.0.0.1", "[::1]", "127.0.0.2"):
                wait = ("-m", "hello", "--wait", "--deadline", "5s")
                ended = harness.run([programs / f"{protocol}-client", f"{host}:{port}", *wait], case.scratch)
                right = ended.status == 0 and ended.output == reply + b"\n"
                case.check(right, f"{kind}, {host}: {ended}")
            process.terminate()
            status = harness.reap(process)
            case.check(status == 0, f"{kind}, {server}: exit {status}")


def free_port() -> int:
    """A port that nobody has, over TCP and over UDP, or at least nobody had."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[Word]) -> Iterator[subprocess.Popen[bytes]]:
    process = harness.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        harness.reap(process)
