"""The low-rate half: what an exchange costs at the rates of monitoring, one probe a second from each flow.

Nothing is warm then: each exchange wakes both processes from sleep. Each of our programs stands
beside C that does the same: our servers as a service manager or a script runs them, with their
transcript into a pipe, beside teller.c, which writes the same lines; with -q, beside tcp-server.c and
udp-server.c, which print nothing; the clients, with --json --quiet, beside prober.c. At this rate a
line costs a write of its own, which is as much as half an exchange. A transcript to a file is measured
with 16 flows: a file may be on a slow disk, which our servers do not wait for and teller.c does. CPU time and wake-ups are the kernel's accounts of a process, from its second second on, so that its
start is left out.

The sides take turns of some seconds. If all ran at the same time, they would have the same machine, but
each would find what they have in common, the kernel's code, warm from the others: an exchange was
then a fifth to a quarter cheaper on all sides, which in ratios was for C (1.4 and not 1.2 for a client,
in the same minutes). TCP and UDP of a side do run at the same time, their probes between each other's.
"""

import re
import shutil
import time
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import IO, NamedTuple

from bench import accounts
from bench.figures import Figure, Goal, Setting
from bench.programs import Reader, Server, Words, on_core, silent_server
from lab import harness

PROTOCOLS = ("udp", "tcp")
FLOWS = (1, 16, 256)
OURS, SILENT, PLAIN, TELLING = "ours", "ours -q", "plain C", "telling C"
FILING, TELLING_FILE = "ours, file", "telling C, file"
SIDES = (OURS, SILENT, PLAIN, TELLING)
FILES = (FILING, TELLING_FILE)
C = (PLAIN, TELLING, TELLING_FILE)
# What each is compared with. Clients print nothing, so they are alike in all pairs.
BESIDE = {"server": {OURS: TELLING, SILENT: PLAIN, FILING: TELLING_FILE, PLAIN: None, TELLING: None, TELLING_FILE: None},
          "client": {OURS: PLAIN, PLAIN: None}}
MOST = Goal(1.3)  # CPU time an exchange

WARM_UP = 1.5  # seconds: until the middle between two probes of a flow
TURN = {1: 5, 16: 3, 256: 3}  # seconds, and probes of each flow
TURNS = 5
QUICK_TURNS = 2
MOST_TRIES = 5  # of a turn
FILED = 16  # flows of which the files are measured, too
TRACED = 16  # flows while system calls are counted
TRACED_SECONDS = 5
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

    def was_answered(self) -> bool:
        """Whether all probes were answered, once the client has ended."""
        return harness.reap(self.client) == 0


class Idle(NamedTuple):
    """The servers that run all the time."""

    setting: Setting
    servers: dict[Key, Server]

    def start_pairs(self, side: str, flows: int, seconds: int) -> list[Pair]:
        """Starts the clients of a side, each for so many seconds and a few more."""
        pairs = []
        for protocol in PROTOCOLS:
            server = self.servers[side, f"{protocol}-server"]
            command = self._client(side, protocol, server.port, flows, seconds + 2)
            client = harness.start([str(word) for word in command], stdout=DEVNULL)
            pairs.append(Pair(side, protocol, server, client))
            time.sleep(1 / flows / len(PROTOCOLS))  # so that the probes of one fall between those of the other
        return pairs

    def _client(self, side: str, protocol: str, port: int, flows: int, count: int) -> Words:
        if side in C or self.setting.is_control:
            return [own(self.setting, "prober", protocol), protocol, "127.0.0.1", port, flows, count]
        words = f"127.0.0.1:{port} --count {count} --interval 1 --flows {flows} --json --quiet".split()
        return [self.setting.programs / f"{protocol}-client", *words]

    def play(self, flows: int, turn: int) -> dict[Key, Account]:
        """What an exchange costs each process. The sides take turns at going first."""
        sides = SIDES + (FILES if flows == FILED else ())
        first = turn % len(sides)
        spent = {}
        for side in sides[first:] + sides[:first]:
            spent.update(self._play_side(side, flows))
        return spent

    def _play_side(self, side: str, flows: int) -> dict[Key, Account]:
        """It does not count if the machine was held up for so long that a probe was lost."""
        for _ in range(MOST_TRIES):
            if (spent := self._try(side, flows)) is not None:
                return spent
            print(f"{side}, {flows} flows: not all probes were answered; once more", flush=True)
        raise RuntimeError(f"{side}: not all probes are answered")

    def _try(self, side: str, flows: int) -> dict[Key, Account] | None:
        seconds = TURN[flows]
        pairs = self.start_pairs(side, flows, seconds)
        time.sleep(WARM_UP)
        before = used(pairs)
        time.sleep(seconds)
        after = used(pairs)
        if not all([pair.was_answered() for pair in pairs]):
            return None
        exchanges = flows * seconds
        return {key: Account(*((b - a) / exchanges for a, b in zip(before[key], after[key]))) for key in before}

    def count_calls(self) -> dict[Key, float]:
        """System calls an exchange of each process, by strace, while nothing is timed."""
        pairs = [pair for side in SIDES for pair in self.start_pairs(side, TRACED, TRACED_SECONDS)]
        time.sleep(WARM_UP)
        traced = [(key, self.trace(pid, f"{key[0]} {key[1]}.calls"))
                  for pair in pairs for key, pid in pair.processes.items()]
        time.sleep(TRACED_SECONDS - 1)
        calls = {}
        for key, (tracer, path) in traced:
            tracer.terminate()
            harness.reap(tracer)
            calls[key] = calls_an_exchange(path)
        for pair in pairs:
            pair.was_answered()
        return calls

    def trace(self, pid: int, name: str) -> tuple[Popen[bytes], Path]:
        path = self.setting.scratch / name
        command: list[str | Path] = [*"strace -q -f -c -U calls,name -p".split(), str(pid), "-o", path]
        return harness.start(command, stderr=DEVNULL), path


