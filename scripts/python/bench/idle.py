"""The low-rate half: what an exchange costs at the rates of monitoring, one probe a second from each flow.

Nothing is warm then: each exchange wakes both processes from sleep. Ours are as users run them, the
servers with their transcript to a file, the clients with --json --quiet. Beside them are the C
servers, which print nothing, and prober.c. CPU time and wake-ups are the kernel's accounts of a
process, from its second second on, so that its start is left out.

All sides, TCP and UDP, run at the same time on the same two cores, so that they have the same machine;
their probes fall between each other's. They use a few per cent of a core, and are seldom in each
other's way.
"""

import re
import time
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import NamedTuple

from bench import accounts
from bench.figures import Figure, Goal, Setting
from bench.programs import Server, Words, on_core
from lab import harness

PROTOCOLS = ("udp", "tcp")
FLOWS = (1, 16, 256)
OURS, PLAIN, CAREFUL = "ours", "plain C", "careful C"
SIDES = (OURS, PLAIN, CAREFUL)
MOST = Goal(1.3)  # CPU time an exchange, beside plain C's

WARM_UP = 1.5  # seconds: until the middle between two probes of a flow
TURN = {1: 10, 16: 5, 256: 4}  # seconds, and probes of each flow
TURNS = {1: 9, 16: 7, 256: 7}
QUICK_TURNS = 3
TRACED = 16  # flows while system calls are counted
TABLE = re.compile(r"^ *(\d+) +(\w+)$", re.MULTILINE)  # as strace -c prints it
# Each process sends one message for each exchange, and nothing else.
SENDING = ("send", "sendto", "sendmsg", "sendmmsg")

Key = tuple[str, str]  # a side and a program, as in ("ours", "udp-server")


class Account(NamedTuple):
    """What a process has used so far; or an exchange of it, on average."""

    cpu_us: float
    wakeups: float


class Pair(NamedTuple):
    """A server and its client, of one side."""

    side: str
    protocol: str
    server: Server
    client: Popen[bytes]

    @property
    def processes(self) -> dict[Key, int]:
        return {(self.side, f"{self.protocol}-server"): self.server.pid,
                (self.side, f"{self.protocol}-client"): self.client.pid}

    def end(self) -> None:
        if harness.reap(self.client) != 0:
            raise RuntimeError(f"{self.side}: not all probes of the {self.protocol} client were answered")


class Idle(NamedTuple):
    """The servers that run all the time."""

    setting: Setting
    servers: dict[Key, Server]

    def start_pairs(self, flows: int, seconds: int, turn: int) -> list[Pair]:
        """Starts all clients, each for so many seconds and a few more. Another of them begins each turn."""
        order = list(self.servers)
        first = turn % len(order)
        pairs = []
        for side, program in order[first:] + order[:first]:
            protocol, server = program.removesuffix("-server"), self.servers[side, program]
            command = self._client(side, protocol, server.port, flows, seconds + 2)
            client = harness.start([str(word) for word in command], stdout=DEVNULL)
            pairs.append(Pair(side, protocol, server, client))
            time.sleep(1 / flows / len(order))  # so that the probes of one fall between those of another
        return pairs

    def _client(self, side: str, protocol: str, port: int, flows: int, count: int) -> Words:
        if is_plain(self.setting, side):
            return [self.setting.scratch / "prober", protocol, "127.0.0.1", port, flows, count]
        words = f"127.0.0.1:{port} --count {count} --interval 1 --flows {flows} --json --quiet".split()
        return [self.setting.programs / f"{protocol}-client", *words]

    def play(self, flows: int, turn: int) -> dict[Key, Account]:
        """What an exchange costs each process."""
        seconds = TURN[flows]
        pairs = self.start_pairs(flows, seconds, turn)
        time.sleep(WARM_UP)
        before = used(pairs)
        time.sleep(seconds)
        after = used(pairs)
        for pair in pairs:
            pair.end()
        exchanges = flows * seconds
        return {key: Account(*((b - a) / exchanges for a, b in zip(before[key], after[key]))) for key in before}

    def count_calls(self) -> dict[Key, float]:
        """System calls an exchange of each process, by strace, while nothing is timed."""
        seconds = TURN[TRACED]
        pairs = self.start_pairs(TRACED, seconds, 0)
        time.sleep(WARM_UP)
        traced = [(key, self.trace(pid, f"{len(self.servers)}-{pid}.calls"))
                  for pair in pairs for key, pid in pair.processes.items()]
        time.sleep(seconds - 1)
        calls = {}
        for key, (tracer, path) in traced:
            tracer.terminate()
            harness.reap(tracer)
            calls[key] = calls_an_exchange(path)
        for pair in pairs:
            pair.end()
        return calls

    def trace(self, pid: int, name: str) -> tuple[Popen[bytes], Path]:
        path = self.setting.scratch / name
        command: list[str | Path] = [*"strace -q -f -c -U calls,name -p".split(), str(pid), "-o", path]
        return harness.start(command, stderr=DEVNULL), path


