"""What there is to count in a checkout: its hot paths, and its programs' exchanges."""

import os
import subprocess
from functools import partial
from pathlib import Path
from typing import Callable, NamedTuple

from counts import exchanges, paths
from lab.command import ROOT

TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


class Counts(NamedTuple):
    """What is to be counted, by name, in the order in which it is."""

    chosen: dict[str, Callable[[], float]]
    are_all: bool


class Checkout(NamedTuple):
    """A commit's files."""

    root: Path
    target: Path
    programs: Path | None  # as they are shipped; none if they are still to be built

    @classmethod
    def here(cls, programs: Path) -> "Checkout":
        return cls(ROOT, TARGET, programs)

    @classmethod
    def of(cls, revision: str, scratch: Path) -> "Checkout":
        """Another commit. It is built in a directory of its own."""
        root = scratch / "base"
        root.mkdir()
        archive = subprocess.run(["git", "archive", revision], cwd=ROOT, stdout=subprocess.PIPE)
        if archive.returncode != 0:
            raise RuntimeError(f"git has no {revision} to compare with")
        subprocess.run(["tar", "-x"], cwd=root, input=archive.stdout, check=True)
        return cls(root, TARGET / "counts-base", None)

    def counts(self, scratch: Path, words: str) -> Counts:
        """All that can be counted and has these words in its name."""
        work = scratch / "work"
        work.mkdir(exist_ok=True)
        hot_paths, cases = paths.build(self.root, self.target), list(exchanges.cases())
        chosen_cases = [case for case in cases if words in str(case)]
        programs = self.programs or (self._build() if chosen_cases else self.target)
        chosen: dict[str, Callable[[], float]] = {}
        for path in hot_paths:
            if words in str(path):
                chosen[str(path)] = partial(path.counted, work)
        for case in chosen_cases:
            chosen[str(case)] = partial(case.counted, programs, work)
        return Counts(chosen, len(chosen) == len(hot_paths) + len(cases))

    def _build(self) -> Path:
        command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", os.fspath(self.target)]
        if subprocess.run(command, cwd=self.root).returncode != 0:
            raise RuntimeError(f"{self.root} cannot be built")
        return self.target / "release"
