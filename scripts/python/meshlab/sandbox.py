"""Pods without Kubernetes: docker's containers that share a network, with the rights that the objects give."""

import atexit
import functools
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

from lab import engine, harness, kubernetes
from lab.command import ROOT
from lab.engine import Container, docker
from lab.kubernetes import Object
from meshlab.manifests import containers

DIST = ROOT / "dist"
# What this process makes has this in its name, so that nobody else's is touched.
OURS = f"getthrough-meshlab-{os.getpid()}"
TOOLS = {"docker": "docker.io", "nsenter": "util-linux", "busybox": "busybox-static"}
# Holds the network of a pod, as the sandbox does that Kubernetes makes for it.
SANDBOX = ("sh", "-c", "trap exit TERM; sleep 600 & wait")
NOBODY = "65534:65534"


def lacks() -> str | None:
    """What is missing, if the tools are there."""
    tarball = f"getthrough-{kubernetes.version()}-x86_64-linux-musl.tar.gz"
    if not (DIST / tarball).is_file():
        return f"dist/{tarball} is not there: scripts/release --kind x86_64-musl --no-packages makes it"
    return engine.lacks()


@functools.cache
def image(of: str) -> str:
    """The name of an image that the objects call so: built the first time, and removed when this process ends."""
    name = f"{OURS}-{of}"
    atexit.register(engine.remove_image, name)
    engine.build(DIST, "docker", name, *(("--mesh",) if of == "getthrough-mesh" else ()))
    return name


class Pod:
    """The containers of a template, as far as they have been started, in one network."""

    def __init__(self, name: str, template: Object, network: str, alias: str | None = None) -> None:
        self.name = name
        self.template = template
        named = ("--network-alias", alias) if alias else ()
        docker("run", "--detach", "--name", name, "--label", OURS, "--network", network, *named, "--user", NOBODY,
               "--read-only", image("getthrough-mesh"), *SANDBOX)
        self.sandbox = Container(name)
        self.address: str = self.sandbox.inspect()["NetworkSettings"]["Networks"][network]["IPAddress"]

    def start(self, container: str, change: Callable[[list[str]], list[str]] = lambda command: command,
              config: Path | None = None) -> Container:
        """Starts one of the template's containers, as it stands there. `config` is what the ConfigMap has."""
        name = f"{self.name}-{container}"
        docker("run", "--detach", "--name", name, *self._words(container, change, config))
        return Container(name)

    def run(self, container: str, change: Callable[[list[str]], list[str]] = lambda command: command,
            **streams: Any) -> subprocess.Popen[bytes]:
        """The same, of a container that ends by itself: docker has its exit status, and nothing is left of it."""
        return harness.start(["docker", "run", "--rm", *self._words(container, change, None)], **streams)

    def _words(self, container: str, change: Callable[[list[str]], list[str]], config: Path | None) -> list[str]:
        found = next(each for each in containers(self.template) if each["name"] == container)
        command = change([word.replace("$(POD_IP)", self.address) for word in found["command"]])
        return ["--label", OURS, "--network", f"container:{self.name}", "--no-healthcheck",
                *self._rights(found, config), image(found["image"].partition(":")[0]), *command]

    def _rights(self, container: Object, config: Path | None) -> Iterator[str]:
        """What docker calls what the object says."""
        spec = self.template["spec"]
        own: dict[str, Any] = {**spec["securityContext"], **container["securityContext"]}
        yield from ("--user", f"{own['runAsUser']}:{own['runAsGroup']}")
        if own["readOnlyRootFilesystem"]:
            yield "--read-only"
        for capability in own["capabilities"]["drop"]:
            yield from ("--cap-drop", capability)
        if not own["allowPrivilegeEscalation"]:
            yield from ("--security-opt", "no-new-privileges")
        yield from ("--memory", container["resources"]["limits"]["memory"].removesuffix("i"))
        volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
        for mount in container.get("volumeMounts", ()):
            volume = volumes[mount["name"]]
            if "emptyDir" in volume:
                size = volume["emptyDir"]["sizeLimit"].removesuffix("i").lower()
                yield from ("--tmpfs", f"{mount['mountPath']}:size={size},mode=1777")
            elif config:
                yield from ("--volume", f"{config}:{mount['mountPath']}:ro")

    def nft(self, *rules: str) -> None:
        """In the pod's network, where a plugin would enforce a policy."""
        done = subprocess.run(["nsenter", "--target", str(self.sandbox.state("Pid")), "--net", "nft", "-f", "-"],
                              input="\n".join(rules) + "\n", text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f"nft: {done.stderr}")


def execute(container: Container, command: list[str], scratch: Path, seconds: float) -> int | None:
    """Runs a command in a container, as the kubelet runs a probe. None: it has not ended in time."""
    return harness.run(["docker", "exec", container.name, *command], scratch, seconds).status


@contextmanager
def network() -> Iterator[str]:
    """A network that leads nowhere else. It, and every container of ours, is removed at the end."""
    try:
        docker("network", "create", "--internal", OURS)
        yield OURS
    finally:
        if left := docker("ps", "--all", "--quiet", "--filter", f"label={OURS}").split():
            docker("rm", "--force", "--volumes", *left)
        if OURS in docker("network", "ls", "--format", "{{.Name}}").split():
            docker("network", "rm", OURS)
