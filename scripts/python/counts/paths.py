"""The hot paths alone: tests in modules called `counts`, of which callgrind counts one function.

They are ignored tests of the library and of the programs. Each does its work as often as TIMES says
(common::testing::counted), and only the work is collected: so a count is exact to the instruction, but
where the work wakes another thread.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Iterator, NamedTuple

from counts.tracers import INSTRUCTIONS, callgrind
from lab import harness
from lab.harness import Word

TIMES = 1_000
COUNTED = "--toggle-collect=*testing::counted::collected*"
PACKAGES = ("common", "tcp-server", "udp-server")
TEST = re.compile(r"^((?:\w+::)*)counts::(\w+): test$", re.MULTILINE)
LONGEST_RUN = 60.0  # seconds


class HotPath(NamedTuple):
    """A test, and the program that has it."""

    package: str
    test: str
    binary: Path

    def __str__(self) -> str:
        *modules, words = self.test.split("::")
        module = "::".join(module for module in modules if module not in ("tests", "counts"))
        return f"{self.package}, {module}: {words.replace('_', ' ')}"

    def counted(self, scratch: Path) -> float:
        log = scratch / "count"
        log.unlink(missing_ok=True)
        # In the test's own thread, as nothing else is collected.
        words: list[Word] = [self.binary, "--exact", self.test, "--ignored", "--test-threads=1"]
        command: list[Word] = ["env", f"TIMES={TIMES}", *callgrind(log, COUNTED), *words]
        ended = harness.run(command, scratch, LONGEST_RUN)
        if ended.status != 0:
            raise RuntimeError(f"{self} fails: {(ended.output + ended.errors).decode(errors='replace')[-600:]}")
        count = INSTRUCTIONS.counted(log) / TIMES
        if not count:
            raise RuntimeError(f"{self}: nothing was collected of {COUNTED}")
        return count


def build(root: Path, target: Path) -> list[HotPath]:
    """Builds the tests of the checkout at `root` with the profile `counts`, and finds the hot paths."""
    command = "cargo test --no-run --profile counts --locked --quiet --all-features --lib --bins".split()
    command += [word for package in PACKAGES for word in ("--package", package)]
    command += ["--message-format", "json", "--target-dir", os.fspath(target)]
    built = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True)
    if built.returncode != 0:
        raise RuntimeError("the tests cannot be built")
    messages = map(json.loads, built.stdout.splitlines())
    binaries = [(message["target"]["name"], Path(message["executable"])) for message in messages
                if message.get("executable") and message["profile"]["test"]]
    return [path for name, binary in sorted(binaries) for path in hot_paths(name, binary)]


def hot_paths(package: str, binary: Path) -> Iterator[HotPath]:
    listed = subprocess.run([binary, "--list", "--ignored"], stdout=subprocess.PIPE, text=True, check=True)
    for found in TEST.finditer(listed.stdout):
        yield HotPath(package, f"{found.group(1)}counts::{found.group(2)}", binary)
