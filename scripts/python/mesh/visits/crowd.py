"""A command on many hosts at once: what is written to it, what it says, and how it ends.

How it is started there, a transport knows (mesh.visits.transports). Some have a process
for each host, some one for all.
"""

import os
import resource
import selectors
import signal
import subprocess
import time
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from typing import Callable, Collection, Iterable, Iterator, NamedTuple, Sequence

# How many processes may be about to connect: more at once would compete for this machine, and run into time limits.
CONNECTING = 64
LONGEST = 1 << 20  # bytes of a line; what has longer ones is not ours
CHUNK = 1 << 16
SOON = 0.02  # seconds until it is looked again whether a process has ended that says no more


class CannotRun(Exception):
    """This machine lacks what a transport needs: `clush missing: apt-get install clustershell`."""


class Said(NamedTuple):
    """A line that came from a host: from the command there, or of standard error, which may be the transport's."""

    host: str
    text: str
    is_error: bool = False


class Ended(NamedTuple):
    """The command has ended on a host, or has not begun there."""

    host: str
    status: int


Event = Said | Ended
# Which events a line of a process stands for: who may be meant, the line, whether it is of standard error.
Reading = Callable[[Sequence[str], str, bool], Iterable[Event]]


def plainly(hosts: Sequence[str], text: str, is_error: bool) -> Iterable[Event]:
    """A process for each host says nothing but what comes from there."""
    return (Said(hosts[0], text, is_error),)


class Call(NamedTuple):
    """A process to start, and the hosts that it speaks to."""

    hosts: Sequence[str]
    command: Sequence[str]
    place: Callable[[], AbstractContextManager[None]] = nullcontext  # what it is started in


