"""Datagrams to every address that udp-server has: which address the reply comes from."""

import signal
import socket
from pathlib import Path

from lab import peers
from lab.case import Case
from lab.harness import Server, until
from lab.protocol import HELLO, REPLY
from torture import network


def asked(case: Case) -> None:
    """Replies come from the address that was asked.

    The client's socket is connected, and so receives from no other address. The
    server listens on every address.
    """
    v6 = [f"fd00:a::{n}" for n in range(1, 5)]
    for host in v6:
        network.add_address(f"{host}/128")
    # Of these no interface has one: they are local by the route alone.
    network.ip("-6 route add local fd00:b::/64 dev lo")
    v6.append("fd00:b::7")
    with case.server("udp-server", listen=":0") as server:
        port = server.address[1]
        for _ in range(case.figure(100, 10)):
            for host in (*peers.SOURCES, "::1", *v6):
                source = v6[0] if host in v6 else None
                answered = peers.is_answered("udp-server", (host, port), 1, source)
                case.check(answered, f"{host} was asked, and nothing came from it")
    with case.part("groups"):
        groups(case)
    with case.part("no way from there"):
        no_way_from_there(case)


def groups(case: Case) -> None:
    """A datagram to a group, or to a subnet's broadcast address, reaches every worker: exactly one answers."""
    network.ip("link add group0 type veth peer name group1")
    # With IPv6, the other end would receive this host's datagrams to a group, and
    # the server would get them twice.
    Path("/proc/sys/net/ipv6/conf/group1/disable_ipv6").write_text("1")
    network.ip("link set group1 up")
    network.ip("link set group0 up")
    network.ip("address add 10.77.0.1/24 dev group0")
    network.ip("address add fe80::77/64 dev group0 nodad")
    broadcast = ("255.255.255.255", "10.77.0.255")
    listeners = (
        ("0.0.0.0:0", ("224.0.0.1", *broadcast)), (":0", broadcast), ("[::]:0", ("ff02::1%group0",)),
        ("10.77.0.255:0", broadcast[1:]), ("239.7.7.7:0", ("239.7.7.7",)),
        ("[ff02::7:7%group0]:0", ("ff02::7:7%group0",)), ("[ff05::7:7]:0", ("ff05::7:7",)),
    )
    for workers in ("1", "4"):
        for listen, asked in listeners:
            with case.server("udp-server", "--workers", workers, listen=listen) as server:
                for group in asked * case.figure(20, 3):
                    replies = answers(group, server.address[1])
                    case.check(replies == [REPLY], f"{group}, {workers} workers: {replies}")
    with case.server("udp-server", "--json", "--workers", "2", listen="0.0.0.0:0") as server:
        at_a_stop(case, server)


def at_a_stop(case: Case, server: Server) -> None:
    """At a stop, a worker answers all that came before it.

    Datagrams to a group, which it leaves to another worker, do not keep it from that.
    """
    server.signal(signal.SIGSTOP)
    until(server.is_stopped)
    address = ("10.77.0.1", server.address[1])
    waiting = [peers.datagram_socket(address, "10.77.0.1", 1) for _ in range(20)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as many:
        many.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        many.bind(("10.77.0.1", 0))
        for _ in range(200):
            many.sendto(HELLO, ("255.255.255.255", address[1]))
    for peer in waiting:
        peer.send(HELLO)
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGCONT)
    answered = 0
    for peer in waiting:
        try:
            answered += peer.recv(1024) == REPLY
        except OSError:
            pass
        peer.close()
    case.check(answered == 20, f"at a stop {answered} of 20 are answered, whom a group's datagrams came before")


def no_way_from_there(case: Case) -> None:
    """If a rule forbids the server to send from the address that was asked, it sends no reply at all.

    It does not reply from another address instead.
    """
    network.add_address("10.78.0.2/32")
    # The new rule has to stand ahead of the rule for local addresses, which lets them reach each other.
    network.ip("rule add from all pref 100 lookup local")
    network.ip("rule del pref 0")
    network.ip("rule add from 10.78.0.2 pref 10 prohibit")
    with case.server("udp-server", "--json", listen="0.0.0.0:0") as server:
        with peers.datagram_socket(("10.78.0.2", server.address[1]), "127.0.0.1") as peer:
            peer.send(HELLO)
            is_reported = until(lambda: b'"unanswered"' in server.output.read_bytes(), 2)
        case.check(is_reported, "a reply that may not leave is not reported")
    case.check(server.totals()["exchanges"] == 0, "a reply left from another address")


def answers(group: str, port: int) -> list[bytes]:
    """Sends a datagram to a group. Returns all replies."""
    family, _, _, _, address = socket.getaddrinfo(group, port, type=socket.SOCK_DGRAM)[0]
    source = "10.77.0.1" if family == socket.AF_INET else "fe80::77%group0"
    with socket.socket(family, socket.SOCK_DGRAM) as peer:
        peer.settimeout(1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if family == socket.AF_INET:
            peer.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        else:
            peer.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("group0"))
        peer.bind(socket.getaddrinfo(source, 0, type=socket.SOCK_DGRAM)[0][4])
        peer.sendto(HELLO, address)
        replies = []
        try:
            replies.append(peer.recv(1024))
            peer.settimeout(0.05)
            while True:
                replies.append(peer.recv(1024))
        except OSError:
            return replies
