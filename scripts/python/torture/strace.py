"""Faults injected into system calls, with strace(1).

strace attaches to a server once it listens. In a client, only such calls fail
as the dynamic loader does not make: a fault in the loader would say nothing
about the program.
"""

import re
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterable, Iterator, NamedTuple, Sequence

from lab import harness
from lab.harness import Ended, Server, Word


class Fault(NamedTuple):
    """What a system call is made to return: every time, or only the times that `when` counts: `2`, or `1..3`."""

    call: str
    result: str  # error=ERRNO or retval=N
    when: int | str | None = None

    def __str__(self) -> str:
        return f"{self.call}:{self.result}" + (f":when={self.when}" if self.when else "")

    @property
    def options(self) -> list[str]:
        return ["-e", f"trace={self.call}", "-e", f"inject={self}"]


def tracing(calls: Iterable[str]) -> list[str]:
    """Options for a run without faults. A `?` stands before a call that this machine may lack."""
    return ["-e", "trace=" + ",".join("?" + call for call in calls)]


class Trace:
    """What strace has written. It is complete once strace has ended."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def calls(self) -> Counter[str]:
        """How often each call was made."""
        return Counter(re.findall(r"^\d+ +(\w+)\(", self._path.read_text(errors="replace"), re.MULTILINE))

    @property
    def injected(self) -> int:
        return self._path.read_text(errors="replace").count("(INJECTED)")


@contextmanager
def attached(server: Server, options: Sequence[str], scratch: Path) -> Iterator[Trace]:
    """Attaches strace to a running server for as long as the block lasts."""
    path, said = scratch / "trace", scratch / "strace.err"
    path.unlink(missing_ok=True)
    with open(said, "wb") as err:
        command = ["strace", "-f", "-p", str(server.pid), "-o", str(path), *options]
        process = harness.start(command, stderr=err)
    try:
        if not harness.until(lambda: b" attached" in said.read_bytes() or process.poll() is not None):
            raise RuntimeError("strace does not attach")
        # A fault may end the server at once, and strace with it.
        if b" attached" not in said.read_bytes():
            raise RuntimeError(f"strace: {said.read_text().strip()}")
        yield Trace(path)
    finally:
        process.terminate()
        harness.reap(process)


def run(command: Sequence[Word], options: Sequence[str], scratch: Path, **streams: Any) -> tuple[Ended, Trace]:
    """Runs a client under strace, which ends with the same status."""
    path = scratch / "trace"
    path.unlink(missing_ok=True)
    ended = harness.run(["strace", "-qq", "-f", "-o", str(path), *options, *command], scratch, **streams)
    return ended, Trace(path)
