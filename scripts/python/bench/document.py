"""docs/performance.md: its tables and its picture are made from the figures that --save has written."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path

from bench import picture, tables
from bench.figures import Saved
from lab.command import ROOT
from lab.markdown import fill

DOCUMENT = ROOT / "docs/performance.md"
PICTURE = ROOT / "docs/performance.svg"


def draw(saved: Saved) -> None:
    text = DOCUMENT.read_text()
    for half in dict.fromkeys(figure.half for figure in saved.figures):
        own = [figure for figure in saved.figures if figure.half == half]
        text = fill(text, half, tables.lines(own))
        if half == "servers":
            text = fill(text, "floor", tables.floor(own))
            PICTURE.write_text(picture.draw(own, saved.measured))
    DOCUMENT.write_text(fill(text, "measured", [saved.measured]))


def provenance(rounds: int) -> str:
    """When and where this is measured."""
    cores = os.cpu_count()
    release = ".".join(os.uname().release.split(".")[:2])
    return (f"Measured on {time.strftime('%Y-%m-%d')} in {rounds} rounds, commit {commit()}, "
            f"{cores} cores ({processor()}), Linux {release}.")


def commit() -> str:
    """The commit that is checked out; changes that are in none are said."""
    found = subprocess.run("git describe --always --dirty=-changed --exclude=*".split(), cwd=ROOT, capture_output=True,
                           text=True)
    return found.stdout.strip() or "unknown"


def processor() -> str:
    named = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return re.sub(r"\((R|TM)\)|@.*| CPU| Processor", "", named[1]).strip() if named else platform.machine()
