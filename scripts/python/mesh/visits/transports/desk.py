"""At a desk: hosts are namespaces, and a command is a process in one of them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Mapping, Protocol, Sequence

from lab import hosts as lab
from mesh.fleet import Host
from mesh.visits.crowd import Call, Crowd

UNREACHABLE = 255  # as ssh has it
AT_ONCE = 32  # hosts that are tried, each by a thread


class Desk(Protocol):
    """What mesh.desks.desk builds."""

    @property
    def hosts(self) -> Mapping[str, lab.Host]: ...

    def path(self, name: str) -> str:
        """What PATH is on a host."""

    def is_reachable(self, name: str) -> bool:
        """Whether somebody from outside would come to a host."""


class AtDesk:
    name = "desk"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def start(self, hosts: Sequence[Host], command: str) -> Crowd:
        names = [host.name for host in hosts]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            reached = dict(zip(names, threads.map(self._desk.is_reachable, names)))
        return Crowd(Call((name,), self._words(name, command, reached[name]), self._desk.hosts[name].entered)
                     for name in names)

    def _words(self, host: str, command: str, is_reached: bool) -> tuple[str, ...]:
        if not is_reached:
            return ("sh", "-c", f"echo No answer >&2; exit {UNREACHABLE}")
        return ("env", f"PATH={self._desk.path(host)}", "sh", "-c", command)

    def unreachable(self, status: int, errors: Sequence[str]) -> str | None:
        return errors[-1] if status == UNREACHABLE and errors else None
