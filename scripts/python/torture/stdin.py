"""Standard inputs of every kind, for the clients that read them."""

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Callable

from lab.case import Case
from lab.protocol import PORT, REPLIES

LATER = 0.1  # seconds until the input comes
LONGEST = 5.0  # seconds that a client has


def pipe() -> tuple[int, int]:
    return os.pipe()


def pair() -> tuple[int, int]:
    one, other = socket.socketpair()
    return one.detach(), other.detach()


def terminal() -> tuple[int, int]:
    master, slave = os.openpty()
    return slave, master


def kinds(case: Case, program: str) -> None:
    """A message comes late, through everything that has two ends; or there is none."""
    modes: list[tuple[str, ...]] = [("--message", "-")] + ([()] if program == "udp-client" else [])
    for words in modes:
        for ends in (pipe, pair, terminal):
            for is_blocking in (True, False):
                with case.part(f"{program}, {ends.__name__}"):
                    late(case, program, words, ends, is_blocking)
        for path in ("/", "/proc/self/mem"):
            with case.part(f"{program}, {path}"):
                unusable(case, program, words, path)
    if program == "udp-client":
        # Nothing to send, and too much for a datagram.
        unusable(case, program, (), "/dev/null")
        unusable(case, program, ("--message", "-"), "/dev/zero")


def late(case: Case, program: str, words: tuple[str, ...], ends: Callable[[], tuple[int, int]],
         is_blocking: bool) -> None:
    """The client waits for its input, and has its answer."""
    inner, outer = ends()
    os.set_blocking(inner, is_blocking)
    feeder = threading.Timer(LATER, feed, [outer, ends is terminal])
    feeder.start()
    try:
        ended = case.client(program, f"127.0.0.1:{PORT}", *words, stdin=inner, seconds=LONGEST)
    finally:
        os.close(inner)
        feeder.join()
    reply = REPLIES[program[:3]].encode()
    case.check(ended.status == 0 and reply in ended.output, f"{program} {' '.join(words)}, {ends.__name__}, "
               f"{'' if is_blocking else 'non-'}blocking: {ended}")


def feed(outer: int, is_terminal: bool) -> None:
    with suppress(OSError):  # a client that has ended already
        os.write(outer, b"hello\n")
        time.sleep(LATER)
        if is_terminal:
            os.write(outer, b"\x04")  # Ctrl-D
            time.sleep(LATER)  # closing would hang the terminal up
    os.close(outer)


def unusable(case: Case, program: str, words: tuple[str, ...], path: str) -> None:
    """One line says why, and the exit status is 2."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        ended = case.client(program, f"127.0.0.1:{PORT}", *words, stdin=descriptor, seconds=LONGEST)
    finally:
        os.close(descriptor)
    right = ended.status == 2 and ended.errors.count(b"\n") == 1 and ended.is_quiet
    case.check(right, f"{program} {' '.join(words)}, {path}: {ended}")
