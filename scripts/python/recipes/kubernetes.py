"""Kubernetes without a cluster: its schemas, what runs in its containers, and whom its policies let in.

The schemas are those of lab/kubernetes.
"""

import shlex
from pathlib import Path
from typing import Any, Iterator

from lab import kubernetes
from lab.kubernetes import Object, fits, templates
from lab.protocol import PORT
from recipes.documents import Lacking
from recipes.page import Block, Recipe, typed


def mistakes(recipe: Recipe, scratch: Path) -> Iterator[str]:
    """What Kubernetes would not take, in all blocks of a recipe; and what in them does not fit together."""
    try:
        environment = kubernetes.install()
    except kubernetes.Uninstallable as error:
        raise Lacking(str(error)) from error
    objects: list[Object] = []
    for block in recipe.of_kind("yaml"):
        wrong = list(not_taken(block, environment, scratch))
        yield from wrong
        if not wrong:
            objects += kubernetes.parse(block.text, environment)
    yield from untried(recipe, objects)
    yield from let_in_wrongly(objects)
    yield from elsewhere(objects)


def not_taken(block: Block, environment: Path, scratch: Path) -> Iterator[str]:
    file = scratch / f"{block.number}.yaml"
    file.write_text(block.text)
    for wrong in kubernetes.not_taken(environment, file):
        yield f"line {block.number}: {wrong}"


def untried(recipe: Recipe, objects: list[Object]) -> Iterator[str]:
    """Containers that run a command which the recipe has not typed at the prompt of that name."""
    commands = {(each.box, *shlex.split(each.command.split(";")[0]))
                for block in recipe.of_kind("console") for each in typed(block)}
    for pod in templates(objects).values():
        for container in pod["spec"]["containers"]:
            if (container["name"], *container["command"]) not in commands:
                yield f"nothing like that is typed at {container['name']}$: {shlex.join(container['command'])}"


def let_in_wrongly(objects: list[Object]) -> Iterator[str]:
    """The policy is for the server alone, and lets `allowed` in, and nobody else."""
    labels = {name: pod["metadata"]["labels"] for name, pod in templates(objects).items()}
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
    version = kubernetes.version()
    for name, pod in templates(objects).items():
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
