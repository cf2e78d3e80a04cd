"""What the page shows besides commands: rules for Prometheus, units for systemd, scripts.

Each is read by a program that knows its format.
"""

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

from recipes.page import Block

METRIC = re.compile(r"\bgetthrough_[a-z_]+")


class Lacking(Exception):
    """A tool is not there; the words say which one, and what has it."""


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if not found:
        raise Lacking(f"{name} missing: apt-get install {package}")
    return found


def said_by(*command: str | Path, text: str | None = None) -> str:
    """What a program says that finds a mistake; nothing if it does not."""
    done = subprocess.run(command, input=text, text=True, capture_output=True)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()


def mistakes_in_rules(block: Block, scratch: Path, exported: str) -> Iterator[str]:
    """What Prometheus would not take; and metrics that are in no file of --prometheus that the recipe has made."""
    kind = "rules" if block.text.startswith("groups:") else "config"
    file = scratch / f"{block.number}.yml"
    file.write_text(block.text)
    if wrong := said_by(tool("promtool", "prometheus"), "check", kind, file):
        yield f"promtool: {wrong}"
    for metric in sorted(set(METRIC.findall(block.text)) - set(METRIC.findall(exported))):
        yield f"no program exports {metric}"


def mistakes_in_metrics(exported: str) -> Iterator[str]:
    if wrong := said_by(tool("promtool", "prometheus"), "check", "metrics", text=exported):
        yield f"promtool: {wrong}"


def mistakes_in_unit(block: Block, scratch: Path, programs: Path) -> Iterator[str]:
    """What systemd would not take. The programs are where they are here."""
    name = block.note or "recipe.service"
    file = scratch / name
    file.write_text(re.sub(r"(?m)^(ExecStart=)(?=[a-z])", rf"\1{programs}/", block.text))
    # It succeeds when it has only warned; and it may warn of units of this machine.
    command: list[str | Path] = [tool("systemd-analyze", "systemd"), "verify", "--man=no", file]
    done = subprocess.run(command, text=True, capture_output=True)
    wrong = [line for line in (done.stdout + done.stderr).splitlines() if name in line]
    if wrong or done.returncode != 0:
        yield f"systemd-analyze: {' '.join(wrong) or done.stderr}"


def started_by(block: Block) -> str:
    """The command of a unit."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block.text)
    return unit["Service"]["ExecStart"]


def mistakes_in_script(block: Block) -> Iterator[str]:
    if wrong := said_by(tool("shellcheck", "shellcheck"), "--shell=sh", "-", text=block.text):
        yield f"shellcheck: {wrong}"
