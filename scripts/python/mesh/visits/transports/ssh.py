"""By ssh: a process and one session for each host.

Whatever ssh_config(5) says holds: names, users, keys, jump hosts, connections
that are shared (ControlMaster). All of a visit goes through one session, so a
connection of our own would be shared with nobody.
"""

import re
from typing import Mapping, Sequence

from mesh.fleet import Host
from mesh.visits.crowd import Call, Crowd
from mesh.visits.transports import command_of

CONNECT_SECONDS = 10
# Nobody is there to type a password. Forwarding is nothing that we need, and a port can be forwarded only once.
# A connection that is cut without a word is given up after 15 s.
SETTINGS = ("BatchMode=yes", "LogLevel=ERROR", "ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no",
            f"ConnectTimeout={CONNECT_SECONDS}", "ServerAliveInterval=5", "ServerAliveCountMax=3")
OPTIONS = ("-T", *(word for setting in SETTINGS for word in ("-o", setting)))
FAILED = 255  # ssh(1): of ssh itself; else it is the command's
# What ssh's lines begin with, before the reason.
BEGINNING = re.compile(r"^(ssh: connect to host \S+ port \S+: |ssh: |\S+@\S+: )")


class Ssh:
    name = "ssh"

    def __init__(self, words: str = "ssh", destinations: Mapping[str, str] = {}) -> None:
        """`words`: the user's command and options; `destinations`: where hosts are, if not at their names."""
        self._words = command_of(words, "ssh", "openssh-client")
        self._destinations = destinations

    def start(self, hosts: Sequence[Host], command: str) -> Crowd:
        return Crowd(Call((host.name,), (*self._words, *OPTIONS, self._destinations.get(host.name, host.name), command))
                     for host in hosts)

    def unreachable(self, status: int, errors: Sequence[str]) -> str | None:
        return words_of(errors) if status == FAILED else None


def words_of(errors: Sequence[str]) -> str:
    """The reason that ssh gave last."""
    said = [line.strip() for line in errors if line.strip()]
    return BEGINNING.sub("", said[-1]).removesuffix(".") if said else "ssh failed, and did not say why"
