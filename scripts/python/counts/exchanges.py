"""What an exchange takes of a whole program, as it is shipped, over loopback.

A run of many exchanges less one of few, divided by how many more there were: start and
end are in neither. Without lines an exchange follows the other at once. With lines, what
is taken is a matter of timing then, for each program wakes the other, or a writer: so those
are asked 100 times a second, and sleep in between.

One exchange at a time: of several, how many come together is a matter of the machine. What
a server takes for many at once is counted as a hot path.
"""

import os
from pathlib import Path
from typing import Iterator, NamedTuple

from bench.programs import Server
from counts.tracers import CALLS, INSTRUCTIONS, Tracer
from lab import harness
from lab.harness import Word

PROGRAMS = ("tcp-server", "udp-server", "tcp-client", "udp-client")
EXCHANGES = 512, 1_536  # few and many
PACED_EXCHANGES = 80, 320
PACE_MS = 10
LONGEST_RUN = 120.0  # seconds


class Case(NamedTuple):
    """A program, and what it is asked to do."""

    tracer: Tracer
    program: str
    has_lines: bool

    def __str__(self) -> str:
        how = f" at {1000 // PACE_MS} a second, with lines" if self.has_lines else ", -q"
        return f"{self.program}, 1 flow{how}: {self.tracer.what}"

    def counted(self, programs: Path, scratch: Path) -> float:
        few, many = PACED_EXCHANGES if self.has_lines else EXCHANGES
        return (self._run(programs, scratch, many) - self._run(programs, scratch, few)) / (many - few)

    def _run(self, programs: Path, scratch: Path, exchanges: int) -> int:
        protocol, end = self.program.split("-")
        log = scratch / "count"
        log.unlink(missing_ok=True)
        traced = self.tracer.command(log)
        quiet, own = ["--quiet"], [] if self.has_lines else ["--quiet"]
        server: list[Word] = [programs / f"{protocol}-server", "--listen", "127.0.0.1:0"]
        server = [*traced, *server, *own] if end == "server" else [*server, *quiet]
        running = Server([os.fsdecode(word) for word in server], protocol)
        interval = f"{PACE_MS}ms" if self.has_lines else "0"
        client: list[Word] = [programs / f"{protocol}-client", f"127.0.0.1:{running.port}", "--interval", interval,
                              "--count", str(exchanges)]
        client = [*traced, *client, *own] if end == "client" else [*client, *quiet]
        ended = harness.run(client, scratch, LONGEST_RUN)
        running.stop()
        if ended.status != 0:
            raise RuntimeError(f"{self}: the client's exit status is {ended.status}: {ended.errors.decode()[-300:]}")
        return self.tracer.counted(log)


def cases() -> Iterator[Case]:
    for program in PROGRAMS:
        yield Case(INSTRUCTIONS, program, has_lines=True)
        yield Case(INSTRUCTIONS, program, has_lines=False)
        # How many lines go out in one call is a matter of timing.
        yield Case(CALLS, program, has_lines=False)
