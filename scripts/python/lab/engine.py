"""Docker's engine, as far as more than one suite has to do with it."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from lab.command import ROOT
from lab.harness import until

PATIENCE = 60.0  # seconds after which docker counts as hung: its daemon serves everybody on this machine
BUILDING = 300.0  # seconds that an image may take, on a busy machine


def lacks() -> str | None:
    """What is missing, if the client is there."""
    if subprocess.run(["docker", "info"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
        return None
    return "docker's daemon does not run: apt-get install docker.io; systemctl start docker"


def docker(*arguments: str) -> str:
    """Runs docker, which must succeed, and returns what it prints on both outputs."""
    ended = subprocess.run(["docker", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=PATIENCE)
    if ended.returncode != 0:
        raise RuntimeError(f"docker {arguments[0]}: {ended.stdout.decode()[-300:]}")
    return ended.stdout.decode().strip()


def build(dist: Path, builder: str, name: str, *options: str) -> None:
    """Builds an image by scripts/image. Should that not come to its end, nothing is left of it."""
    before = dangling() if builder == "docker" else set()
    try:
        run_builder([ROOT / "scripts" / "image", "--with", builder, "--dist", dist, "--name", name, *options])
    except BaseException:
        # What the classic builder leaves.
        for left in dangling() - before if builder == "docker" else ():
            subprocess.run(["docker", "rmi", left], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        raise


def dangling() -> set[str]:
    return set(docker("images", "--quiet", "--filter", "dangling=true").split())


def run_builder(command: list[str | Path]) -> None:
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


def remove_image(name: str) -> None:
    listed = docker("images", "--format", "{{.Repository}}:{{.Tag}}", name)
    if names := listed.split():
        docker("rmi", "--force", *names)


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
