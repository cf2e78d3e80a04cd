"""The tables, in markdown."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

from compare.situations import SITUATIONS, Outcome
from compare.tools import TOOLS, Tool
from lab.markdown import table

COLUMNS = 4  # tools in a table, so that it fits into a wide terminal
NOTABLE = 0.5  # seconds from which on a time is printed


def cell(outcome: Outcome) -> str:
    status = "killed" if outcome.status is None else outcome.status
    took = f" {outcome.seconds:.1f} s" if outcome.seconds >= NOTABLE else ""
    return f"{outcome.said} [{status}]{took}".replace("|", "\\|")


def of_protocol(protocol: str, tools: list[Tool], played: list[list[Outcome]]) -> Iterator[str]:
    """The tables of a protocol. `played` has a list for each situation, with an outcome for each tool."""
    for first in range(0, len(tools), COLUMNS):
        chosen = slice(first, first + COLUMNS)
        rows = [["", *(tool.title for tool in tools[chosen])]]
        for number, (situation, outcomes) in enumerate(zip(SITUATIONS, played), 1):
            rows.append([f"{number} {situation.text(protocol)}", *map(cell, outcomes[chosen])])
        yield from table(rows)
        yield ""


def commands(tools: list[Tool]) -> Iterator[str]:
    yield "```sh"
    for tool in tools:
        if tool.server:
            yield f"{tool.server}  # on b, in situation 1"
        yield str(tool)
    yield "```"


def versions(programs: Path) -> Iterator[str]:
    ours = subprocess.run([programs / "tcp-client", "--version"], capture_output=True, text=True).stdout.split()
    yield f"Linux {os.uname().release.split('-')[0]}, {distribution()}"
    yield f"getthrough {ours[-1] if ours else '?'}"
    for package in dict.fromkeys(tool.package for tool in TOOLS if tool.package and tool.is_there()):
        yield f"{package} {version(package)}"


def distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return "distribution unknown"


def version(package: str) -> str:
    if not shutil.which("dpkg-query"):
        return "?"
    asked = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(asked, capture_output=True, text=True).stdout or "?"
