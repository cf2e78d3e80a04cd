"""A case that a script runs (Trial): what it needs, and how it went."""

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, NamedTuple

from lab import harness
from lab.case import Case


class Trial(NamedTuple):
    """A function that tries something, the tools that it needs, and Debian's packages that have them."""

    name: str
    perform: Callable[..., None]  # takes the Case, and what the script has for all
    tools: dict[str, str] = {}
    # What else it needs: says what is missing, or nothing.
    lacks: Callable[[], str | None] = lambda: None

    @property
    def title(self) -> str:
        return (self.perform.__doc__ or "").split("\n", 1)[0].rstrip(".")

    def what_is_missing(self) -> str | None:
        """Why it cannot run here, if it cannot."""
        if tools := [tool for tool in self.tools if not shutil.which(tool)]:
            packages = " ".join(dict.fromkeys(self.tools[tool] for tool in tools))
            return f"{' and '.join(tools)} missing: apt-get install {packages}"
        return self.lacks()

    def run(self, script: str, programs: Path, seed: int, *for_all: Any) -> bool:
        """Runs the case, and prints how it went. Returns whether it failed."""
        if missing := self.what_is_missing():
            failed = "GETTHROUGH_NO_SKIP" in os.environ
            print(f"{self.name:32}SKIPPED: {missing}{', which is a failure here' if failed else ''}", flush=True)
            return failed
        with tempfile.TemporaryDirectory(prefix=f"{script}-") as scratch:
            case = Case(self.name, seed, False, programs, Path(scratch))
            try:
                with case.part(self.name):
                    self.perform(case, *for_all)
            finally:
                harness.end_all()
        seconds = time.monotonic() - case.begun
        print(f"{self.name:32}{'FAILED' if case.failed else 'ok':8}{seconds:6.1f} s  {', '.join(case.notes)}", flush=True)
        for line in case.failures:
            print(f"    !! {line}", flush=True)
        return bool(case.failed)
