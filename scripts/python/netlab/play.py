"""A case of scripts/netlab as a whole: its trial, the network that it takes place in, and the check."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Callable

from lab.case import Case
from netlab import judge
from netlab.scene import Scene
from netlab.topology import PLANS
from netlab.trial import Expected, Trial


@dataclass(frozen=True)
class Play:
    """A trial; what prepares the network for it; and what makes the probes, and checks them."""

    trial: Trial
    prepare: Callable[[Scene], None]
    run: Callable[[Scene], None] = judge.probe_twice

    @property
    def name(self) -> str:
        return self.trial.name

    def perform(self, case: Case) -> str:
        """Runs it on a network of its own. Returns what came of it, in words."""
        scene = None
        with case.part(self.name), ExitStack() as stack:
            scene = Scene(self.trial, case, stack)
            self.prepare(scene)
            self.run(scene)
        return scene.came if scene else "nothing"


def play(begin: str, name: str, expected: Expected, prepare: Callable[[Scene], None], target: str | None = None, *,
         run: Callable[[Scene], None] = judge.probe_twice, **more: Any) -> Play:
    """A case that is named after its program and family.

    The target is the server's address unless another one is given; `more` are
    fields of the trial.
    """
    protocol, family = begin[:3], int(begin[3:])
    trial = Trial(f"{begin}-{name}", protocol, family, expected, target or PLANS[family].server, **more)
    return Play(trial, prepare, run)


def nothing(_: Scene) -> None:
    """Leaves the network as it is."""
