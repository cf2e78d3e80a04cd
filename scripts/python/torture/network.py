"""A network of our own, which has a loopback interface and nothing else.

Each case has one. So no port is taken, no listener of an earlier case is left,
and a case may add addresses and routes. The network ends with the processes
that use it: there is nothing to remove, not even after a kill -9.
"""

import subprocess

from lab import namespace


def enter_own() -> None:
    """Puts this process, and all that it starts from now on, into a new network."""
    namespace.enter_new()
    ip("link set lo up")


def ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True)


def add_address(address: str) -> None:
    """Adds an address to the loopback interface.

    Without duplicate address detection, which would take a second.
    """
    ip(f"address add {address} dev lo" + (" nodad" if ":" in address else ""))


def bound_ports(protocol: str) -> set[int]:
    """The bound ports, from /proc/net/tcp or udp: for a server that cannot print where it listens."""
    with open(f"/proc/net/{protocol}") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] in ("0A", "07")}
