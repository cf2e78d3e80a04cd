"""The client of a case: a process that the case's loop watches, stops, interrupts and reads."""

import os
import signal
import time
from pathlib import Path
from typing import Sequence

from lab import harness
from lab.harness import Ended, Word
from oracle.loop import Loop

AT_ONCE = 1 << 16  # bytes of standard output read in one call


class Client:
    """A running client. What it writes goes to files, or, if its reader is slow, through a pipe."""

    def __init__(self, command: Sequence[Word], scratch: Path, loop: Loop, reads_after: float | None) -> None:
        self._loop = loop
        self._output, self._errors = scratch / "client.out", scratch / "client.err"
        self._pipe: int | None = None
        self.begun = time.monotonic_ns()
        self.ended_at = 0
        with open(self._errors, "wb") as errors, open(self._output, "wb") as output:
            if reads_after is None:
                self.process = harness.start(command, stdout=output, stderr=errors)
            else:
                self._pipe, end = os.pipe()
                self.process = harness.start(command, stdout=end, stderr=errors)
                os.close(end)
                loop.later(reads_after, self._begin_to_read)
        self._pidfd = os.pidfd_open(self.process.pid)
        self.waited_ms = 0.0
        loop.watch(self._pidfd, self._exited)

    def _begin_to_read(self) -> None:
        if self._pipe is not None:
            self._loop.watch(self._pipe, self._read_some)

    def _read_some(self) -> None:
        if self._pipe is None:
            return
        piece = os.read(self._pipe, AT_ONCE)
        with open(self._output, "ab") as output:
            output.write(piece)
        if not piece:
            self._loop.unwatch(self._pipe)
            os.close(self._pipe)
            self._pipe = None

    def _exited(self) -> None:
        self.ended_at = time.monotonic_ns()
        self._loop.unwatch(self._pidfd)
        # It is a zombie until it is reaped, and its figures are still there: proc(5), schedstat.
        self.waited_ms = int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e6

    def has_ended(self) -> bool:
        return bool(self.ended_at) and self._pipe is None

    def signal(self, number: signal.Signals) -> None:
        if not self.ended_at:
            self.process.send_signal(number)

    def reap(self) -> None:
        """Ends it if it has not ended."""
        self._loop.unwatch(self._pidfd)
        os.close(self._pidfd)
        if not self.ended_at:
            self.process.kill()
            self.ended_at = time.monotonic_ns()
        harness.reap(self.process)
        if self._pipe is not None:
            self._loop.unwatch(self._pipe)
            os.close(self._pipe)
            self._pipe = None

    def result(self) -> Ended:
        return Ended(self.process.returncode, self._output.read_bytes(), self._errors.read_bytes())
