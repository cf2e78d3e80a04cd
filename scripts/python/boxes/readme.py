"""README's table of ways to install: each line that this machine can run, run as it stands there."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

from boxes import system
from boxes.dist import Dist
from boxes.system import System
from boxes.trial import Trial
from lab.case import PROGRAMS, Case
from lab.command import ROOT
from lab.harness import Ended

HEAD = "| where | one line |"
# The ways that a box of Debian's can go, and the files that they take from dist.
WAYS = {"any Linux": "*.tar.gz", "Debian, Ubuntu": "*.deb", "Fedora, RHEL, openSUSE": "*.rpm"}
# What other cases try (containers), or nobody here can: there is no apk, and no second machine.
ELSEWHERE = {"containers", "Alpine", "a box that takes a file"}
WITH_RUST = "with Rust, in this folder"
SUDO = '#!/bin/sh\nexec "$@"\n'  # the box's user is root, and may not have it
SECONDS = 900  # in which cargo builds the programs


def trials() -> Iterator[Trial]:
    tools = system.TOOLS | {"dpkg": "dpkg", "rpm": "rpm", "apt": "apt", "man": "man-db"}
    yield Trial("readme-installs", installs, tools, lacks)
    yield Trial("readme-installs-with-rust", installs_with_rust, {"cargo": "cargo"})


def lacks() -> str | None:
    return None if platform.machine() == "x86_64" else "README has the lines for x86_64"


def ways() -> dict[str, str]:
    """The lines of the table, by where they are for."""
    table = (ROOT / "README.md").read_text().split(f"\n{HEAD}\n")[1].split("\n\n")[0]
    rows = (row.strip("| ").split(" | ") for row in table.splitlines()[1:])
    return {where: line.split("`")[1] for where, line in rows}


def installs(case: Case, dist: Dist) -> None:
    """README's lines for a tarball and for packages install programs that answer, and their man pages"""
    lines = ways()
    case.check(set(lines) == {*WAYS, *ELSEWHERE, WITH_RUST}, f"other ways than are known: {sorted(lines)}")
    for where, pattern in WAYS.items():
        scratch = case.scratch / pattern.strip("*.")
        scratch.mkdir()
        with case.part(where), System(scratch) as box:
            for file in dist.root.glob(pattern):
                shutil.copy(file, box.path(f"/tmp/{file.name}"))
            sudo = box.path("/usr/local/bin/sudo")
            sudo.write_text(SUDO)
            sudo.chmod(0o755)
            installed = box.run("sh", "-c", f"cd /tmp && {lines[where]}")
            case.check(installed.status == 0, f"{where}: {installed.errors.decode()[-300:]}")
            for program in PROGRAMS:
                answers(case, where, program, box.run(program, "--version"))
                page = box.run("man", "--where", program)
                case.check(page.status == 0, f"{where}: no man page of {program}: {page.errors!r}")


def installs_with_rust(case: Case, dist: Dist) -> None:
    """README's line for cargo installs the programs"""
    # cargo's own variable: what is installed is not this user's.
    environment = {**os.environ, "CARGO_INSTALL_ROOT": str(case.scratch)}
    done = subprocess.run(["bash", "-c", ways()[WITH_RUST]], cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS)
    case.check(done.returncode == 0, f"{WITH_RUST}: {done.stderr.decode()[-300:]}")
    for program in PROGRAMS:
        asked = subprocess.run([Path(case.scratch, "bin", program), "--version"], capture_output=True)
        answers(case, WITH_RUST, program, Ended(asked.returncode, asked.stdout, asked.stderr))


def answers(case: Case, where: str, program: str, ended: Ended) -> None:
    case.check(ended.status == 0 and ended.output.decode().startswith(f"{program} "), f"{where}: {program}: {ended}")
