"""A case of scripts/netlab as a whole: its trial, the network that it takes place in, and the check."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Callable

from lab.case import Case
from lab.protocol import MESSAGE
from netlab import judge
from netlab.scene import Scene
from netlab.topology import PLANS, Network
from netlab.trial import Expected, Trial

Act = Callable[[Scene], object]  # nobody looks at what it returns


@dataclass(frozen=True)
class Play:
    """A trial, a function that prepares the network for it, and one that makes the probes and checks them."""

    trial: Trial
    prepare: Act
    run: Act
    network: Callable[[], Network] = Network

    @property
    def name(self) -> str:
        return self.trial.name

    def perform(self, case: Case) -> str:
        """Runs the case on a network of its own. Returns what came of it, in words."""
        scene = None
        with case.part(self.name), ExitStack() as stack:
            scene = Scene(self.trial, case, stack, self.network)
            self.prepare(scene)
            self.run(scene)
        return scene.came if scene else "nothing"


def play(begin: str, name: str, expected: Expected, prepare: Act, target: str | None = None, *,
         options: tuple[str, ...] = (), timeout: str = "500ms", message: str = MESSAGE,
         run: Act = judge.probe_twice, network: Callable[[], Network] = Network) -> Play:
    """A case that is named after its program and family.

    The target is the server's address unless another one is given.
    """
    protocol, family = begin[:3], int(begin[3:])
    to = target or PLANS[family].server
    trial = Trial(f"{begin}-{name}", protocol, family, expected, to, options, timeout, message)
    return Play(trial, prepare, run, network)


def nothing(_: Scene) -> None:
    """Leaves the network as it is."""