class _Speaker:
    """A process: what it has still to be told, and what it has begun to say."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.process: subprocess.Popen[bytes] | None = None
        self.has_spoken = False
        self.is_over = False
        self.gone: set[str] = set()  # the hosts whose end it has told
        self.to_say: deque[memoryview] = deque()
        self.says_no_more = False
        self.begun = {False: bytearray(), True: bytearray()}
        self.open: set[bool] = {False, True}  # standard output (False), standard error

    def start(self) -> None:
        # A session of its own: Ctrl-C is ours, and the end of input is what ends the others.
        try:
            with self.call.place():
                self.process = subprocess.Popen(
                    self.call.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    start_new_session=True, bufsize=0,
                )
        except OSError as error:
            raise CannotRun(f"{self.call.command[0]}: {error.strerror}") from None
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream
            os.set_blocking(stream.fileno(), False)

    def tell(self) -> None:
        """Writes as much as fits. Who does not read any more has ended, or will."""
        assert self.process and self.process.stdin
        try:
            while self.to_say:
                written = os.write(self.process.stdin.fileno(), self.to_say[0][:CHUNK])
                self.to_say[0] = self.to_say[0][written:]
                if not self.to_say[0]:
                    self.to_say.popleft()
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.to_say.clear()
            self.says_no_more = True


class Crowd:
    """The hosts on which a command runs. What it says is heard by `events`, which also writes what is to be sent."""

    def __init__(self, calls: Iterable[Call], reading: Reading = plainly) -> None:
        self._reading = reading
        self._all = [_Speaker(call) for call in calls]
        self._of = {host: each for each in self._all for host in each.call.hosts}
        self._waiting = deque(self._all)
        self._selector = selectors.DefaultSelector()
        # Three for each process: 1024, as usual, would do for some 300 hosts.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def send(self, data: bytes, hosts: Collection[str]) -> set[str]:
        """Sends to some hosts. Returns who gets it, which may be more than those."""
        speakers = {id(self._of[host]): self._of[host] for host in hosts}.values()
        for each in speakers:
            if not each.is_over and not each.says_no_more:
                each.to_say.append(memoryview(data))
                self._heed_input(each)
        return {host for each in speakers for host in each.call.hosts}

    def end_input(self) -> None:
        """The end of input for everybody."""
        for each in self._all:
            each.says_no_more = True
            self._heed_input(each)

    def end_input_of(self, host: str) -> None:
        """The end of input for a host, unless its process also speaks to others."""
        each = self._of[host]
        if len(each.call.hosts) == 1:
            each.says_no_more = True
            self._heed_input(each)

    def events(self, seconds: float) -> Iterator[Event]:
        """What happens within so many seconds: ends with the first that does, and what came with it."""
        self._start_some()
        is_ending = any(not each.is_over and False not in each.open for each in self._all)
        found = self._selector.select(max(0.0, min(seconds, SOON) if is_ending else seconds))
        for key, _ in found:
            each, what = key.data
            if what == "input":
                each.tell()
                self._heed_input(each)
            else:
                yield from self._hear(each, what)
        for each in self._all:
            # Standard error may stay open: an ssh that keeps the connection for others has it.
            if each.process and not each.is_over and False not in each.open and each.process.poll() is not None:
                if True in each.open:
                    yield from self._hear(each, True)
                yield from self._reap(each)

    def close(self) -> None:
        """Kills what still runs here."""
        for each in self._all:
            self._kill(each)
            if each.process:
                each.process.wait()
                self._forget(each)
            each.is_over = True
        self._waiting.clear()
        self._selector.close()

    @property
    def is_over(self) -> bool:
        return all(each.is_over for each in self._all)

    def _start_some(self) -> None:
        connecting = sum(1 for each in self._all if each.process and not each.has_spoken and not each.is_over)
        while self._waiting and connecting < CONNECTING:
            each = self._waiting.popleft()
            connecting += 1
            each.start()
            assert each.process and each.process.stdout and each.process.stderr
            self._selector.register(each.process.stdout, selectors.EVENT_READ, (each, False))
            self._selector.register(each.process.stderr, selectors.EVENT_READ, (each, True))
            self._heed_input(each)

    def _heed_input(self, each: _Speaker) -> None:
        """The selector knows a process's input for as long as there is something to write."""
        stream = each.process.stdin if each.process else None
        if not stream or stream.closed:
            return
        is_known = stream in self._selector.get_map()
        if each.to_say and not is_known:
            self._selector.register(stream, selectors.EVENT_WRITE, (each, "input"))
        elif not each.to_say:
            if is_known:
                self._selector.unregister(stream)
            if each.says_no_more:
                stream.close()

    def _hear(self, each: _Speaker, is_error: bool) -> Iterator[Event]:
        assert each.process
        stream = each.process.stderr if is_error else each.process.stdout
        assert stream
        buffer = each.begun[is_error]
        try:
            data = os.read(stream.fileno(), CHUNK)
        except BlockingIOError:
            return
        buffer += data
        each.has_spoken = each.has_spoken or bool(data)
        if not data:
            self._selector.unregister(stream)
            each.open.discard(is_error)
            if buffer:
                buffer += b"\n"
        *lines, rest = buffer.split(b"\n")
        each.begun[is_error] = rest
        for line in lines:
            for event in self._reading(each.call.hosts, line.decode(errors="replace").rstrip("\r"), is_error):
                if isinstance(event, Ended):
                    each.gone.add(event.host)
                yield event
        if len(rest) > LONGEST:
            self._kill(each)

    def _reap(self, each: _Speaker) -> Iterator[Event]:
        assert each.process
        status = each.process.wait()
        self._forget(each)
        each.is_over = True
        for host in each.call.hosts:
            if host not in each.gone:
                yield Ended(host, status)

    def _forget(self, each: _Speaker) -> None:
        assert each.process
        for stream in (each.process.stdin, each.process.stdout, each.process.stderr):
            if stream and not stream.closed:
                if stream in self._selector.get_map():
                    self._selector.unregister(stream)
                stream.close()

    def _kill(self, each: _Speaker) -> None:
        """By its group: ssh may have started a ProxyCommand."""
        if each.process and each.process.poll() is None:
            try:
                os.killpg(each.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        elif not each.process and each in self._waiting:
            self._waiting.remove(each)
            each.is_over = True


def until(crowd: Crowd, seconds: float, hear: Callable[[Event], None], satisfied: Callable[[], bool]) -> bool:
    """Hears events until what is waited for is there, or the time is up. Returns whether it is there."""
    deadline = time.monotonic() + seconds
    while not satisfied():
        left = deadline - time.monotonic()
        if left <= 0 or crowd.is_over:
            return satisfied()
        for event in crowd.events(left):
            hear(event)
    return True
