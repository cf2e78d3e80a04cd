"""Docker's engine: the image, built once, and what a case starts there and takes away again."""

import atexit
import functools
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Sequence

from boxes.dist import Dist
from lab import engine, harness
from lab.engine import Container, docker
from lab.harness import Ended, until

# What this process makes has this in its name, so that nobody else's is touched.
OURS = f"getthrough-boxes-{os.getpid()}"
CONFINED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def compose() -> list[str] | None:
    """How Compose is called here: a plugin of docker (version 2), or a program of its own (version 1)."""
    plugin = ["docker", "compose"]
    if subprocess.run([*plugin, "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
        return plugin
    return ["docker-compose"] if shutil.which("docker-compose") else None


def image(dist: Dist) -> str:
    """The name of the image, which is built the first time, and removed when this process ends."""
    build_once(dist.root)
    return OURS


@functools.cache
def build_once(dist: Path) -> None:
    atexit.register(engine.remove_image, OURS)
    engine.build(dist, "docker", OURS)


class Box:
    """The containers of a case, on a network of their own, without rights."""

    def __init__(self, of: str, scratch: Path):
        self.image = of
        self._scratch = scratch
        self._started = 0

    def _run(self, *options: str) -> list[str]:
        return ["docker", "run", "--network", OURS, "--label", OURS, *CONFINED, *options, self.image]

    def start(self, command: Sequence[str] = (), options: Sequence[str] = ()) -> Container:
        """Starts a container. Others know it by its name."""
        self._started += 1
        name = f"{OURS}-{self._started}"
        docker(*self._run("--detach", "--name", name, *options)[1:], *command)
        return Container(name)

    def server(self, *command: str, options: Sequence[str] = ()) -> Container:
        """Starts a server, and waits until it listens."""
        server = self.start(command, options)
        if not until(lambda: "Listening on" in server.logs() or not server.state("Running")):
            raise RuntimeError(f"{command} does not listen: {server.logs()}")
        return server

    def client(self, *command: str, options: Sequence[str] = (), **streams: Any) -> Ended:
        """Runs a client to its end, in a container that is gone then."""
        full = [*self._run("--rm", "--no-healthcheck", *options), *command]
        return harness.run(full, self._scratch, **streams)


@contextmanager
def box(dist: Dist, scratch: Path) -> Iterator[Box]:
    """A network for the containers of a case. All of it is removed at the end."""
    of = image(dist)
    try:
        docker("network", "create", OURS)
        yield Box(of, scratch)
    finally:
        if left := docker("ps", "--all", "--quiet", "--filter", f"label={OURS}").split():
            docker("rm", "--force", "--volumes", *left)
        if OURS in docker("network", "ls", "--format", "{{.Name}}").split():
            docker("network", "rm", OURS)
