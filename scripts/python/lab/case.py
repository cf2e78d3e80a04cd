"""One case: its figures, its random numbers, and the results of its checks."""

import random
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

from lab import harness
from lab.harness import Ended, Server

PROGRAMS = ("tcp-server", "tcp-client", "udp-server", "udp-client")
SERVERS = ("tcp-server", "udp-server")
CLIENTS = ("tcp-client", "udp-client")
FAILURES_SHOWN = 3


class OptionMissing(Exception):
    """A program does not have an option that a case needs."""


class Case:
    """What the function of a case works with."""

    def __init__(self, name: str, seed: int, quick: bool, programs: Path, scratch: Path):
        self.name = name
        self.quick = quick
        self.scratch = scratch
        self.random = random.Random(f"{seed}/{name}")
        self.tried = self.failed = 0
        self.failures: list[str] = []
        self.notes: list[str] = []
        self.begun = time.monotonic()
        self.seconds = 0.0
        self._programs = programs
        self._help: dict[str, str] = {}

    def figure(self, full: int, quick: int) -> int:
        """How many there are to be: `quick` with --quick, and otherwise `full`."""
        return quick if self.quick else full

    def check(self, ok: Any, otherwise: str) -> bool:
        """Counts one try. If it failed, `otherwise` says what happened."""
        self.tally(1, 0 if ok else 1, otherwise)
        return bool(ok)

    def tally(self, tried: int, failed: int, otherwise: str) -> None:
        """Counts many tries. If any failed, `otherwise` says what happened."""
        self.tried += tried
        self.failed += failed
        if failed and len(self.failures) < FAILURES_SHOWN:
            self.failures.append(f"{otherwise} ({failed} of {tried})" if tried > 1 else otherwise)

    def note(self, text: str) -> None:
        """Adds a figure that is worth printing."""
        self.notes.append(text)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A part of a case. An exception in it counts as a failure, and the case goes on after it."""
        try:
            yield
        except OptionMissing as missing:
            self.check(False, f"{name}: option missing: {missing}")
        except Exception as error:
            self.check(False, f"{name}: {type(error).__name__}: {error}")

    def path(self, program: str) -> str:
        return str(self._programs / program)

    def help(self, program: str) -> str:
        if program not in self._help:
            command = [self.path(program), "--help"]
            self._help[program] = harness.run(command, self.scratch).output.decode()
        return self._help[program]

    @contextmanager
    def server(self, program: str, *options: str, listen: str = "127.0.0.1:0", listeners: int = 1,
               status: int = 0, wrapper: tuple[str, ...] = ()) -> Iterator[Server]:
        """Runs a server for as long as the block lasts. It must then end with `status`, and without a panic."""
        for option in options:
            if option.startswith("--") and f"{option} " not in self.help(program).replace("\n", " "):
                raise OptionMissing(f"{program} {option}")
        command = [*wrapper, self.path(program), "--listen", listen, *options]
        server = Server(program, command, self.scratch, listeners)
        try:
            yield server
            server.stop()
            errors = server.errors()
            self.check(server.status == status and not harness.panicked(errors),
                       f"{program} ended with {server.status}, not {status}: {errors[:200]!r}")
        finally:
            harness.reap(server.process, 0)

    def client(self, program: str, *arguments: str | bytes, **streams: Any) -> Ended:
        return harness.run([self.path(program), *arguments], self.scratch, **streams)
