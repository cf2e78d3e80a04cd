"""Start-up beside nc's: until a server listens, and a single exchange as a whole process.

nc is netcat-openbsd's, with -n, so that it looks up no names. A server is timed from its start to
the line that says where it listens, which it writes to a pipe. A client is timed from its start to
its end; nc ends when the server has closed (-N), over UDP after one datagram (-W 1). Our server
answers both.

Both sides take turns, many of a millisecond or two. System calls and page faults are counted,
and are the same on any day.
"""

import os
import re
import signal
import time
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

from bench import accounts
from bench.figures import Figure, Goal, Setting
from bench.programs import Server, Words, on_core, silent_server
from lab import harness
from lab.protocol import HELLO

PROTOCOLS = ("tcp", "udp")
OURS, NC = "ours", "nc"
MOST = Goal(1.2)  # beside nc's
TURNS_A_ROUND = 10
QUICK_ROUNDS = 3
CALL = re.compile(r"^\d+ +\w+\(", re.MULTILINE)  # as strace -f writes it
LISTENING = re.compile(r"(Listening|Bound) on .*\d+")  # ours and nc's; nc says so of UDP


class Started(NamedTuple):
    """What a start has taken."""

    wall_us: float
    cpu_us: float
    faults: float


class Program(NamedTuple):
    """What is started on each side, and whether it is a server."""

    title: str
    commands: dict[str, Words]  # by side
    is_server: bool
    message: Path  # its standard input

    def start(self, side: str) -> Started:
        return (until_it_listens if self.is_server else until_its_end)(words_of(self.commands[side]), self.message)

    def calls(self, side: str, scratch: Path) -> float:
        """System calls until then, by strace."""
        trace = scratch / "start.trace"
        strace = ["strace", "-f", "-s", "100", "-o", str(trace), *words_of(self.commands[side])]
        self.start_traced(strace)
        text = trace.read_text(errors="replace")
        listening = LISTENING.search(text)
        return len(CALL.findall(text[:listening.start()] if self.is_server and listening else text))

    def start_traced(self, strace: list[str]) -> None:
        (until_it_listens if self.is_server else until_its_end)(strace, self.message)


def figures(setting: Setting) -> list[Figure]:
    message = setting.scratch / "message"
    message.write_bytes(HELLO)
    with on_core(setting.server_core):
        servers = {protocol: Server(silent_server(setting.programs, protocol), protocol) for protocol in PROTOCOLS}
    try:
        made = []
        for program in programs(setting, {protocol: server.port for protocol, server in servers.items()}, message):
            made += compare(setting, program)
        return made
    finally:
        for server in servers.values():
            server.stop()


def programs(setting: Setting, ports: dict[str, int], message: Path) -> list[Program]:
    made = []
    for protocol in PROTOCOLS:
        ours: Words = [setting.programs / f"{protocol}-server", "--listen", "127.0.0.1:0"]
        options = "-nlv" if protocol == "tcp" else "-nluv"
        made.append(Program(f"{protocol}-server until it listens",
                            {OURS: ours, NC: ["nc", options, "127.0.0.1", 0]}, True, Path(os.devnull)))
    for protocol, port in ports.items():
        ours = [setting.programs / f"{protocol}-client", f"127.0.0.1:{port}", "--message", HELLO.decode()]
        options = "-nN" if protocol == "tcp" else "-nuW1"
        made.append(Program(f"{protocol}-client, one exchange",
                            {OURS: ours, NC: ["nc", options, "127.0.0.1", port]}, False, message))
    return made


def compare(setting: Setting, program: Program) -> list[Figure]:
    sides = (OURS, NC)
    started: dict[str, list[Started]] = {side: [] for side in sides}
    rounds = QUICK_ROUNDS if setting.is_quick else setting.rounds
    for number in range(rounds * TURNS_A_ROUND):
        for side in sides if number % 2 == 0 else reversed(sides):
            started[side].append(program.start(side))
    made = []
    for quantity, unit, value, goal in QUANTITIES:
        values = {side: [value(each) for each in started[side]] for side in sides}
        made += [Figure("startup", program.title, quantity, OURS, unit, values[OURS], values[NC], goal),
                 Figure("startup", program.title, quantity, NC, unit, values[NC])]
    calls = {side: [program.calls(side, setting.scratch)] for side in sides}
    made += [Figure("startup", program.title, "system calls", OURS, "1", calls[OURS], calls[NC]),
             Figure("startup", program.title, "system calls", NC, "1", calls[NC])]
    print(f"{program.title}: {len(started[OURS])} turns", flush=True)
    return made


Value = Callable[[Started], float]
QUANTITIES: Sequence[tuple[str, str, Value, Goal | None]] = (
    ("time", "us", lambda each: each.wall_us, MOST),
    ("CPU", "us", lambda each: each.cpu_us, MOST),
    ("page faults", "1", lambda each: each.faults, None),
)


def words_of(command: Words) -> list[str]:
    return [str(word) for word in command]


def until_it_listens(command: list[str], _input: Path) -> Started:
    reader, writer = os.pipe()
    begun = time.monotonic_ns()
    process = harness.start(command, stdout=writer, stderr=writer)
    os.close(writer)
    try:
        text = b""
        while b"\n" not in text and (piece := os.read(reader, 4096)):
            text += piece
        wall = time.monotonic_ns() - begun
        if not LISTENING.search(text.decode()):
            raise RuntimeError(f"{command[0]} does not listen: {text!r}")
        cpu = accounts.cpu_ns(process.pid)
        faults = page_faults(process.pid)
    finally:
        os.close(reader)
        os.killpg(process.pid, signal.SIGKILL)  # under strace, it is two processes
        process.wait()  # not with a time limit, which would poll
        harness.reap(process)
    return Started(wall / 1000, cpu / 1000, faults)


def until_its_end(command: list[str], given: Path) -> Started:
    with open(given, "rb") as message, open(os.devnull, "wb") as nowhere:
        begun = time.monotonic_ns()
        process = harness.start(command, stdin=message, stdout=nowhere)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic_ns() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    harness.reap(process)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit status {process.returncode}")
    return Started(wall / 1000, (used.ru_utime + used.ru_stime) * 1e6, used.ru_minflt)


def page_faults(pid: int) -> int:
    """Without reading from a disk: minflt, proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[7])
