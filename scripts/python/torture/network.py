"""A network of our own: loopback alone, and nobody else on it.

Each case has one. No port is taken, no listener of the case before is left, an
address or route may be added freely, and nothing of it outlives the processes
that use it: so there is nothing to remove, not even after a kill -9.
"""

import subprocess

from lab import namespace


def enter_own() -> None:
    """Puts this process, and what it starts from now on, into a new network."""
    namespace.enter_new()
    ip("link set lo up")


def ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True)


def add_address(address: str) -> None:
    """On the loopback interface; without duplicate address detection, which
    would take a second."""
    ip(f"address add {address} dev lo" + (" nodad" if ":" in address else ""))


def bound_ports(protocol: str) -> set[int]:
    """The local ports in /proc/net/tcp or udp, where a server cannot say it."""
    with open(f"/proc/net/{protocol}") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] in ("0A", "07")}
