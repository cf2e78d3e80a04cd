"""Compiles what our programs are compared with, starts servers, and runs clients and takes their CPU time."""

import json
import os
import resource
import shutil
import socket
import subprocess
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Iterator, NamedTuple, Sequence

from lab import harness

SCRIPTS = Path(__file__).resolve().parent.parent.parent
PLAIN = ("pingpong", "load", "prober", "crowd", "tcp-server", "udp-server", "teller")
LONGEST_RUN = 120.0  # seconds
Words = Sequence[str | Path | int]
LISTENING = {"tcp": "0A", "udp": "07"}  # the states of such sockets in /proc/net, include/net/tcp_states.h


def compile_plain(directory: Path) -> None:
    """Compiles all of scripts/c, and what is in scripts/rust if there is a rustc."""
    for program in PLAIN:
        flags = "-std=c11 -O2 -Wall -Wextra".split()
        _compile(["cc", *flags, "-o", directory / program, SCRIPTS / "c" / f"{program}.c"])
    if shutil.which("rustc"):
        flags = "--edition 2021 -C opt-level=3".split()
        _compile(["rustc", *flags, "-o", directory / "threads", SCRIPTS / "rust" / "threads.rs"])


def _compile(command: Sequence[str | Path]) -> None:
    if subprocess.run(command).returncode != 0:
        raise RuntimeError(f"{command[-1]} does not compile")


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started in this block keeps to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Ran(NamedTuple):
    """The JSON that a program printed, with its fractions as Decimals, and the CPU time of all its threads."""

    printed: Any
    cpu_seconds: float


def run(command: Words) -> Ran:
    """Runs a program that prints one JSON object. No other child of ours may end meanwhile."""
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


# Passes standard input on as the socket of a service manager: sd_listen_fds(3).
PASSING = 'LISTEN_FDS=1 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID; exec "$@" 3<&0 </dev/null'


class Reader:
    """A program that reads a pipe and does nothing with it: a server's output, as a script takes it."""

    def __init__(self) -> None:
        self._process = harness.start(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert self._process.stdin is not None
        self.pipe = self._process.stdin

    def stop(self) -> None:
        """Waits for its end, which comes when nobody has the other end of the pipe any more."""
        self.pipe.close()
        harness.reap(self._process)


class Server:
    """A server, from when it listens. Its output goes nowhere, to a file, or into a pipe."""

    def __init__(self, command: Words, protocol: str, output: Path | IO[bytes] | None = None,
                 passed: socket.socket | None = None) -> None:
        words = [str(word) for word in (["sh", "-c", PASSING, "sh", *command] if passed else command)]
        file = open(output or os.devnull, "ab") if output is None or isinstance(output, Path) else output
        with file as out:
            self._process = harness.start(words, stdin=passed or subprocess.DEVNULL, stdout=out)
        self.pid = self._process.pid
        # Asked once only: a descriptor that is closed at the next look would make it fail.
        ended_or_port = harness.until(lambda: self._process.poll() is not None or listening_port(self.pid, protocol))
        if ended_or_port is True or not ended_or_port:
            harness.reap(self._process, 0)
            raise RuntimeError(f"{_words(command)} does not listen")
        self.port: int = ended_or_port

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


def counters(file: str, protocol: str) -> dict[str, int]:
    """This machine's counters of a protocol (`Tcp`, `TcpExt`), from /proc/net/snmp or netstat."""
    names, values = [line.split()[1:] for line in Path("/proc/net", file).read_text().splitlines()
                     if line.startswith(protocol + ":")]
    return {name: int(value) for name, value in zip(names, values)}
