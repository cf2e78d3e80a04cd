"""The counts that are kept in the repository, beside which new ones are compared."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

PLACE = Path("scripts/python/counts/kept.json")  # in the repository


class Kept(NamedTuple):
    """The counts, by name, and the tools that made them."""

    made_with: dict[str, str]
    counts: dict[str, float]

    @classmethod
    def read(cls, root: Path) -> "Kept":
        if not (root / PLACE).exists():
            return cls({}, {})
        read: Any = json.loads((root / PLACE).read_text())
        return cls(read["made_with"], read["counts"])

    def write(self, root: Path) -> None:
        """One count a line, sorted, so that the difference shows what a commit has cost."""
        in_order = {"made_with": self.made_with, "counts": dict(sorted(self.counts.items()))}
        (root / PLACE).write_text(json.dumps(in_order, indent=2) + "\n")

    def others(self, tools: dict[str, str]) -> list[str]:
        """The tools that are others now than those that made the counts. They would make other counts."""
        return [f"{tool} is {now}, and was {self.made_with.get(tool, 'none')}"
                for tool, now in tools.items() if self.made_with.get(tool) != now]


def tools() -> dict[str, str]:
    """What counts depend on, beside our source and Cargo.lock.

    The C library chooses its string functions by what the processor can do.
    """
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    wide = "with AVX2" if flags and "avx2" in flags.group(1).split() else "without AVX2"
    return {"rustc": said("rustc", "--version"), "libc": os.confstr("CS_GNU_LIBC_VERSION") or "unknown",
            "valgrind": said("valgrind", "--version"), "processor": f"{platform.machine()} {wide}"}


def said(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def commit(root: Path) -> str:
    """The last commit that kept counts."""
    found = subprocess.run(["git", "log", "-1", "--format=%H", "--", PLACE], cwd=root, stdout=subprocess.PIPE, text=True)
    if found.returncode != 0 or not found.stdout:
        raise RuntimeError("no commit has kept counts: scripts/counts --accept")
    return found.stdout.strip()
