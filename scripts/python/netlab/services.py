"""Servers of our own on a host of the network: a thread each, and no process.

What a server does to a peer is a function: of a connection (after which it is
closed), or of the sockets, a datagram, and its sender.
"""

import heapq
import select
import socket
import threading
import time
from functools import partial
from typing import Any, Callable

from lab.harness import Address
from lab.peers import NOW, PATIENCE, read_all
from lab.protocol import PORT
from netlab.hosts import Host

BUFFER = 65_535  # bytes, in which every datagram has room

Datagram = tuple[bytes, Address]


class Service:
    """A thread that handles what its sockets receive, and does later what is due later."""

    def __init__(self, sockets: list[socket.socket], handle: Callable[["Service", socket.socket], Any]) -> None:
        self.sockets, self._handle = sockets, handle
        self._due: list[tuple[float, int, Callable[[], Any]]] = []
        self._count = 0
        self._waking, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def later(self, seconds: float, call: Callable[[], Any]) -> None:
        """From the service's own thread."""
        self._count += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._count, call))

    def _run(self) -> None:
        while True:
            left = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            ready, _, _ = select.select([self._waking, *self.sockets], [], [], left)
            if self._waking in ready:
                return
            while self._due and self._due[0][0] <= time.monotonic():
                attempt(heapq.heappop(self._due)[2])
            for each in ready:
                attempt(self._handle, self, each)

    def __enter__(self) -> "Service":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._wake.send(b"!")
        self._thread.join()
        for each in (*self.sockets, self._waking, self._wake):
            each.close()


def attempt(call: Callable[..., Any], *arguments: Any) -> None:
    """A peer that is gone, or a way that is not there, does not end a service."""
    try:
        call(*arguments)
    except OSError:
        pass


def open_socket(host: Host, kind: int, address: str, port: int) -> socket.socket:
    opened = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
    opened.bind((address, port))
    if kind == socket.SOCK_STREAM:
        opened.listen()
    return opened


def tcp(host: Host, address: str, behave: Callable[[socket.socket], None], port: int = PORT) -> Service:
    """A server that takes one connection after the other."""

    def handle(_: Service, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            behave(connection)

    return Service([open_socket(host, socket.SOCK_STREAM, address, port)], handle)


def udp(host: Host, addresses: list[Address], behave: Callable[[Service, Datagram], None]) -> Service:
    """A server on the first address, which may answer from the others too."""
    sockets = [open_socket(host, socket.SOCK_DGRAM, *address) for address in addresses]

    def handle(service: Service, asked: socket.socket) -> None:
        datagram = asked.recvfrom(BUFFER)
        if asked is sockets[0]:
            behave(service, (datagram[0], datagram[1][:2]))

    return Service(sockets, handle)


def says_nothing(connection: socket.socket) -> None:
    """Reads, until the peer has had enough."""
    read_all(connection)


def closes(connection: socket.socket) -> None:
    connection.recv(1024)


def half_closes(connection: socket.socket) -> None:
    """Says at once that nothing will come, and then reads: so nothing is left unread, and nothing reset."""
    connection.shutdown(socket.SHUT_WR)
    read_all(connection)


def leaves_unread(connection: socket.socket) -> None:
    """Closes on the message: unread data makes it a reset, RFC 2525 section 2.17."""
    select.select([connection], [], [], PATIENCE)


def resets(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)


def replies(text: str, after: float = 0.0) -> Callable[[socket.socket], None]:
    """After a while, in which the peer may give up."""

    def behave(connection: socket.socket) -> None:
        connection.recv(1024)
        if not select.select([connection], [], [], after)[0]:
            connection.sendall(text.encode())

    return behave


def ignores(_: Service, __: Datagram) -> None:
    pass


def answers(text: str, *order: int, after: float = 0.0) -> Callable[[Service, Datagram], None]:
    """After a while, from these of its sockets, one after the other."""

    def behave(service: Service, datagram: Datagram) -> None:
        for n in order or (0,):
            service.later(after, partial(service.sockets[n].sendto, text.encode(), datagram[1]))

    return behave
