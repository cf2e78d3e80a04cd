"""The servers' half: what an exchange costs a server that many clients ask as fast as it answers.

The load is crowd.c, on a core of its own; the servers keep to the other one. UDP sockets are passed
to the servers, as a service manager would, so that all have the same receive buffer. A turn's CPU
time is the kernel's account of the server's process, from before the load starts until the server
has gone back to sleep: so the writing of the transcript is in it.
"""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from bench import accounts
from bench.figures import Figure, Goal, Setting
from bench.peers import OURS, PLAIN, QUIET, Peer, peers
from bench.programs import Server, Words, counters, on_core, run
from lab import harness

TURN_MS = 250
WARM_UP_MS = 50
GUEST_ROUNDS = 3
SETTLED = 0.5  # seconds that a server has to go back to sleep
UNITS = {"CPU": "us", "rate": "k/s", "p50": "us", "p99": "us", "p99.9": "us", "switches": "1", "calls": "1",
         "segments": "1", "lost": "1", "resident": "MB"}
LATENCIES = ("p50", "p99", "p99.9")


class Load(NamedTuple):
    """So many sockets, each with so many messages outstanding, and the goals of the CPU time."""

    protocol: str
    sockets: int
    outstanding: int
    goals: dict[str, Goal]

    @property
    def title(self) -> str:
        return (f"TCP, {self.sockets} at once" if self.protocol == "tcp" else
                f"UDP, {self.sockets} x {self.outstanding}")

    def words(self, setting: Setting, port: int, milliseconds: int) -> Words:
        return [setting.scratch / "crowd", self.protocol, "127.0.0.1", port, self.sockets, self.outstanding, milliseconds]


LOADS = (
    Load("tcp", 64, 1, {OURS: Goal(1.00), QUIET: Goal(0.95)}),
    Load("tcp", 1, 1, {}),
    Load("udp", 64, 16, {OURS: Goal(0.65)}),
    Load("udp", 64, 1, {OURS: Goal(1.00)}),
    Load("udp", 1, 16, {}),
    Load("udp", 1, 1, {OURS: Goal(1.00)}),
)

Turn = dict[str, float]  # the value of each quantity


class Entrant(NamedTuple):
    """A peer that runs."""

    peer: Peer
    server: Server
    transcript: Path
    turns: list[Turn]


def figures(setting: Setting) -> list[Figure]:
    can_count = can_count_calls()
    if not can_count:
        print("servers: SKIPPED: system calls are not counted: needs perf(1), and the right to use its tracepoints")
    return [figure for load in LOADS for figure in measure(setting, load, can_count)]


def measure(setting: Setting, load: Load, can_count: bool) -> list[Figure]:
    entrants = start(setting, load)
    for number in range(setting.rounds):
        play_round(setting, load, entrants, number)
    for entrant in entrants:
        if can_count:
            entrant.turns[-1]["calls"] = count_calls(setting, load, entrant)
        entrant.turns[-1]["resident"] = accounts.resident_kb(entrant.server.pid) * 1024 / 1e6
        entrant.server.stop()
    return [figure for entrant in entrants for figure in figures_of(load, entrant, entrants[0].turns)]


def start(setting: Setting, load: Load) -> list[Entrant]:
    """Starts all peers that bear this load, and has each warm up. A guest that cannot is left out, which is said."""
    entrants = []
    for number, peer in enumerate(peers(setting, load.protocol)):
        if load.sockets * load.outstanding > (peer.most_at_once or load.sockets * load.outstanding):
            continue
        try:
            entrants.append(enter(setting, load, peer, setting.scratch / f"{load.title} {number}"))
        except RuntimeError as error:
            if not peer.is_guest:
                raise
            print(f"{load.title}: SKIPPED: {peer.side}: {error}")
    return entrants


def enter(setting: Setting, load: Load, peer: Peer, transcript: Path) -> Entrant:
    with on_core(setting.server_core):
        entrant = Entrant(peer, peer.start(load.protocol, transcript), transcript, [])
    try:
        play(setting, load, entrant, WARM_UP_MS)
    except RuntimeError:
        entrant.server.stop()
        raise
    return entrant


def play_round(setting: Setting, load: Load, entrants: list[Entrant], number: int) -> None:
    """Each has a turn. They begin at the one end and at the other, round by round."""
    invited = [entrant for entrant in entrants if number < GUEST_ROUNDS or not entrant.peer.is_guest]
    for entrant in invited if number % 2 == 0 else reversed(invited):
        entrant.turns.append(play(setting, load, entrant, TURN_MS))
    costs = ", ".join(f"{entrant.peer.side} {entrant.turns[-1]['CPU']:.2f}" for entrant in invited)
    print(f"{load.title:15} round {number + 1:2}, us: {costs}", flush=True)


def play(setting: Setting, load: Load, entrant: Entrant, milliseconds: int) -> Turn:
    pid = entrant.server.pid
    open(entrant.transcript, "wb").close()  # else it would fill the disk
    cpu, switches, segments = accounts.cpu_ns(pid), accounts.switches(pid), segments_sent()
    printed = run(load.words(setting, entrant.server.port, milliseconds)).printed
    settle(pid)
    exchanges = printed["exchanges"]
    turn = {"CPU": (accounts.cpu_ns(pid) - cpu) / 1000 / exchanges,
            "rate": exchanges / float(printed["seconds"]) / 1000, "lost": printed["lost"]}
    if not printed["lost"]:  # else some of the times are those of another message
        turn |= {key: float(printed[f"{key.replace('.', '')}_us"]) for key in LATENCIES}
    if not entrant.peer.is_guest:
        turn["switches"] = (accounts.switches(pid) - switches) / exchanges
    if load.protocol == "tcp":
        turn["segments"] = (segments_sent() - segments) / exchanges
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


def count_calls(setting: Setting, load: Load, entrant: Entrant) -> float:
    """System calls an exchange, in a turn that is not timed.

    perf counts them while the server runs as fast as ever. Under strace it would be so slow that the
    load sends whole batches before it looks again, and would need fewer calls than in truth.
    """
    counted = setting.scratch / "calls"
    words = f"perf stat -x, -e raw_syscalls:sys_enter -p {entrant.server.pid} -o".split()
    printed = run([*words, counted, *load.words(setting, entrant.server.port, TURN_MS)]).printed
    line = next(line for line in counted.read_text().splitlines() if "raw_syscalls" in line)
    return int(line.split(",")[0]) / int(printed["exchanges"])


def figures_of(load: Load, entrant: Entrant, plain: list[Turn]) -> list[Figure]:
    """A figure for each quantity that was measured. CPU time is compared with that of plain C."""
    side = entrant.peer.side
    made = []
    for quantity, unit in UNITS.items():
        if values := [turn[quantity] for turn in entrant.turns if quantity in turn]:
            is_compared = quantity == "CPU" and side != PLAIN
            beside = [turn["CPU"] for turn in plain] if is_compared else []
            goal = load.goals.get(side) if is_compared else None
            made.append(Figure("servers", load.title, quantity, side, unit, values, beside, goal))
    return made