def figures(setting: Setting) -> list[Figure]:
    idle = Idle(setting, {})
    readers: list[Reader] = []
    made = []
    try:
        for side in SIDES + FILES:
            for protocol in PROTOCOLS:
                output: Path | IO[bytes] = setting.scratch / f"{protocol} {side}.transcript"
                if side in (OURS, TELLING):
                    readers.append(reader := Reader())
                    output = reader.pipe
                idle.servers[side, f"{protocol}-server"] = start_server(setting, side, protocol, output)
        for flows in FLOWS:
            turns = []
            for turn in range(QUICK_TURNS if setting.is_quick else TURNS):
                turns.append(idle.play(flows, turn))
                print_turn(flows, turn, turns[-1])
            title = f"{flows} {'flow' if flows == 1 else 'flows'}"
            made += compared(title, "CPU", "us", [cpu_of(turn) for turn in turns], MOST)
            made += compared(title, "wake-ups", "1", [wakeups_of(turn) for turn in turns])
        return made + compared(f"{TRACED} flows", "system calls", "1", [idle.count_calls()])
    finally:
        for server in idle.servers.values():
            server.stop()
        for reader in readers:
            reader.stop()


def start_server(setting: Setting, side: str, protocol: str, output: Path | IO[bytes]) -> Server:
    ours: Words = [setting.programs / f"{protocol}-server", "--listen", "127.0.0.1:0"]
    telling: Words = [own(setting, "teller", protocol), protocol]
    commands: dict[str, Words] = {
        OURS: ours, FILING: ours, SILENT: silent_server(setting.programs, protocol),
        TELLING: telling, TELLING_FILE: telling, PLAIN: [setting.scratch / f"{protocol}-server", "plain"],
    }
    beside = BESIDE["server"][side]
    command = commands[beside if setting.is_control and beside else side]
    with on_core(setting.server_core):
        return Server(command, protocol, output)


def own(setting: Setting, program: str, protocol: str) -> Path:
    """A copy of a C program for a protocol.

    Two processes of one file would have its code in common, and each would find it warm from the other.
    """
    copy = setting.scratch / f"{program}-{protocol}"
    if not copy.exists():
        shutil.copy(setting.scratch / program, copy)
    return copy


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
    """The figures of all processes, ours beside those of C."""
    made = []
    for protocol in PROTOCOLS:
        for end, sides in BESIDE.items():
            program = f"{protocol}-{end}"
            values = {side: [turn[side, program] for turn in turns] for side in sides if (side, program) in turns[0]}
            made += [Figure("idle", f"{program}, {title}", quantity, side, unit, values[side],
                            values[beside] if beside else (), goal if beside else None)
                     for side, beside in sides.items() if side in values]
    return made


def print_turn(flows: int, turn: int, spent: dict[Key, Account]) -> None:
    sides = [side for side in SIDES + FILES if (side, "udp-server") in spent]
    words = [f"{program} " + "/".join(f"{spent[side, program].cpu_us:.0f}" for side in sides)
             for (side, program) in spent if side == OURS]
    print(f"{flows:3} flows, turn {turn + 1}: us an exchange, {'/'.join(sides)}: {', '.join(words)}", flush=True)
