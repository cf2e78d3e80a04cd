"""A terminal on a box: what the page has typed there, command after command, and what was printed.

A program that waits lets the page go on: as soon as a line `[*] Listening on ...` has come, or one that ends with
`; trying again`, if the page shows such a line. What comes after that is compared when the program has ended: by
itself, or by the Ctrl-C that the page shows as `^C`. That is pressed when the page next types something on the same
box, or is over, and all has come that it shows before. A server of which the page shows no end stays until the
recipe is over.
"""

import os
import re
import shlex
import signal
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple, Sequence

from lab import harness
from lab.hosts import Host
from recipes import shape
from recipes.page import Typed

WAITS = re.compile(r"\[\*\] Listening on .*|.*; trying again")
INTERRUPT = "^C"
# The names, the state and the box's own name, which only what is typed there sees.
SHELL = """mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/$2/lib" /var/lib && hostname "$2" &&
cd "$1/$2/home" && PATH=$3:$PATH HOME=$1/$2/home && (exit "$4"); eval "$5" """
# As in a container: nobody's rights, and no way to more.
NOBODY = "cd / && setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --no-new-privs bash -c {}"
GRACE = 5.0  # seconds for what a program still has to print
LONGEST = 300.0  # seconds that a command may take, with the durations that the page has


class Result(NamedTuple):
    """What came of a command."""

    typed: Typed
    printed: list[str]
    status: int | None

    @property
    def is_as_shown(self) -> bool:
        shown = [line.removeprefix(INTERRUPT) for line in self.typed.shown if line != INTERRUPT]
        return shape.match(shown, self.printed)


class Box(NamedTuple):
    """A host by the name that it has on the page."""

    name: str
    host: Host
    directory: Path  # of all boxes of a recipe
    programs: Path
    is_container: bool = False

    def prepare(self) -> None:
        for part in ("home", "lib"):
            (self.directory / self.name / part).mkdir(parents=True)

    def command(self, text: str, status: int = 0) -> list[harness.Word]:
        """The command before a text that a shell on this box is to run, after a command that had this status."""
        if self.is_container:
            text = NOBODY.format(shlex.quote(text))
        # In a PID namespace, so that nothing outlives the shell.
        alone = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child"]
        return [*alone, "bash", "-c", SHELL, "bash", self.directory, self.name, self.programs, str(status), text]

    def run(self, text: str) -> harness.Ended:
        """Runs a text to its end, of which it is not shown what it prints."""
        with self.host.entered():
            return harness.run(self.command(text), self.directory / self.name, LONGEST)


class Terminal:
    """Runs some commands on a box, in a thread of its own."""

    def __init__(self, box: Box, commands: Sequence[Typed]) -> None:
        self.box, self.commands = box, commands
        self.results: list[Result] = []
        self.error: Exception | None = None
        self._may_go_on = threading.Event()
        self._is_to_end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def stays(self) -> bool:
        """Whether a server runs here of which the page shows no end."""
        return any(map(_has_no_end, self.commands))

    @property
    def is_interrupted(self) -> bool:
        return any(line.startswith(INTERRUPT) for each in self.commands for line in each.shown)

    def wait(self) -> None:
        """Until everything is done, or waits for others."""
        self._may_go_on.wait(LONGEST)

    def end(self) -> None:
        """Ends what still runs."""
        self._is_to_end.set()
        self._thread.join()
        if self.error:
            raise self.error

    def _run(self) -> None:
        try:
            for typed in self.commands:
                self.results.append(self._type(typed))
        except Exception as error:
            self.error = error
        finally:
            self._may_go_on.set()

    def _type(self, typed: Typed) -> Result:
        before = self.results[-1].status if self.results else 0
        with self.box.host.entered():
            process = harness.start(self.box.command(typed.command, before or 0), stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT)
        printed: list[str] = []
        reader = threading.Thread(target=_read, args=(process, printed))
        reader.start()
        waiting = [line for line in typed.shown if WAITS.fullmatch(line)]
        if waiting:
            harness.until(lambda: process.poll() is not None or _come(printed) >= len(waiting))
            self._may_go_on.set()
            harness.until(lambda: process.poll() is not None or self._is_to_end.is_set(), LONGEST)
        interrupt = next((n for n, line in enumerate(typed.shown) if line.startswith(INTERRUPT)), None)
        shown = typed.shown[:interrupt]
        if interrupt is not None or _has_no_end(typed):
            harness.until(lambda: process.poll() is not None or shape.begin(shown, printed), GRACE)
            _signal(process, signal.SIGKILL if interrupt is None else signal.SIGINT)
        status = harness.reap(process, LONGEST)
        reader.join()
        return Result(typed, printed, status)


def _has_no_end(typed: Typed) -> bool:
    """Whether the page shows how a server begins, and not how it ends."""
    begins = any(line.startswith("[*] Listening on") for line in typed.shown)
    return begins and not any("[*] Stopped" in line for line in typed.shown)


def _come(printed: list[str]) -> int:
    return sum(bool(WAITS.fullmatch(line)) for line in list(printed))


def _read(process: "subprocess.Popen[bytes]", printed: list[str]) -> None:
    assert process.stdout
    for line in process.stdout:
        printed.append(line.decode(errors="replace").rstrip("\n"))


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)
