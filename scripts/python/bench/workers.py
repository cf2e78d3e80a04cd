"""Two event loops beside one (--workers), on two cores, with the load on the same two.

The load is crowd.c, a process on each core, and the kernel puts the servers' threads where it
likes. The server is as users run it, with its transcript to a file.

The rate with two is at most what the cores allow that one leaves idle; the ceiling says that:
two cores, divided by what server and load used of them with one. The load costs more than the
servers, so one already leaves little, and the rate says little about the workers. So the goal is
for their capacity: the exchanges a second that so many loops could serve if each had a core,
which is their number divided by the CPU time that an exchange costs the server. Whatever they do
to each other, with locks, caches and fewer datagrams a call, is in it.
"""

import json
import os
import resource
import subprocess
from typing import NamedTuple

from bench import accounts
from bench.figures import Figure, Goal, Setting
from bench.programs import Server, Words, on_core
from lab import harness

LEAST = Goal(1.5, is_most=False)  # the capacity of two, beside one's
WORKERS = (1, 2)
SECONDS = 0.4  # of a turn
QUICK_ROUNDS = 3


class Load(NamedTuple):
    """What comes to a server."""

    protocol: str
    sockets: int  # of both processes
    outstanding: int  # messages of each

    def __str__(self) -> str:
        if self.protocol == "tcp":
            return f"TCP, {self.sockets} at once"
        return f"UDP, {self.sockets} x {self.outstanding}"


LOADS = (Load("tcp", 64, 1), Load("udp", 64, 1), Load("udp", 64, 16))


class Turn(NamedTuple):
    """What a turn gave: exchanges a second, and CPU time an exchange in us."""

    rate: float
    server_us: float
    load_us: float
    switches: float  # how often a thread of the server went to sleep, an exchange

    @property
    def cores(self) -> float:
        """How many cores were busy with it."""
        return self.rate * (self.server_us + self.load_us) / 1e6


def figures(setting: Setting) -> list[Figure]:
    cores = sorted({setting.server_core, setting.client_core})
    if len(cores) < 2:
        print("workers: left out, for two of them need two cores", flush=True)
        return []
    made = []
    for load in LOADS:
        servers = {workers: start(setting, load.protocol, workers, cores) for workers in WORKERS}
        try:
            made += compare(setting, load, servers, cores)
        finally:
            for server in servers.values():
                server.stop()
    return made


def start(setting: Setting, protocol: str, workers: int, cores: list[int]) -> Server:
    os.sched_setaffinity(0, cores)  # which the programs inherit
    command: Words = [setting.programs / f"{protocol}-server", "--listen", "127.0.0.1:0", "--workers", workers]
    return Server(command, protocol, setting.scratch / f"{protocol}-{workers}.transcript")


def compare(setting: Setting, load: Load, servers: dict[int, Server], cores: list[int]) -> list[Figure]:
    turns: dict[int, list[Turn]] = {workers: [] for workers in WORKERS}
    for number in range(QUICK_ROUNDS if setting.is_quick else setting.rounds):
        for workers in WORKERS if number % 2 == 0 else reversed(WORKERS):
            turns[workers].append(play(setting, load, servers[workers], cores))
        print_round(load, number, {workers: turns[workers][-1] for workers in WORKERS})
    return in_figures(load, turns)


def play(setting: Setting, load: Load, server: Server, cores: list[int]) -> Turn:
    before, load_before, slept = accounts.cpu_ns(server.pid), children_seconds(), accounts.switches(server.pid)
    crowds = []
    for core in cores:
        words = [load.protocol, "127.0.0.1", server.port, load.sockets // len(cores), load.outstanding,
                 round(SECONDS * 1000)]
        with on_core(core):
            crowds.append(harness.start([setting.scratch / "crowd", *map(str, words)], stdout=subprocess.PIPE))
    printed = [json.loads(crowd.communicate()[0]) for crowd in crowds]
    for crowd in crowds:
        harness.reap(crowd)
    exchanges = sum(each["exchanges"] for each in printed)
    server_us, load_us = (accounts.cpu_ns(server.pid) - before) / 1000, (children_seconds() - load_before) * 1e6
    seconds = max(each["seconds"] for each in printed)
    switches = accounts.switches(server.pid) - slept
    return Turn(exchanges / seconds, server_us / exchanges, load_us / exchanges, switches / exchanges)


def children_seconds() -> float:
    """The CPU time of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_figures(load: Load, turns: dict[int, list[Turn]]) -> list[Figure]:
    one, two = (turns[workers] for workers in WORKERS)
    made = []
    for workers in WORKERS:
        beside, goal = (one, LEAST) if workers > 1 else ([], None)
        rows = (
            ("rate", "k/s", [turn.rate / 1000 for turn in turns[workers]], [turn.rate / 1000 for turn in beside], None),
            ("capacity", "k/s", [1000 * workers / turn.server_us for turn in turns[workers]],
             [1000 / turn.server_us for turn in beside], goal),
            ("CPU", "us", [turn.server_us for turn in turns[workers]], [turn.server_us for turn in beside], None),
            ("switches", "1", [turn.switches for turn in turns[workers]], [turn.switches for turn in beside], None),
            ("load's CPU", "us", [turn.load_us for turn in turns[workers]], [turn.load_us for turn in beside], None),
        )
        side = f"{workers} worker{'s' if workers > 1 else ''}"
        made += [Figure("workers", str(load), quantity, side, unit, values, plain, limit)
                 for quantity, unit, values, plain, limit in rows]
    ceiling = [len(WORKERS) / turn.cores for turn in one]
    return [*made, Figure("workers", str(load), "ceiling of the rate", "2 workers", "x", ceiling)]


def print_round(load: Load, number: int, turns: dict[int, Turn]) -> None:
    words = [f"{workers}: {turn.rate / 1000:.1f} k/s, {turn.server_us:.1f} + {turn.load_us:.1f} us, "
             f"{turn.cores:.2f} cores" for workers, turn in turns.items()]
    print(f"{load}, round {number + 1:3}: {'; '.join(words)}", flush=True)
