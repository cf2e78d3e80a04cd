"""Runs each case in a process of its own, as many at a time as the machine bears.

Forked from a process that has no threads. So nothing is locked in the child, and
each case has its own namespace, loop and client.
"""

import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Iterator

from lab.case import Case
from oracle import play
from oracle.play import CAPACITY, Play, Row

PATIENCE = 60.0  # seconds after which a case counts as hung


class Crew:
    def __init__(self, plays: list[Play], seed: int, programs: Path, scratch: Path) -> None:
        self._pending = list(plays)
        self._seed, self._programs, self._scratch = seed, programs, scratch
        self._running: dict["Connection[Row, Row]", tuple[Play, multiprocessing.context.ForkProcess, float]] = {}

    def rows(self) -> Iterator[tuple[Play, Row]]:
        """Each case with how it went, as they end."""
        while self._pending or self._running:
            self._start()
            for pipe in wait(list(self._running), timeout=1.0):
                assert isinstance(pipe, Connection)
                yield self._ended(pipe)
            for pipe, (case, process, begun) in list(self._running.items()):
                if time.monotonic() - begun > PATIENCE:
                    process.terminate()

    def _start(self) -> None:
        """Starts what fits, the heaviest first: light ones fill the gaps."""
        self._pending.sort(key=lambda play: -play.weight)
        for each in list(self._pending):
            if sum(case.weight for case, _, _ in self._running.values()) + each.weight <= CAPACITY:
                self._pending.remove(each)
                fork = multiprocessing.get_context("fork")
                receiver, sender = fork.Pipe(duplex=False)
                process = fork.Process(target=self._work, args=(each, sender))
                process.start()
                sender.close()
                self._running[receiver] = (each, process, time.monotonic())

    def _work(self, each: Play, results: "Connection[Row, Row]") -> None:
        # Ctrl-C is for the first process, which then terminates this one, and with it the client.
        # To ignore it would be inherited by the client, whose own end by that signal is tested.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        own = self._scratch / each.name
        own.mkdir()
        begun = time.monotonic()
        row = play.perform(each, Case(each.name, self._seed, False, self._programs, own))
        results.send(row._replace(seconds=time.monotonic() - begun))
        os._exit(0)

    def _ended(self, pipe: "Connection[Row, Row]") -> tuple[Play, Row]:
        each, process, begun = self._running.pop(pipe)
        try:
            row = pipe.recv()
        except EOFError:
            row = Row("nothing", ["its process has ended without a result"], 1, [], time.monotonic() - begun)
        pipe.close()
        process.join()
        return each, row

    def end(self) -> None:
        """Ends all that runs. Each process ends its client."""
        for _, process, _ in self._running.values():
            process.terminate()
        for _, process, _ in self._running.values():
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()
