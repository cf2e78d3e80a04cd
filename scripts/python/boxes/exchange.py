"""The programs of a package at work, wherever that is installed."""

from typing import Callable

from lab import harness
from lab.case import Case
from lab.harness import Server, Word


def of_both(case: Case, command: Callable[..., list[Word]]) -> None:
    """A server answers a client, over TCP and over UDP. `command` says how a program is run there, with its words."""
    for transport in ("tcp", "udp"):
        words = ("--listen", "127.0.0.1:0", "--count", "1", "--idle-exit", "20s")
        server = Server(f"{transport}-server", command(f"{transport}-server", *words), case.scratch)
        target = f"127.0.0.1:{server.address[1]}"
        client = harness.run(command(f"{transport}-client", target, "--message", "hello"), case.scratch)
        case.check(client.status == 0 and client.output, f"{transport}-client: {client}")
        case.check(server.wait() == 0, f"{transport}-server ended with {server.status}: {server.errors()!r}")
