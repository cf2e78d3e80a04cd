"""Compiles the C programs, starts a server, and runs clients and takes their CPU time."""

import json
import os
import resource
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Sequence

from lab import harness

SOURCES = Path(__file__).resolve().parent.parent.parent / "c"
PLAIN = ("pingpong", "load", "prober")
LONGEST_RUN = 120.0  # seconds
Words = Sequence[str | Path | int]
LISTENING = {"tcp": "0A", "udp": "07"}  # the states of such sockets in /proc/net, include/net/tcp_states.h


def compile_plain(directory: Path) -> None:
    for program in PLAIN:
        flags = ("-std=c11", "-O2", "-Wall", "-Wextra")
        command: list[str | Path] = ["cc", *flags, "-o", directory / program, SOURCES / f"{program}.c"]
        if subprocess.run(command).returncode != 0:
            raise RuntimeError(f"{program}.c does not compile")


class Ran(NamedTuple):
    """The JSON that a program printed, with its fractions as Decimals, and the CPU time of all its threads."""

    printed: Any
    cpu_seconds: float


def run(command: Words) -> Ran:
    """Runs a program that prints one JSON object. Nothing else may run meanwhile."""
    before = _children_seconds()
    process = harness.start([str(word) for word in command], stdout=subprocess.PIPE)
    try:
        # The program's end closes the pipe, which wakes us. A wait with a timeout would poll instead.
        output, _ = process.communicate(timeout=LONGEST_RUN)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{_words(command)}: takes longer than {LONGEST_RUN:.0f} s") from None
    finally:
        status = harness.reap(process, 0)
    if status != 0:
        raise RuntimeError(f"{_words(command)}: exit status {status} {output.decode(errors='replace').strip()[-400:]}")
    return Ran(json.loads(output.splitlines()[-1], parse_float=Decimal), _children_seconds() - before)


def _children_seconds() -> float:
    """The CPU time of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _words(command: Words) -> str:
    first, *others = map(str, command)
    return " ".join([Path(first).name, *others])


class Server:
    """A server, from when it listens. Its output goes nowhere, or to a file."""

    def __init__(self, command: Words, protocol: str, output: Path | None = None) -> None:
        with open(output or os.devnull, "ab") as out:
            self._process = harness.start([str(word) for word in command], stdout=out)
        self.pid = self._process.pid
        harness.until(lambda: self._process.poll() is not None or listening_port(self.pid, protocol))
        port = self._process.poll() is None and listening_port(self.pid, protocol)
        if not port:
            harness.reap(self._process, 0)
            raise RuntimeError(f"{_words(command)} does not listen")
        self.port: int = port

    def stop(self) -> None:
        self._process.terminate()
        harness.reap(self._process)


def silent_server(programs: Path, protocol: str) -> Words:
    return [programs / f"{protocol}-server", "--quiet", "--listen", "127.0.0.1:0"]


def listening_port(pid: int, protocol: str) -> int | None:
    """The port of a process's listening socket, from /proc/PID/fd and /proc/PID/net: proc(5)."""
    own = Path(f"/proc/{pid}")
    try:
        links = [os.readlink(descriptor) for descriptor in (own / "fd").iterdir()]
    except FileNotFoundError:
        return None  # one was closed meanwhile: it is just starting
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    for line in (own / "net" / protocol).read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes and fields[3] == LISTENING[protocol]:
            return int(fields[1].rpartition(":")[2], 16)
    return None


def syn_retransmits() -> int:
    """How many SYNs this machine has sent again. Each has cost a second."""
    names, values = [line.split() for line in Path("/proc/net/netstat").read_text().splitlines()
                     if line.startswith("TcpExt:")]
    return int(dict(zip(names, values))["TCPSynRetrans"])
