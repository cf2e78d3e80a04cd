"""What each recipe finds when it begins: the boxes by their names, what is on them, and how fast its time goes."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from lab.hosts import Host
from netlab.topology import Network
from recipes import http
from recipes.network import BOXES, CLIENT, NEAR, Star, Ways

# Debian's /etc/nftables.conf has these chains, and lets everything through.
EMPTY = ("table inet filter {",
         *(f"chain {hook} {{ type filter hook {hook} priority filter; policy accept; }}"
           for hook in ("input", "forward", "output")), "}")
BOTH_WAYS = {"box-a": "a", "box-b": "b", "router": "r"}


@dataclass
class Stage:
    """A network that a recipe is tried in, while it is."""

    hosts: dict[str, Host]  # by the names of their prompts
    names: dict[str, str]  # what /etc/hosts says: addresses
    directory: Path
    stack: ExitStack


@dataclass(frozen=True)
class Scene:
    """How a stage is made."""

    prompts: dict[str, str]  # which host of the network each prompt is
    network: Callable[[], Network] = Star
    prepare: Callable[[Stage], None] = lambda stage: None
    # Durations that are shorter in the run than on the page, in what is typed and in what is shown.
    faster: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    containers: tuple[str, ...] = ()  # prompts of boxes where commands have no privileges

    def set(self, directory: Path, stack: ExitStack) -> Stage:
        network = self.network()
        stack.callback(network.close)
        hosts = {prompt: getattr(network, host) for prompt, host in self.prompts.items()}
        names = {"box-a": CLIENT, **{name: f"{net}.3" for name, net in BOXES.items()}, "router": NEAR, **self.names}
        stage = Stage(hosts, names, directory, stack)
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in names.items())]
        (directory / "hosts").write_text("\n".join(lines) + "\n")
        return stage


def with_firewall(stage: Stage) -> None:
    for prompt in ("router", "box-b"):
        if prompt in stage.hosts:
            stage.hosts[prompt].nft(*EMPTY)


def with_web_server(stage: Stage) -> None:
    """On box-b, port 8080: a program that comes up slowly. It says 503 twice, and then 200."""
    stage.stack.enter_context(http.serve(stage.hosts["box-b"], f"{BOXES['box-b']}.3", 8080, unready=2))


def with_exporter(stage: Stage) -> None:
    with_firewall(stage)
    (stage.directory / "box-a" / "lib" / "prometheus" / "node-exporter").mkdir(parents=True)


SCENES = {
    "deny": Scene(BOTH_WAYS, prepare=with_firewall),
    "wait": Scene(BOTH_WAYS, prepare=with_web_server, faster={"10s": "2s", "1m": "8s"}),
    "bad-path": Scene({"box-a": "a", "box-b": "b", "router-4": "r4"}, Ways),
    "mtu": Scene(BOTH_WAYS, prepare=with_firewall),
    "watch": Scene(BOTH_WAYS, prepare=with_exporter, faster={"24h": "3s", "1m": "2400ms", "2s": "80ms", "1s": "40ms"}),
    "balancer": Scene({"box-a": "a", "box-b": "b", "box-c": "c", "box-d": "d", "balancer": "r"},
                      names={"service": NEAR}),
    "network-policy": Scene({"server": "b", "allowed": "a", "denied": "c", "router": "r"}, prepare=with_firewall,
                            names={"server": f"{BOXES['box-b']}.3"}, containers=("server", "allowed", "denied")),
    "direction": Scene(BOTH_WAYS, prepare=with_firewall),
    "dscp": Scene(BOTH_WAYS, prepare=with_firewall),
    "knocking": Scene(BOTH_WAYS, prepare=with_firewall, faster={"30s": "2s"}),
}
