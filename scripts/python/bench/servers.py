"""The servers' half: what an exchange costs a server that many clients ask as fast as it answers.

The load is crowd.c, on a core of its own; the servers keep to the other one. UDP sockets are passed
to the servers, as a service manager would, so that all have the same receive buffer. A turn's CPU
time is the kernel's account of the server's process, from before the load starts until the server
has gone back to sleep: so the writing of the transcript is in it.
"""

import shutil
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Iterator, NamedTuple

from bench import accounts
from bench.figures import Figure, Goal, Setting
from bench.peers import OURS, PLAIN, QUIET, Peer, peers
from bench.programs import Words, counters, on_core, run
from lab import harness

TURN_MS = 250
WARM_UP_MS = 50
FEW_ROUNDS = 3  # for guests, and for counting
SETTLED = 0.5  # seconds that a server has to go back to sleep
UNITS = {"CPU": "us", "rate": "k/s", "p50": "us", "p99": "us", "p99.9": "us", "switches": "1", "calls": "1",
         "segments": "1", "lost": "1", "kernel": "%", "resident": "MB"}
LATENCIES = ("p50", "p99", "p99.9")


class Load(NamedTuple):
    """So many sockets, each with so many messages outstanding, and the goals of the CPU time."""

    protocol: str
    sockets: int
    outstanding: int
    goals: dict[str, Goal]
    has_neighbour: bool = False  # a busy program on the server's core
    in_bursts: bool = False  # what a socket sends at a time is one segmented message

    @property
    def title(self) -> str:
        load = f"TCP, {self.sockets} at once" if self.protocol == "tcp" else f"UDP, {self.sockets} x {self.outstanding}"
        return load + (", core shared" if self.has_neighbour else "") + (", in bursts" if self.in_bursts else "")

    @property
    def is_usual(self) -> bool:
        """Whether guests are measured, too."""
        return not self.has_neighbour and not self.in_bursts

    def words(self, setting: Setting, port: int, milliseconds: int) -> Words:
        way = "bursts" if self.in_bursts else self.protocol
        return [setting.scratch / "crowd", way, "127.0.0.1", port, self.sockets, self.outstanding, milliseconds]


LOADS = (
    Load("tcp", 64, 1, {OURS: Goal(1.00), QUIET: Goal(0.95)}),
    Load("tcp", 1, 1, {}),
    Load("udp", 64, 16, {OURS: Goal(0.65)}),
    Load("udp", 64, 1, {OURS: Goal(1.00)}),
    Load("udp", 1, 16, {}),
    Load("udp", 1, 1, {OURS: Goal(1.00)}),
    Load("udp", 64, 16, {OURS: Goal(0.65)}, in_bursts=True),
    Load("tcp", 64, 1, {OURS: Goal(1.00), QUIET: Goal(0.95)}, has_neighbour=True),
    Load("udp", 64, 16, {OURS: Goal(0.65)}, has_neighbour=True),
    Load("udp", 64, 1, {OURS: Goal(1.00)}, has_neighbour=True),
)

Turn = dict[str, float]  # the value of each quantity


def figures(setting: Setting) -> list[Figure]:
    can_count = can_count_calls()
    if not can_count:
        print("servers: SKIPPED: system calls are not counted: needs perf(1), and the right to use its tracepoints")
    return [figure for load in LOADS for figure in measure(setting, load, can_count)]


def measure(setting: Setting, load: Load, can_count: bool) -> list[Figure]:
    """Each peer has a turn in each round. They begin at the one end and at the other, round by round."""
    able = [peer for peer in peers(setting, load.protocol)
            if peer.bears(load.sockets * load.outstanding) and (load.is_usual or not peer.is_guest)]
    turns: dict[str, list[Turn]] = {peer.side: [] for peer in able}
    for number in range(setting.rounds):
        invited = [peer for peer in able if number < FEW_ROUNDS or not peer.is_guest]
        for peer in invited if number % 2 == 0 else reversed(invited):
            try:
                turns[peer.side].append(play(setting, load, peer, can_count and number < FEW_ROUNDS))
            except RuntimeError as error:
                if not peer.is_guest:
                    raise
                print(f"{load.title}: SKIPPED: {error}")
                able.remove(peer)
        costs = ", ".join(f"{side} {done[number]['CPU']:.2f}" for side, done in turns.items() if len(done) > number)
        print(f"{load.title:15} round {number + 1:2}, us: {costs}", flush=True)
    return [figure for side, done in turns.items() for figure in figures_of(load, side, done, turns[PLAIN])]


