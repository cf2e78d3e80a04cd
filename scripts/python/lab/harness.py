"""Starts processes (servers, clients, and those that make load), watches and reaps them.

Standard output goes to a file: a pipe that nobody reads would fill up, which is a
test of its own. A server is ready when it says where it listens. Each process is
remembered from its start to its end, so that an interrupted case leaves none
behind.
"""

import json
import multiprocessing
import os
import signal
import subprocess
import threading
import time
import traceback
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, Callable, Generic, NamedTuple, Sequence, TypeVar

PATIENCE = 20.0  # seconds after which a process counts as hung
TICKS = os.sysconf("SC_CLK_TCK")

Address = tuple[str, int]
Word = str | bytes | Path  # of a command
Result = TypeVar("Result")

over = threading.Event()  # set by an interrupt, after which no process is started
_running: list[subprocess.Popen[bytes] | ForkProcess] = []


class Interrupted(Exception):
    pass


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Polls a condition, of which no event tells, until it is true or the time is up.

    Returns its last value.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return value


def start(command: Sequence[Word], **streams: Any) -> subprocess.Popen[bytes]:
    """Starts a program in a process group of its own, so that Ctrl-C reaches us alone."""
    if over.is_set():
        raise Interrupted("interrupted")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RUST_")}
    streams.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen(command, env=environment, process_group=0, **streams)
    _running.append(process)
    return process


