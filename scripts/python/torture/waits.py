"""Programs that wait: signals have to end them, whatever they wait for."""

import os
import signal
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

from lab import harness
from lab.case import Case
from lab.harness import until
from lab.protocol import PORT
from torture import lives
from torture.lives import Prepare

SOON = 1.0  # seconds within which a signal has to end a program
IGNORED = 0.1  # seconds after which a signal counts as ignored
ASLEEP = 10  # times in a row, 5 ms apart, that a process must be seen asleep before it counts as waiting


class Wait(NamedTuple):
    """A way to make a program wait."""

    words: tuple[str, ...]
    statuses: tuple[int, ...] | None = None  # with which it ends; None: as the signal has it


TARGET = f"127.0.0.1:{PORT}"  # where somebody listens, and says nothing
SERVER = Wait(("--listen", f"127.0.0.1:{PORT + 1}"), (0,))
SERVERS = {
    "one loop": SERVER,
    "workers": SERVER._replace(words=(*SERVER.words, "--workers", "2", "--stats", "1h", "--json")),
    "goal": SERVER._replace(words=(*SERVER.words, "--count", "5")),
}
CLIENTS = {
    "exchange": Wait((TARGET, "-m", "hello", "-W", "30s")),
    "run": Wait((TARGET, "-c", "100", "-i", "10s"), (0, 1)),
    "fast run": Wait((TARGET, "-c", "1000", "-i", "0", "-W", "30s", "--json", "--flows", "2"), (0, 1)),
    "wait": Wait(("127.0.0.1:1", "-m", "hello", "--wait", "--deadline", "30s")),
    "stdin": Wait((TARGET, "-m", "-")),
}
PROMPT = {"prompt": Wait((TARGET,))}


def of(program: str) -> dict[str, Wait]:
    """The ways of one program."""
    if program.endswith("server"):
        return SERVERS
    return CLIENTS | (PROMPT if program == "udp-client" else {})


def check_ends(case: Case, program: str, mode: str, number: signal.Signals, state: str,
               prepare: Prepare | None = None, wrapper: Sequence[str] = (), is_child: bool = False) -> None:
    """Checks that a signal ends a program in time, and with the status that it should have."""
    expected = of(program)[mode].statuses or (-number, 128 + number)
    with waiting(case, program, mode, prepare, wrapper, is_child) as (process, pid):
        begun = time.monotonic()
        os.kill(pid, number)
        status, taken = harness.reap(process, 5), time.monotonic() - begun
    said = (case.scratch / "errors").read_bytes()
    right = status in expected and taken < SOON and not harness.panicked(said)
    case.check(right, f"{program}, {mode}, {state}, {number.name}: exit {status} after {taken:.1f} s; {said[:200]!r}")


def check_goes_on(case: Case, program: str, mode: str, number: signal.Signals, prepare: Prepare) -> None:
    """Checks that a signal that was ignored at the start does not end a program, and that SIGTERM does."""
    with waiting(case, program, mode, prepare) as (process, pid):
        os.kill(pid, number)
        time.sleep(IGNORED)
        ended = process.poll()
        case.check(ended is None, f"{program}, {mode}: {number.name} was ignored at the start, and ends it: {ended}")
        process.terminate()
        status = harness.reap(process, 5)
        case.check(status is not None, f"{program}, {mode}, {number.name} ignored: goes on at SIGTERM")


@contextmanager
def waiting(case: Case, program: str, mode: str, prepare: Prepare | None = None, wrapper: Sequence[str] = (),
            is_child: bool = False) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A program that has been started and waits, and its id."""
    reader, writer = os.pipe()
    with (silent_peer(program), closing(os.fdopen(writer, "wb")),
          open(case.scratch / "output", "wb") as out, open(case.scratch / "errors", "wb") as err):
        command = [*wrapper, case.path(program), *of(program)[mode].words]
        process = harness.start(command, stdin=reader, stdout=out, stderr=err, close_fds=False, preexec_fn=prepare)
        os.close(reader)
        try:
            pid = lives.child_of(process) if is_child else process.pid
            if not until(lambda: is_asleep(pid, program) or process.poll() is not None) or process.poll() is not None:
                raise RuntimeError(f"{mode}: does not wait, exit {process.poll()}")
            yield process, pid
        finally:
            harness.reap(process, 0)


@contextmanager
def silent_peer(program: str) -> Iterator[None]:
    """Somebody who listens, and says nothing."""
    tcp = program.startswith("tcp")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        peer.bind(("127.0.0.1", PORT))
        if tcp:
            peer.listen()
        yield


def is_asleep(pid: int, name: str) -> bool:
    """Whether the program was executed, and goes on sleeping."""
    for _ in range(ASLEEP):
        try:
            command, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        except OSError:
            return False
        if not command.endswith(f"({name}") or rest.split()[0] != "S":
            return False
        time.sleep(0.005)
    return True
