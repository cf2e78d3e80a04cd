"""The hosts of a fleet, and where each is. The file's format is deploy/host/mesh-plan's."""

import re
from typing import Iterable, NamedTuple


class Host(NamedTuple):
    name: str
    address: str  # where probes go: the name, if the fleet says nothing else
    rack: str | None = None
    datacentre: str | None = None

    @property
    def place(self) -> tuple[str, str]:
        """The rack that a host counts to. One without a rack is a rack of its own."""
        return (self.datacentre or "-", f"rack={self.rack}" if self.rack else f"host={self.name}")

    @property
    def line(self) -> str:
        """As a line of the fleet's file."""
        name = self.name if self.address == self.name else f"{self.name}={self.address}"
        return " ".join(word for word in (name, self.rack, self.datacentre) if word)


def file_of(hosts: Iterable[Host]) -> str:
    """A fleet's file."""
    return "".join(f"{host.line}\n" for host in hosts)


def parse(text: str) -> list[Host]:
    """The hosts in the order of the plan. mesh-plan has checked the text."""
    hosts = []
    # As awk does it: nothing but \n ends a line, whatever a comment has in it.
    for line in text.split("\n"):
        words = re.sub(r"(^|[ \t])#.*", "", line.removesuffix("\r")).split()
        if words:
            name, _, address = words[0].partition("=")
            hosts.append(Host(name, address or name, *words[1:3]))
    return sorted(hosts, key=lambda host: (*host.place, host.name))
