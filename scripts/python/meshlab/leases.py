"""deploy/host/mesh-lease by itself: however it ends, nothing is left of it."""

import os
import signal
import subprocess
from typing import Callable, Iterator

from lab import harness
from lab.case import Case
from lab.trial import Trial
from mesh.plan import HOST_SCRIPTS
from mesh.visits.lease import command
from meshlab.interrupts import named
from meshlab.scripted import SHELL_TOOLS, SHELLS, scripted

LEASE = HOST_SCRIPTS / "mesh-lease"
LIMIT = 2  # seconds that a lease has here, where it is to end by itself
STUBBORN = 'trap "" TERM HUP INT; exec sleep 600'

Ending = Callable[["Lease"], None]


def trials() -> Iterator[Trial]:
    for shell in SHELLS:
        yield Trial(f"lease-ends-{shell}", lambda case, shell=shell: ends(case, shell), SHELL_TOOLS)


class Lease:
    """A lease of which all has to go by this."""

    def __init__(self, case: Case, shell: str, limit: int, path: str) -> None:
        self.run = f"run{len(list(case.scratch.glob('tmp-*')))}x{os.getpid()}"
        self.place = case.scratch / f"tmp-{self.run}"
        self.place.mkdir()
        script = LEASE.read_bytes()
        words = command(script, self.run, limit).replace("exec sh ", f"exec {' '.join(SHELLS[shell])} ")
        self.process = harness.start(["env", f"TMPDIR={self.place}", f"PATH={path}", "sh", "-c", words],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdin and self.process.stdout
        self.input, self.output = self.process.stdin, self.process.stdout
        self.tell(script)

    def tell(self, data: bytes) -> None:
        self.input.write(data)
        self.input.flush()

    def hear(self) -> str:
        return self.output.readline().decode().strip()

    def left(self) -> list[str]:
        found = named(f"TMPDIR={self.place}", "environ")
        return [*(words for pid, words in found.items()), *map(str, self.place.iterdir())]


def ends(case: Case, shell: str) -> None:
    """End of input, signals, a reader that is gone, the time: it ends what it has started, and removes its directory"""
    endings: dict[str, Ending] = {
        "end of input": lambda lease: lease.input.close(),
        "SIGTERM": lambda lease: lease.process.send_signal(signal.SIGTERM),
        "SIGHUP": lambda lease: lease.process.send_signal(signal.SIGHUP),
        "SIGINT": lambda lease: lease.process.send_signal(signal.SIGINT),
        "nobody reads": nobody_reads,
        "the time": lambda lease: None,
    }
    # What was started does not heed signals: so it is killed after a while.
    path = f"{scripted(case, 'stubborn', {'tcp-server': STUBBORN})}:{os.environ['PATH']}"
    for name, bring_about in endings.items():
        with case.part(name):
            is_stubborn = name == "end of input"
            lease = Lease(case, shell, LIMIT if name == "the time" else 60, path if is_stubborn else os.environ["PATH"])
            try:
                token = lease.hear().split()[2]
                mode = (lease.place / f"mesh-{lease.run}-{token}").stat().st_mode
                case.check(mode & 0o777 == 0o700, f"others may look: {mode:o}")
                if is_stubborn:
                    lease.tell(f"* names {token}=a\n* serve tcp-server=:6666\n".encode())
                    harness.until(lambda: any("sleep 600" in each for each in lease.left()))
                bring_about(lease)
                status = harness.reap(lease.process)
                case.check(status is not None, "it did not end")
                left = lease.left()
                case.check(not left, f"left: {left}")
            finally:
                harness.reap(lease.process, 0)
                lease.output.close()


def nobody_reads(lease: Lease) -> None:
    lease.output.close()
    lease.tell(b"* take word 5\nwords")
