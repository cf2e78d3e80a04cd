"""By clush (ClusterShell): one process for all hosts.

It starts its own ssh for each, as clush.conf(5) says, sends its input to all of
them, and prints `HOST: ` before each line. Nothing can be sent to one host
alone, nor can one be ended alone.
"""

import re
from typing import Iterable, Mapping, Sequence

from mesh.fleet import Host
from mesh.visits.crowd import Call, CannotRun, Crowd, Ended, Event, Said
from mesh.visits.transports import command_of
from mesh.visits.transports.ssh import CONNECT_SECONDS, FAILED, words_of

EXITED = re.compile(r"^clush: (\S+): exited with exit code (\d+)$")


class Clush:
    name = "clush"

    def __init__(self, words: str = "clush", destinations: Mapping[str, str] = {}) -> None:
        """`words`: the user's command and options; `destinations`: where hosts are, if not at their names."""
        self._words = command_of(words, "clush", "clustershell")
        if ports := [host for host, destination in destinations.items() if "://" in destination]:
            raise CannotRun(f"clush goes to no port of its own, as {ports[0]} has: --by ssh, or a port in ssh_config")
        self._destinations = destinations

    def start(self, hosts: Sequence[Host], command: str) -> Crowd:
        nodes = {self._destinations.get(host.name, host.name): host.name for host in hosts}
        # All at once: hosts wait for each other. Python would keep lines back, since its output is no terminal.
        call = ("env", "PYTHONUNBUFFERED=1", *self._words, "--color=never", "-O", "verbosity=1", "-O", "maxrc=no",
                "-t", str(CONNECT_SECONDS), "-u", "0", "-f", str(len(hosts)), "-w", ",".join(nodes), command)
        return Crowd([Call(tuple(nodes.values()), call)] if nodes else [], lambda _, text, is_error:
                     read(nodes, text, is_error))

    def unreachable(self, status: int, errors: Sequence[str]) -> str | None:
        return words_of(errors) if status == FAILED else None


def read(nodes: dict[str, str], text: str, is_error: bool) -> Iterable[Event]:
    if is_error and (exited := EXITED.match(text)) and exited[1] in nodes:
        return (Ended(nodes[exited[1]], int(exited[2])),)
    node, colon, rest = text.partition(": ")
    if colon and node in nodes:
        return (Said(nodes[node], rest, is_error),)
    # Of clush itself: it concerns everybody.
    return [Said(host, text, is_error) for host in nodes.values()]
