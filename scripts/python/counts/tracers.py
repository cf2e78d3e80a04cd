"""What counts: callgrind, a tool of valgrind(1), instructions in user space; strace(1), system calls but
for waits."""

import re
from pathlib import Path
from typing import Callable, NamedTuple

from lab import harness
from lab.harness import Word

COLLECTED = re.compile(r"Collected : (\d+)")
WAITS = "epoll_wait,futex"  # how many there are is a matter of timing
TOTAL = re.compile(r"^ *(\d+) +total$", re.MULTILINE)


class Tracer(NamedTuple):
    """A program that runs another one, and in the end writes into a file how much of something there was."""

    what: str
    command: Callable[[Path], list[Word]]  # what stands before the other program's words
    line: re.Pattern[str]

    def counted(self, log: Path) -> int:
        """What there was, once it is written: a tracer may end a little later than the program."""
        found = harness.until(lambda: self.line.search(log.read_text()))
        if not found:
            raise RuntimeError(f"{self.what} were not counted: {log.read_text().strip()[-300:]}")
        return int(found.group(1))


def callgrind(log: Path, *options: str) -> list[Word]:
    return ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={log}", *options]


def strace(log: Path) -> list[Word]:
    # With -D the program is our child, as it is with valgrind, and a signal reaches it.
    return [*"strace -D -f -c -U calls,name -e".split(), f"trace=!{WAITS}", "-o", log]


INSTRUCTIONS = Tracer("instructions", callgrind, COLLECTED)
CALLS = Tracer("system calls", strace, TOTAL)
