"""Network namespaces, setns(2): a thread enters one, and what it starts or opens then belongs there."""

import ctypes
import os

CLONE_NEWNET = 0x40000000  # linux/sched.h; os.unshare and os.setns came with Python 3.12
OWN = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


def enter_new() -> None:
    """Puts this thread into a network namespace that nobody else is in."""
    _call("unshare", CLONE_NEWNET)


def enter(descriptor: int) -> None:
    _call("setns", descriptor, CLONE_NEWNET)


def open_own() -> int:
    """A descriptor of the namespace that this thread is in."""
    return os.open(OWN, os.O_RDONLY)


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