def play(setting: Setting, load: Load, peer: Peer, is_counted: bool) -> Turn:
    """A turn of a server that has just been started: how memory happens to be laid out is part of the spread."""
    transcript = setting.scratch / "transcript"
    with on_core(setting.server_core):
        server = peer.start(load.protocol, transcript)
    try:
        crowd = partial(load.words, setting, server.port)
        run(crowd(WARM_UP_MS))
        settle(server.pid)
        with neighbour(setting) if load.has_neighbour else nullcontext():
            turn = account(server.pid, crowd(TURN_MS))
            if is_counted:
                turn["calls"] = count_calls(server.pid, crowd(TURN_MS), setting.scratch / "calls")
        if peer.is_guest:
            del turn["switches"], turn["kernel"]
        return turn
    finally:
        server.stop()
        transcript.unlink()  # else they would fill the disk


@contextmanager
def neighbour(setting: Setting) -> Iterator[None]:
    """A program that is always busy, on the server's core: it leaves the server half of that."""
    with on_core(setting.server_core):
        process = harness.start([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        harness.reap(process)


def account(pid: int, crowd: Words) -> Turn:
    """What a server used while it had this load, and how it did."""
    cpu, switches, segments = accounts.cpu_ns(pid), accounts.switches(pid), segments_sent()
    printed = run(crowd).printed
    settle(pid)
    exchanges = printed["exchanges"]
    turn = {"CPU": (accounts.cpu_ns(pid) - cpu) / 1000 / exchanges,
            "rate": exchanges / float(printed["seconds"]) / 1000,
            "switches": (accounts.switches(pid) - switches) / exchanges,
            "segments": (segments_sent() - segments) / exchanges,
            "lost": printed["lost"],
            "kernel": accounts.kernel_share(pid),
            "resident": accounts.resident_kb(pid) * 1024 / 1e6}
    if not printed["lost"]:  # else some of the times are those of another message
        turn |= {key: float(printed[f"{key.replace('.', '')}_us"]) for key in LATENCIES}
    return turn


def segments_sent() -> int:
    """All TCP segments that this machine has sent, those of both ends: on the loopback, each is counted once."""
    return counters("snmp", "Tcp")["OutSegs"]


def settle(pid: int) -> None:
    """Waits until a server uses no CPU time any more."""
    before = [-1]

    def rests() -> bool:
        before.append(accounts.cpu_ns(pid))
        return before[-1] == before[-2]

    harness.until(rests, SETTLED)


def can_count_calls() -> bool:
    command = "perf stat -x, -e raw_syscalls:sys_enter true".split()
    return bool(shutil.which("perf")) and subprocess.run(command, capture_output=True).returncode == 0


def count_calls(pid: int, crowd: Words, counted: Path) -> float:
    """System calls an exchange, in a turn that is not timed.

    perf counts them while the server runs as fast as ever. Under strace it would be so slow that the
    load sends whole batches before it looks again, and would need fewer calls than in truth.
    """
    printed = run([*f"perf stat -x, -e raw_syscalls:sys_enter -p {pid} -o".split(), counted, *crowd]).printed
    line = next(line for line in counted.read_text().splitlines() if "raw_syscalls" in line)
    return int(line.split(",")[0]) / int(printed["exchanges"])


def figures_of(load: Load, side: str, turns: list[Turn], plain: list[Turn]) -> list[Figure]:
    """A figure for each quantity that was measured. CPU time is compared with that of plain C."""
    made = []
    for quantity, unit in UNITS.items():
        values = [turn[quantity] for turn in turns if quantity in turn]
        if values and (quantity != "segments" or load.protocol == "tcp"):
            is_compared = quantity == "CPU" and side != PLAIN
            beside = [turn["CPU"] for turn in plain] if is_compared else []
            goal = load.goals.get(side) if is_compared else None
            made.append(Figure("servers", load.title, quantity, side, unit, values, beside, goal))
    return made
