"""Paths that take less than a reply: whether it arrives all the same."""

import signal
from contextlib import ExitStack, closing

from lab import peers
from lab.case import Case
from lab.harness import Address, Server, until
from lab.hosts import Host
from lab.protocol import HELLO
from torture import network

MTU = 600
LONG = "x" * 1_000  # as a reply


def narrow(case: Case) -> None:
    """Replies larger than the path's MTU.

    They arrive in fragments, as those of any program do: one alone, and twenty
    that the server may send in one call. The narrow link is this machine's own, or
    one behind a router, which may be forbidden to say so (ICMP).
    """
    with case.part("behind a router"), ExitStack() as ends:
        router, client = (ends.enter_context(closing(Host(name))) for name in ("router", "client"))
        connect(router, client)
        for listen in ("0.0.0.0:0", ":0"):
            routed(case, client, listen, "a router's link")
        router.nft("add table ip filtered", "add chain ip filtered out { type filter hook output priority 0; }",
                   "add rule ip filtered out icmp type destination-unreachable drop")
        for listen in ("0.0.0.0:0", ":0"):
            routed(case, client, listen, "a router's link, ICMP filtered")
    network.ip(f"link set lo mtu {MTU}")
    with case.server("udp-server", "--reply", LONG) as server:
        bursts(case, server, server.address, "its own link")


def connect(router: Host, client: Host) -> None:
    """The server is 10.88.0.1, the client 10.88.1.1; the router's link to the client is narrow."""
    network.ip(f"link add s type veth peer name rs netns {router.path}")
    network.ip("address add 10.88.0.1/24 dev s")
    network.ip("link set s up")
    network.ip("route add 10.88.1.0/24 via 10.88.0.254")
    router.set(ipv4__ip_forward=1)
    router.ip(f"link add rc mtu {MTU} type veth peer name c mtu {MTU} netns {client.path}", "link set rs up",
              "link set rc up", "address add 10.88.0.254/24 dev rs", "address add 10.88.1.254/24 dev rc")
    client.ip("link set c up", "address add 10.88.1.1/24 dev c", "route add default via 10.88.1.254")
    if not until(lambda: client.is_up("c") and router.is_up("rs") and router.is_up("rc")):
        raise RuntimeError("the links do not come up")


def routed(case: Case, client: Host, listen: str, where: str) -> None:
    with case.server("udp-server", "--reply", LONG, listen=listen) as server, client.entered():
        bursts(case, server, ("10.88.0.1", server.address[1]), f"{where}, {listen}")
    # What one server has learned of the path must not help the next one.
    network.ip("route flush cache")


def bursts(case: Case, server: Server, address: Address, where: str) -> None:
    with peers.datagram_socket(address, seconds=1) as peer:
        for count in (1, 20) * case.figure(25, 3):
            server.signal(signal.SIGSTOP)
            until(server.is_stopped)
            for _ in range(count):
                peer.send(HELLO)
            server.signal(signal.SIGCONT)
            for _ in range(count):
                try:
                    reply: bytes | OSError = peer.recv(65536)
                except OSError as error:
                    reply = error
                if not case.check(reply == LONG.encode(), f"{where}: one of {count} at once: {reply!r:.60}"):
                    return
