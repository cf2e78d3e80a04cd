"""How a command is started on many hosts: by ssh, by clush, or in namespaces at a desk.

What they have in common: a command's input and output are the controller's, the
end of its input ends it, and whoever cannot be reached is named with the reason.
They differ in what is started, and in what their words mean.
"""

import shlex
import shutil
from typing import Protocol, Sequence

from mesh.fleet import Host
from mesh.visits.crowd import CannotRun, Crowd


def command_of(words: str, name: str, package: str) -> list[str]:
    """The words of the user's command for `name`, whose package says so if there is no such program."""
    found = shlex.split(words)
    if not found or not shutil.which(found[0]):
        raise CannotRun(f"{found[0] if found else name} missing: apt-get install {package}")
    return found


class Transport(Protocol):
    @property
    def name(self) -> str:
        """As a Visit's `by`."""

    def start(self, hosts: Sequence[Host], command: str) -> Crowd:
        """Starts a line of sh(1) on each host."""

    def unreachable(self, status: int, errors: Sequence[str]) -> str | None:
        """Why a host was not reached, of a command that ended like that and had not begun. None if it was reached."""
