"""Connections that are held and say nothing: the memory of tcp-server, and what others then cost.

The server is as users run it, with its transcript to a file; only --read-timeout is longer, so that
nobody is closed meanwhile. The cost is CPU time an exchange, in turns: each server holds another
number of connections, and load.c goes from one to the next.
"""

import os
import resource
import socket
from typing import NamedTuple

from bench import accounts
from bench.figures import Figure, Goal, Setting
from bench.programs import Server, Words, on_core, run
from lab import harness, peers

HELD = (1, 100, 10_000)
MEGABYTE = 1 << 20
MOST_RESIDENT = Goal(4.0)  # MB, with the most held
FLAT = Goal(1.1)  # CPU time an exchange, beside that with one held
DESCRIPTORS = max(HELD) + 1_000  # for whoever holds them, and for the server

FLOWS = 16
EXCHANGES = 3_200  # of a turn: some tenths of a second


class Holding(NamedTuple):
    """A server, and the connections that it holds."""

    server: Server
    held: list[socket.socket]

    def hold(self, count: int) -> None:
        before = descriptors(self.server.pid)
        self.held.extend(peers.silent(("127.0.0.1", self.server.port), count))
        if not harness.until(lambda: descriptors(self.server.pid) >= before + count):
            raise RuntimeError(f"tcp-server has accepted fewer than {count} connections")

    def cost(self, setting: Setting) -> float:
        """CPU time of the server for an exchange of others, in us."""
        before = accounts.cpu_ns(self.server.pid)
        run([setting.scratch / "load", "tcp", "127.0.0.1", self.server.port, FLOWS, EXCHANGES])
        return (accounts.cpu_ns(self.server.pid) - before) / 1000 / EXCHANGES

    def end(self) -> None:
        peers.close_all(self.held)
        self.server.stop()


def figures(setting: Setting) -> list[Figure]:
    allow_descriptors()
    holdings: dict[int, Holding] = {}
    try:
        for count in HELD:
            holdings[count] = start(setting, f"{count}.transcript")
        resident = [resident_mb(holdings[max(HELD)])]
        for count, holding in holdings.items():
            holding.hold(count)
        resident.append(resident_mb(holdings[max(HELD)]))
        print(f"resident: {resident[0]:.2f} MB, and {resident[1]:.2f} MB with {max(HELD):,} connections", flush=True)
        return memory(resident) + cost(setting, holdings)
    finally:
        for holding in holdings.values():
            holding.end()


def allow_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < DESCRIPTORS:
        raise RuntimeError(f"{DESCRIPTORS:,} descriptors are needed, but `ulimit -Hn` is {hard:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))


def start(setting: Setting, transcript: str) -> Holding:
    command: Words = [setting.programs / "tcp-server", *"--listen 127.0.0.1:0 --read-timeout 1h".split()]
    with on_core(setting.server_core):
        return Holding(Server(command, "tcp", setting.scratch / transcript), [])


def memory(resident: list[float]) -> list[Figure]:
    none, most = resident
    return [Figure("memory", "no connection", "resident", "ours", "MB", [none]),
            Figure("memory", f"{max(HELD):,} silent connections", "resident", "ours", "MB", [most], goal=MOST_RESIDENT)]


def cost(setting: Setting, holdings: dict[int, Holding]) -> list[Figure]:
    values: dict[int, list[float]] = {count: [] for count in HELD}
    for number in range(setting.rounds):
        first = number % len(HELD)
        for count in HELD[first:] + HELD[:first]:
            values[count].append(holdings[count].cost(setting))
        print(f"round {number + 1:3}: " + ", ".join(f"{values[count][-1]:.1f} us with {count:,} held" for count in HELD),
              flush=True)
    one = HELD[0]
    return [Figure("memory", f"{count:,} silent connections held", "CPU", "ours", "us", values[count],
                   values[one] if count != one else (), FLAT if count != one else None) for count in HELD]


def resident_mb(holding: Holding) -> float:
    return accounts.resident_kb(holding.server.pid) * 1024 / MEGABYTE


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
