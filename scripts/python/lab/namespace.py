"""Namespaces, setns(2) and unshare(2).

A thread enters a network namespace, and what it starts or opens then belongs
there. A process has a file of its own in another's place.
"""

import ctypes
import os
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000  # linux/sched.h; os.unshare and os.setns came with Python 3.12
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000  # linux/mount.h
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


def cover(path: str, by: str) -> None:
    """Puts a file in the place of another, for this process and what it starts."""
    _call("unshare", CLONE_NEWNS)
    _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    _call("mount", os.fsencode(by), os.fsencode(path), None, MS_BIND, None)


# For sh(1) in namespaces of its own: makes of the directory $1 a root that is this system's, whose changes are kept in
# memory, and goes there.
LAY_OVER = """
mount -t tmpfs -o mode=0755 tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
mount -t tmpfs -o mode=0755 tmpfs root/run
mount -t tmpfs -o mode=1777 tmpfs root/tmp
"""


def lacks_overlayfs() -> str | None:
    """What is missing, if no file system can be laid over another."""
    if "\toverlay\n" not in Path("/proc/filesystems").read_text():
        return "overlayfs missing: modprobe overlay"
    return None


def _call(name: str, *arguments: int | bytes | None) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
