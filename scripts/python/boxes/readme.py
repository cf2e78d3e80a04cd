"""README's table of ways to install: each line that this machine can run, run as it stands there."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

from boxes import engine, system
from boxes.dist import Dist
from boxes.system import System
from lab.trial import Trial
from lab.case import PROGRAMS, Case
from lab.command import ROOT
from lab.engine import Container, docker, lacks as lacks_docker
from lab.harness import Ended, until

HEAD = "| where | one line |"
# The ways that a box of Debian's can go, and the files that they take from dist.
WAYS = {"any Linux": "*.tar.gz", "Debian, Ubuntu": "*.deb", "Fedora, RHEL, openSUSE": "*.rpm"}
CONTAINERS = {"tcp": "containers: a TCP server", "udp": "containers: a UDP server"}
CLIENT = "containers: a client"
# What nobody here can try: there is no apk, and no second machine.
ELSEWHERE = {"Alpine", "a box that takes a file"}
WITH_RUST = "with Rust, in the source's folder"
SUDO = '#!/bin/sh\nexec "$@"\n'  # the box's user is root, and may not have it
SECONDS = 900  # in which cargo builds the programs


def trials() -> Iterator[Trial]:
    tools = system.TOOLS | {"dpkg": "dpkg", "rpm": "rpm", "apt": "apt", "man": "man-db"}
    yield Trial("readme-installs", installs, tools, lacks)
    yield Trial("readme-containers", containers, {"docker": "docker.io"}, lacks_docker)
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
    case.check(set(lines) == {*WAYS, *CONTAINERS.values(), CLIENT, *ELSEWHERE, WITH_RUST}, f"other ways than are known: {sorted(lines)}")
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


def containers(case: Case, dist: Dist) -> None:
    """README's lines for containers: the servers can be reached from here, by TCP and by UDP, and a client reaches one"""
    image, lines = engine.image(dist), ways()
    for protocol, where in CONTAINERS.items():
        name = f"{engine.OURS}-readme-{protocol}"
        # The system chooses a port of this machine, and only this machine can reach it.
        words = docker_words(lines[where], image, "--detach", "--name", name)
        words = [word.replace("6666:6666", "127.0.0.1::6666") for word in words]
        docker(*words)
        try:
            server = Container(name)
            until(lambda: "Listening on" in server.logs())
            address = docker("port", name).split()[-1]
            client = case.client(f"{protocol}-client", address, "--message", "hello")
            case.check(client.status == 0, f"{where}: {client}")
            inside = server.inspect()["NetworkSettings"]["IPAddress"]
            if protocol == "tcp":
                words = [inside if word == "box" else word for word in docker_words(lines[CLIENT], image)]
                case.check(docker(*words) == "ACK!", "the client has no reply")
        finally:
            docker("rm", "--force", name)


def docker_words(line: str, image: str, *options: str) -> list[str]:
    """What docker is called with, but for its name: `run`, these options, and what the line says."""
    program, run, *rest = line.split()
    if (program, run) != ("docker", "run"):
        raise ValueError(f"not docker run: {line}")
    return [run, *options, *(image if word == "getthrough" else word for word in rest)]


def answers(case: Case, where: str, program: str, ended: Ended) -> None:
    case.check(ended.status == 0 and ended.output.decode().startswith(f"{program} "), f"{where}: {program}: {ended}")