def figures(setting: Setting) -> list[Figure]:
    idle = Idle(setting, {})
    made = []
    try:
        for side in SIDES:
            for protocol in PROTOCOLS:
                idle.servers[side, f"{protocol}-server"] = start_server(setting, side, protocol)
        for flows in FLOWS:
            turns = []
            for turn in range(QUICK_TURNS if setting.is_quick else TURNS[flows]):
                turns.append(idle.play(flows, turn))
                print_turn(flows, turn, turns[-1])
            title = f"{flows} {'flow' if flows == 1 else 'flows'}"
            made += compared(title, "CPU", "us", [cpu_of(turn) for turn in turns], MOST)
            made += compared(title, "wake-ups", "1", [wakeups_of(turn) for turn in turns])
        return made + compared(f"{TRACED} flows", "system calls", "1", [idle.count_calls()])
    finally:
        for server in idle.servers.values():
            server.stop()


def start_server(setting: Setting, side: str, protocol: str) -> Server:
    command: Words = [setting.programs / f"{protocol}-server", "--listen", "127.0.0.1:0"]
    if is_plain(setting, side):
        command = [setting.scratch / f"{protocol}-server", "careful" if side == CAREFUL else "plain"]
    with on_core(setting.server_core):
        return Server(command, protocol, setting.scratch / f"{protocol} {side}.transcript")


def is_plain(setting: Setting, side: str) -> bool:
    return side != OURS or setting.is_control


def used(pairs: list[Pair]) -> dict[Key, Account]:
    return {key: Account(accounts.cpu_ns(pid) / 1000, accounts.switches(pid))
            for pair in pairs for key, pid in pair.processes.items()}


def calls_an_exchange(table: Path) -> float:
    calls = {name: int(number) for number, name in TABLE.findall(table.read_text())}
    return calls.pop("total") / sum(calls.get(name, 0) for name in SENDING)


def cpu_of(turn: dict[Key, Account]) -> dict[Key, float]:
    return {key: account.cpu_us for key, account in turn.items()}


def wakeups_of(turn: dict[Key, Account]) -> dict[Key, float]:
    return {key: account.wakeups for key, account in turn.items()}


def compared(title: str, quantity: str, unit: str, turns: list[dict[Key, float]],
             goal: Goal | None = None) -> list[Figure]:
    """The figures of all processes. There are no careful clients: prober.c is the plain one."""
    made = []
    for program in (f"{protocol}-{end}" for protocol in PROTOCOLS for end in ("server", "client")):
        values = {side: [turn[side, program] for turn in turns] for side in SIDES}
        for side in SIDES if program.endswith("server") else SIDES[:2]:
            plain = values[PLAIN] if side != PLAIN else []
            made.append(Figure("idle", f"{program}, {title}", quantity, side, unit, values[side], plain,
                               goal if side == OURS else None))
    return made


def print_turn(flows: int, turn: int, spent: dict[Key, Account]) -> None:
    words = [f"{program} {spent[OURS, program].cpu_us:.0f}/{account.cpu_us:.0f}"
             for (side, program), account in spent.items() if side == PLAIN]
    print(f"{flows:3} flows, turn {turn + 1}: us an exchange, ours/plain C: {', '.join(words)}", flush=True)
