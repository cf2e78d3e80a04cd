"""The one loop of a case: descriptors to read, and actions at their times.

A case has a process to itself, and this loop is all that it runs: a thread that
answered beside others would wait for Python's lock, and its times would be theirs.
"""

import ctypes
import heapq
import itertools
import select
import time
from typing import Callable

PR_SET_TIMERSLACK = 29  # prctl(2): otherwise the kernel may wake us 50 microseconds late

IN_A_TURN = 8  # actions before what has come meanwhile is read

Action = Callable[[], object]
NANO = 1_000_000_000


class Loop:
    def __init__(self) -> None:
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
        self._planned: list[tuple[int, int, Action]] = []
        self._order = itertools.count()
        self._watched: dict[int, Action] = {}

    def at(self, when: int, action: Action) -> None:
        """Does it when time.monotonic_ns() is so much."""
        heapq.heappush(self._planned, (when, next(self._order), action))

    def later(self, seconds: float, action: Action) -> None:
        self.at(time.monotonic_ns() + round(seconds * NANO), action)

    def watch(self, descriptor: int, action: Action) -> None:
        """Does it whenever this can be read."""
        self._watched[descriptor] = action

    def unwatch(self, descriptor: int) -> None:
        self._watched.pop(descriptor, None)

    def run(self, over: Callable[[], bool], seconds: float) -> bool:
        """Goes on until it is over. Returns whether that came to pass in so many seconds."""
        end = time.monotonic_ns() + round(seconds * NANO)
        while not over():
            self._act()
            now = time.monotonic_ns()
            if now >= end:
                return False
            until = min(self._planned[0][0], end) if self._planned else end
            # select(2) waits in microseconds, where epoll's milliseconds would be too coarse.
            ready = select.select(list(self._watched), [], [], max(0, until - now) / NANO)[0]
            for descriptor in ready:
                if action := self._watched.get(descriptor):
                    action()
        return True

    def _act(self) -> None:
        for _ in range(IN_A_TURN):
            if not self._planned or self._planned[0][0] > time.monotonic_ns():
                return
            heapq.heappop(self._planned)[2]()
