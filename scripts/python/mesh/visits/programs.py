"""The programs that are brought along: a set of the four for each kind of machine."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path
from typing import NamedTuple, Self

from lab.case import PROGRAMS

# What uname(1) says, and what the directories in a release's bin/ are called.
STATIC = "{machine}-musl"


class Programs(NamedTuple):
    """Where each program is, and the sum of its bytes, by the machine that it is for."""

    files: dict[str, dict[str, Path]]
    sums: dict[str, dict[str, str]]
    version: str | None  # None if none of them runs on this machine

    @classmethod
    def find(cls, directory: Path) -> Self:
        """The programs in a directory: those of this machine, or a directory MACHINE-musl for each kind (dist/bin).

        A ValueError says that there are none.
        """
        found = {platform.machine(): directory} if is_whole(directory) else {
            each.name.removesuffix(STATIC.format(machine="")): each
            for each in sorted(directory.glob(STATIC.format(machine="*"))) if is_whole(each)
        }
        if not found:
            raise ValueError(f"{directory}: has neither the four programs nor a directory MACHINE-musl with them")
        files = {machine: {name: place / name for name in PROGRAMS} for machine, place in found.items()}
        sums = {machine: {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in four.items()}
                for machine, four in files.items()}
        return cls(files, sums, next(filter(None, map(version, found.values())), None))


def is_whole(directory: Path) -> bool:
    return all(os.access(directory / name, os.X_OK) for name in PROGRAMS)


def version(directory: Path) -> str | None:
    try:
        done = subprocess.run([directory / PROGRAMS[0], "--version"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None  # for another machine
    return done.stdout.split()[-1] if done.returncode == 0 and done.stdout else None
