"""The steps of a release: each has a line, with what came of it, and how long it took."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping, Sequence

PATIENCE = 5.0  # seconds that a tool has to end when it is asked to


class Failure(Exception):
    """A release cannot be made: the thing and the reason, in one line."""


@contextmanager
def step(what: str) -> Iterator[list[str]]:
    """A step is the block. What it adds to the list stands in the line."""
    notes: list[str] = []
    begun = time.monotonic()
    print(f"{what:36}", end="", flush=True)
    try:
        yield notes
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - begun:6.1f} s  {', '.join(notes)}".rstrip(), flush=True)


def run(command: Sequence[str | Path], cwd: Path | None = None, environment: Mapping[str, str] | None = None,
        is_shown: bool = False) -> str:
    """Runs a tool to its end, and returns what it printed, unless that is shown.

    What it starts is in a process group of its own, and ends with it: cargo would leave its compilers behind.
    """
    streams = None if is_shown else subprocess.PIPE
    tool = Path(command[0]).name
    try:
        process = subprocess.Popen(command, cwd=cwd, env=environment, process_group=0, text=True,
                                   stdin=subprocess.DEVNULL, stdout=streams, stderr=streams)
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from None
    try:
        output, errors = process.communicate()
    except BaseException:
        end(process)
        raise
    if process.returncode != 0:
        if not is_shown:
            print(f"\n{output}{errors}", file=sys.stderr)
        raise Failure(f"{tool}: {how_it_ended(process.returncode)}")
    return output or ""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One release at a time uses the folder: another one waits."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another release", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.communicate(timeout=PATIENCE)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def how_it_ended(status: int) -> str:
    return f"exit status {status}" if status > 0 else f"ended by {signal.Signals(-status).name}"
