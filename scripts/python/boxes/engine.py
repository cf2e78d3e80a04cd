"""Docker's engine: the image, built once, and what a case starts there and takes away again."""

import atexit
import functools
import json
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Sequence

from boxes.dist import Dist
from lab import harness
from lab.command import ROOT
from lab.harness import Ended, until

# What this process makes has this in its name, so that nobody else's is touched.
OURS = f"getthrough-boxes-{os.getpid()}"
BUILDING = 300.0  # seconds that an image may take, on a busy machine
CONFINED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def lacks() -> str | None:
    """What is missing, if the client is there."""
    if subprocess.run(["docker", "info"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
        return None
    return "docker's daemon does not run: apt-get install docker.io; systemctl start docker"


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
    atexit.register(remove_image)
    before = dangling()
    try:
        build(dist, "docker")
    except BaseException:
        # What the classic builder leaves of a build that does not come to its end.
        for left in dangling() - before:
            subprocess.run(["docker", "rmi", left], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        raise


def dangling() -> set[str]:
    return set(docker("images", "--quiet", "--filter", "dangling=true").split())


def build(dist: Path, builder: str) -> None:
    command: list[str | Path] = [ROOT / "scripts" / "image", "--with", builder, "--dist", dist, "--name", OURS]
    process = subprocess.Popen(command, process_group=0, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = process.communicate(timeout=BUILDING)
    finally:
        if process.poll() is None:
            # The builder, too, which would go on.
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"scripts/image: {said[-300:]}")


def remove_image() -> None:
    listed = docker("images", "--format", "{{.Repository}}:{{.Tag}}", OURS)
    if names := listed.split():
        docker("rmi", "--force", *names)


def docker(*arguments: str) -> str:
    """Runs docker, which must succeed, and returns what it prints on both outputs."""
    ended = subprocess.run(["docker", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=harness.PATIENCE)
    if ended.returncode != 0:
        raise RuntimeError(f"docker {arguments[0]}: {ended.stdout.decode()[-300:]}")
    return ended.stdout.decode().strip()


class Box:
    """The containers of a case, on a network of their own, without rights."""

    def __init__(self, of: str, scratch: Path):
        self.image = of
        self._scratch = scratch
        self._started = 0

    def _run(self, *options: str) -> list[str]:
        return ["docker", "run", "--network", OURS, "--label", OURS, *CONFINED, *options, self.image]

    def start(self, command: Sequence[str] = (), options: Sequence[str] = ()) -> "Container":
        """Starts a container. Others know it by its name."""
        self._started += 1
        name = f"{OURS}-{self._started}"
        docker(*self._run("--detach", "--name", name, *options)[1:], *command)
        return Container(name)

    def server(self, *command: str, options: Sequence[str] = ()) -> "Container":
        """Starts a server, and waits until it listens."""
        server = self.start(command, options)
        if not until(lambda: "Listening on" in server.logs() or not server.state("Running")):
            raise RuntimeError(f"{command} does not listen: {server.logs()}")
        return server

    def client(self, *command: str, options: Sequence[str] = (), **streams: Any) -> Ended:
        """Runs a client to its end, in a container that is gone then."""
        full = [*self._run("--rm", "--no-healthcheck", *options), *command]
        return harness.run(full, self._scratch, **streams)


class Container:
    def __init__(self, name: str):
        self.name = name

    def logs(self) -> str:
        return docker("logs", self.name)

    def inspect(self) -> Any:
        return json.loads(docker("inspect", self.name))[0]

    def state(self, field: str) -> Any:
        return self.inspect()["State"][field]

    def health(self) -> str:
        found: str = self.state("Health")["Status"]
        return found

    def becomes(self, health: str) -> bool:
        return bool(until(lambda: self.health() == health))

    def process(self) -> dict[str, str]:
        """What proc(5) has in `status` of its first process."""
        lines = Path(f"/proc/{self.state('Pid')}/status").read_text().splitlines()
        return {key: " ".join(value.split()) for key, _, value in (line.partition(":") for line in lines)}

    def kill(self, signal: str) -> None:
        docker("kill", "--signal", signal, self.name)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after 10 s."""
        docker("stop", self.name)

    def wait(self) -> None:
        docker("wait", self.name)


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
