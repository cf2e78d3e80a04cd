"""Kubernetes without a cluster: its schemas, what runs in its containers, and whom its policies let in.

The schemas are those of PyPI's kubernetes-validate, in an environment of its own under target/.
"""

import json
import os
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Iterator

from lab.command import ROOT
from lab.protocol import PORT
from recipes.documents import Lacking, said_by
from recipes.page import Block, Recipe, typed

VALIDATOR = "kubernetes-validate==1.37.0"
RELEASES = ("1.25", "1.37")  # the oldest and the newest whose schemas it has
TO_JSON = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))"

Object = dict[str, Any]
Labels = dict[str, str]


def mistakes(recipe: Recipe, scratch: Path) -> Iterator[str]:
    """What Kubernetes would not take, in all blocks of a recipe; and what in them does not fit together."""
    environment = install()
    objects: list[Object] = []
    for block in recipe.of_kind("yaml"):
        wrong = list(not_taken(block, environment, scratch))
        yield from wrong
        if not wrong:
            objects += parse(block.text, environment)
    yield from untried(recipe, objects)
    yield from let_in_wrongly(objects)
    yield from elsewhere(objects)


def install() -> Path:
    """The environment's programs. One recipe has objects: nobody else installs at the same time."""
    environment = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "recipes"
    stamp = environment / VALIDATOR
    if not stamp.exists():
        pip = environment / "bin" / "pip"
        commands: tuple[tuple[str | Path, ...], ...] = (
            ("python3", "-m", "venv", "--clear", environment),
            (pip, "install", "--quiet", "--disable-pip-version-check", VALIDATOR),
        )
        for command in commands:
            try:
                wrong = said_by(*command)
            except OSError as error:
                wrong = str(error)
            if wrong:
                raise Lacking(f"{VALIDATOR} cannot be installed: {wrong.splitlines()[-1]}")
        stamp.touch()
    return environment / "bin"


def not_taken(block: Block, environment: Path, scratch: Path) -> Iterator[str]:
    file = scratch / f"{block.number}.yaml"
    file.write_text(block.text)
    for release in RELEASES:
        if wrong := said_by(environment / "kubernetes-validate", "--strict", "--kubernetes-version", release, file):
            yield f"line {block.number}: Kubernetes {release}: {wrong}"


def parse(text: str, environment: Path) -> list[Object]:
    command: list[str | Path] = [environment / "python", "-c", TO_JSON]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=True)
    found: list[Object] = json.loads(done.stdout)
    return found


def pods(objects: list[Object]) -> dict[str, Object]:
    """What Deployments and Jobs make Pods of, by their names."""
    return {each["metadata"]["name"]: each["spec"]["template"] for each in objects if "template" in each["spec"]}


def untried(recipe: Recipe, objects: list[Object]) -> Iterator[str]:
    """Containers that run a command which the recipe has not typed at the prompt of that name."""
    commands = {(each.box, *shlex.split(each.command.split(";")[0]))
                for block in recipe.of_kind("console") for each in typed(block)}
    for pod in pods(objects).values():
        for container in pod["spec"]["containers"]:
            if (container["name"], *container["command"]) not in commands:
                yield f"nothing like that is typed at {container['name']}$: {shlex.join(container['command'])}"


def let_in_wrongly(objects: list[Object]) -> Iterator[str]:
    """The policy is for the server alone, and lets `allowed` in, and nobody else."""
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(objects).items()}
    for policy in (each["spec"] for each in objects if each["kind"] == "NetworkPolicy"):
        protected = {name for name, own in labels.items() if fits(policy["podSelector"], own)}
        peers = [peer["podSelector"] for rule in policy["ingress"] for peer in rule["from"]]
        let_in = {name for name, own in labels.items() if any(fits(peer, own) for peer in peers)}
        if (protected, let_in) != ({"server"}, {"allowed"}):
            yield f"the policy is for {protected or 'nobody'}, and lets in {let_in or 'nobody'}"
    for service in (each["spec"] for each in objects if each["kind"] == "Service"):
        chosen = {name for name, own in labels.items() if fits({"matchLabels": service["selector"]}, own)}
        if chosen != {"server"}:
            yield f"the service leads to {chosen or 'nobody'}"


def elsewhere(objects: list[Object]) -> Iterator[str]:
    """Policies, services and containers of which not all speak of the programs' port over TCP, and images of another
    version than this one."""
    for each in objects:
        kind, spec = each["kind"], each["spec"]
        if kind == "NetworkPolicy" and spec["policyTypes"] != ["Ingress"]:
            yield f"the policy is about {spec['policyTypes']}"
        ports = list(named_ports(spec))
        if set(ports) - {("TCP", PORT)}:
            yield f"{kind} {each['metadata']['name']}: {ports}, and not TCP and {PORT}"
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    for name, pod in pods(objects).items():
        images = {container["image"] for container in pod["spec"]["containers"]}
        if images != {f"getthrough:{version}"}:
            yield f"{name} runs {images}, and this is {version}"


def named_ports(spec: Any) -> Iterator[tuple[str, int]]:
    """Every port that is named in a part of an object, with its protocol, which is TCP if it is not said."""
    if isinstance(spec, dict):
        for key in ("port", "containerPort", "targetPort"):
            if key in spec:
                yield spec.get("protocol", "TCP"), spec[key]
    for inner in spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ():
        yield from named_ports(inner)


def fits(selector: dict[str, Labels], labels: Labels) -> bool:
    return selector["matchLabels"].items() <= labels.items()