def reap(process: subprocess.Popen[bytes], seconds: float = PATIENCE) -> int | None:
    """Waits for a process to end. Returns its exit status, or None if it had to be killed."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
    finally:
        if process in _running:
            _running.remove(process)


def end_all() -> None:
    """Kills every process that was started and has not been reaped, each by its own id."""
    while _running:
        process = _running.pop()
        process.kill()
        process.wait() if isinstance(process, subprocess.Popen) else process.join()


class Ended(NamedTuple):
    """How a program ended, and what it wrote."""

    status: int | None
    output: bytes
    errors: bytes

    @property
    def is_quiet(self) -> bool:
        """At most one line on standard error, and no panic."""
        return self.errors.count(b"\n") <= 1 and not panicked(self.errors)


def panicked(text: bytes) -> bool:
    return b"panicked" in text or b"RUST_BACKTRACE" in text


def run(command: Sequence[Word], scratch: Path, seconds: float = PATIENCE, **streams: Any) -> Ended:
    """Runs a program to its end."""
    output, errors = scratch / "client.out", scratch / "client.err"
    with open(output, "wb") as out, open(errors, "wb") as err:
        streams.setdefault("stdout", out)
        status = reap(start(command, stderr=err, **streams), seconds)
    return Ended(status, output.read_bytes(), errors.read_bytes())


class Running:
    """A client that runs, and may be interrupted."""

    def __init__(self, command: Sequence[Word], scratch: Path) -> None:
        self._output, self._errors = scratch / "run.out", scratch / "run.err"
        with open(self._output, "wb") as out, open(self._errors, "wb") as err:
            self._process = start(command, stdout=out, stderr=err)

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> Ended:
        status = reap(self._process)
        return Ended(status, self._output.read_bytes(), self._errors.read_bytes())


class Server:
    """A running server, from when it listens."""

    def __init__(self, program: str, command: Sequence[Word], scratch: Path, listeners: int = 1) -> None:
        self.program = program
        number = len(list(scratch.iterdir()))
        self.output = scratch / f"{self.program}.{number}.out"
        self._errors = scratch / f"{self.program}.{number}.err"
        # Appending: whoever cuts the file while the server writes gets no hole in it.
        with open(self.output, "ab") as out, open(self._errors, "wb") as err:
            self.process = start(command, stdout=out, stderr=err)
        self.pid = self.process.pid
        self.status: int | None = None
        self.addresses: list[Address] = []
        until(lambda: self.process.poll() is not None or len(self._listening()) == listeners)
        self.addresses = self._listening()
        if len(self.addresses) != listeners:
            reap(self.process, 0)
            raise RuntimeError(f"{self.program} does not listen: {self.errors()[-200:]!r}")

    def _listening(self) -> list[Address]:
        """The addresses that it has printed so far, in text or in JSON."""
        with open(self.output, "rb") as output:
            head = output.read(4096)
        found = []
        for line in head[: head.rfind(b"\n") + 1].decode().splitlines():
            if line.startswith("{") and json.loads(line)["event"] == "listening":
                found.append(json.loads(line)["address"])
            elif "[*] Listening on " in line:
                found.append(line.rsplit(" ", 1)[1])
        pairs = [address.rsplit(":", 1) for address in found]
        return [(host.strip("[]"), int(port)) for host, port in pairs]

    @property
    def address(self) -> Address:
        return self.addresses[0]

    def is_running(self) -> bool:
        return self.process.poll() is None

    def errors(self) -> bytes:
        return self._errors.read_bytes()

    def rss(self) -> int:
        """Resident memory, in bytes."""
        return int(self._status_line("VmRSS").split()[0]) * 1024

    def is_stopped(self) -> bool:
        """Whether SIGSTOP has stopped it, as Ctrl-Z would."""
        return self._status_line("State").startswith("T")

    def _status_line(self, key: str) -> str:
        text = Path(f"/proc/{self.pid}/status").read_text()
        return next(line for line in text.splitlines() if line.startswith(key + ":"))[len(key) + 1 :].strip()

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_share(self, seconds: float) -> float:
        """Measures for so many seconds which share of one processor it uses."""
        start, before = time.monotonic(), self._ticks()
        time.sleep(seconds)
        return (self._ticks() - before) / TICKS / (time.monotonic() - start)

    def _ticks(self) -> int:
        """utime and stime, proc(5). They are counted from the last parenthesis: the name may hold spaces."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """Waits for its end. Returns the exit status, or None if it had to be killed."""
        self.status = reap(self.process, seconds)
        return self.status

    def stop(self) -> int | None:
        if self.is_running():
            self.signal(signal.SIGTERM)
        return self.wait()

    def totals(self) -> dict[str, Any]:
        """The totals: the last object that a server with --json printed before it ended."""
        last: dict[str, Any] = json.loads(self.output.read_bytes().splitlines()[-1])
        if last["event"] != "stopped":
            raise RuntimeError(f"the last event is {last['event']}")
        return last


class Crew(Generic[Result]):
    """Runs a function in several processes, one for each share of the work."""

    def __init__(self, function: Callable[..., Result], shares: Sequence[tuple[Any, ...]]) -> None:
        fork = multiprocessing.get_context("fork")
        self._members = []
        for share in shares:
            receiver, sender = fork.Pipe(duplex=False)
            process = fork.Process(target=_work, args=(function, share, sender))
            process.start()
            sender.close()
            _running.append(process)
            self._members.append((process, receiver))

    def results(self, seconds: float) -> list[Result]:
        """What the function returned in each process. A RuntimeError if one failed, or took too long."""
        deadline = time.monotonic() + seconds
        try:
            return [self._result(pipe, deadline) for _, pipe in self._members]
        finally:
            self.end()

    @staticmethod
    def _result(pipe: "Connection[Any, Any]", deadline: float) -> Result:
        try:
            if pipe.poll(max(0, deadline - time.monotonic())):
                result: Result = pipe.recv()
                return result
        except EOFError:
            raise RuntimeError("a process of the load failed") from None
        raise RuntimeError("a process of the load took too long")

    def end(self) -> None:
        for process, pipe in self._members:
            process.kill()
            process.join()
            pipe.close()
            if process in _running:
                _running.remove(process)


def _work(function: Callable[..., Any], share: tuple[Any, ...], results: "Connection[Any, Any]") -> None:
    # An interrupt is for the first process, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        results.send(function(*share))
    except Exception:
        traceback.print_exc()
    os._exit(0)
