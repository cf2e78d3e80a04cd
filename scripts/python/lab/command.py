"""What the scripts that are in Python do alike: options, requirements, the programs, an interrupt."""

import argparse
import fnmatch
import os
import random
import shutil
import signal
import subprocess
import sys
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple, Sequence

from lab import harness
from lab.case import PROGRAMS

ROOT = Path(__file__).resolve().parent.parent.parent.parent


class Command(NamedTuple):
    """One of the scripts: its name, and what it needs."""

    name: str
    tools: dict[str, str]  # and Debian's packages that have them
    root_for: str | None = None  # what it needs root for, if it does

    def programs(self, given: Path | None) -> Path | None:
        """Where the programs are: in the given directory, or freshly built.

        None if this command cannot run, which it has said then.
        """
        return (given or build()) if self.can_run() else None

    def can_run(self) -> bool:
        """Whether nothing is missing; says what is."""
        missing = self._what_is_missing()
        if missing:
            print(f"{self.name}: {missing}", file=sys.stderr)
        return not missing

    def _what_is_missing(self) -> str | None:
        if sys.version_info < (3, 11) or sys.platform != "linux":
            return "needs Linux and Python 3.11 or later"
        if self.root_for and os.geteuid() != 0:
            return f"needs root, for {self.root_for}: sudo scripts/{self.name}"
        if tools := [tool for tool in self.tools if not shutil.which(tool)]:
            packages = " ".join(self.tools[tool] for tool in tools)
            return f"{' and '.join(tools)} missing: apt-get install {packages}"
        return None


def build() -> Path | None:
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT)
    return (ROOT / target / "release") if built.returncode == 0 else None


def options(description: str | None) -> argparse.ArgumentParser:
    """A parser that prints the command's docstring as it is written."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS
    )


def add_bin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bin", type=directory, metavar="DIR", help="where the programs are")


def add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32),
                        help="what every random part derives from")


def among(known: Iterable[str], of: str) -> Callable[[str], list[str]]:
    """A parser of the names of some of these, separated by commas. A name may be a pattern: 'udp6-*'."""
    names = list(known)

    def chosen(words: str) -> list[str]:
        found: dict[str, None] = {}
        for word in words.split(","):
            matching = fnmatch.filter(names, word)
            if not matching:
                raise argparse.ArgumentTypeError(f"no such {of}: {word}")
            found.update(dict.fromkeys(matching))
        return list(found)

    return chosen


def directory(word: str) -> Path:
    path = Path(word).resolve()
    if absent := [program for program in PROGRAMS if not os.access(path / program, os.X_OK)]:
        raise argparse.ArgumentTypeError(f"{word} has no {', '.join(absent)}")
    return path


def heed_signals() -> None:
    """SIGTERM and SIGHUP interrupt, as Ctrl-C does.

    The programs that are started heed SIGINT and SIGHUP, although a background job of a
    script inherits the one ignored, and with nohup the other: what is handled here is not
    ignored after exec(2).
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    is_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    signal.signal(signal.SIGHUP, (lambda *_: None) if is_ignored else signal.default_int_handler)


def end(running: Sequence[Future[Any]]) -> None:
    """Ends what runs, and starts nothing else.

    A thread that is just about to start a process may still do so: therefore
    processes are ended until no thread is left.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    harness.over.set()
    for future in running:
        future.cancel()
    while wait(running, timeout=0.05).not_done:
        harness.end_all()
