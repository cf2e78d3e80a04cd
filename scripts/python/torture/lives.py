"""One life of a program in odd surroundings, from its start to its end.

A server is asked until it has answered or ended, and then stopped. A client is
run to its end. `prepare` is called in the child before exec; a `wrapper` runs
the program as its own process, or as its only child.
"""

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

from lab import harness, peers
from lab.case import Case
from lab.harness import Ended, Word, until
from torture import network

READY = 5.0  # seconds that a server has until it listens, or gives up
ASKING = 8.0  # seconds that clients ask a server that does not answer: it gives up after some 5 s
PAUSE = 0.02  # seconds between two of them
ENDING = 5.0  # seconds that a server has to end
LONGEST = 8.0  # seconds that a client has

VERDICTS = {"ok", "refused", "unreachable", "unresolved", "timeout", "no-reply", "reset", "wrong-reply",
            "wrong-source", "local"}
# A verdict in a line, in a summary's counts, in an object.
SAID = re.compile(r': ([a-z-]+) \(|\b[1-9]\d* ([a-z-]+)\b|"verdict":"([a-z-]+)"')

Prepare = Callable[[], object]


class Life(NamedTuple):
    """How a server lived."""

    answered: bool
    ended_by_itself: bool
    status: int | None
    output: bytes
    errors: bytes

    @property
    def lines(self) -> int:
        return self.errors.count(b"\n")


def serve(case: Case, program: str, port: int, words: Sequence[str], prepare: Prepare | None = None,
          wrapper: Sequence[Word] = (), is_child: bool = False, path: Path | None = None) -> Life:
    """Starts a server on `port`, asks it until it has answered or ended, and stops it."""
    output, errors = case.scratch / "output", case.scratch / "errors"
    with open(output, "wb") as out, open(errors, "wb") as err:
        process = harness.start([*wrapper, path or case.path(program), *words], stdout=out, stderr=err,
                                close_fds=False, preexec_fn=prepare)
    protocol = program.removesuffix("-server")
    until(lambda: process.poll() is not None or b"istening" in output.read_bytes()
          or port in network.bound_ports(protocol), READY)
    answered = ask(program, port, process)
    if "--count" in words:
        until(lambda: process.poll() is not None, ENDING)
    ended_by_itself = process.poll() is not None
    if not ended_by_itself:
        os.kill(child_of(process) if is_child else process.pid, signal.SIGTERM)
    status = harness.reap(process, ENDING)
    return Life(answered, ended_by_itself, status, output.read_bytes(), errors.read_bytes())


def ask(program: str, port: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether a server answers one client before it ends."""
    exchange = peers.ask if program == "tcp-server" else peers.ask_datagram
    deadline = time.monotonic() + ASKING
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            if exchange(("127.0.0.1", port), seconds=1):
                return True
        time.sleep(PAUSE)
    return False


def child_of(process: subprocess.Popen[bytes]) -> int:
    """The only child of a process."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(until(lambda: children.read_text().split())[0])


def use(case: Case, program: str, words: Sequence[str], stdin: bytes = b"", prepare: Prepare | None = None,
        wrapper: Sequence[Word] = (), path: Path | None = None) -> Ended:
    """Runs a client to its end, with `stdin` in a pipe."""
    reader, writer = os.pipe()
    os.write(writer, stdin)
    os.close(writer)
    try:
        return harness.run([*wrapper, path or case.path(program), *words], case.scratch, LONGEST, stdin=reader,
                           close_fds=False, preexec_fn=prepare)
    finally:
        os.close(reader)


def unseemly(status: int | None, errors: bytes) -> str | None:
    """What is never right for a program, or None."""
    if status is None:
        return "does not end"
    if status < 0:
        return f"dies of signal {-status}"
    return "panics" if harness.panicked(errors) else None


def verdicts(ended: Ended) -> set[str]:
    """The verdicts that a client has said."""
    text = (ended.output + ended.errors).decode(errors="replace")
    return {word for groups in SAID.findall(text) for word in groups} & VERDICTS
