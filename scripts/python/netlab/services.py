"""Servers in this process, each with a thread on a host of the network.

A function says what a server does. It is given a connection, which is closed
when the function returns; or the service, and a datagram with its sender.
"""

import heapq
import select
import socket
import threading
import time
from functools import partial
from typing import Any, Callable

from lab.harness import Address
from lab.hosts import Host
from lab.peers import NOW, PATIENCE, read_all
from lab.protocol import PORT

BUFFER = 65_535  # bytes, in which every datagram has room

Datagram = tuple[bytes, Address]
Behaviour = Callable[[socket.socket], None]  # of a server towards a connection


class Service:
    """A thread that handles what its sockets receive, and makes calls when they are due."""

    def __init__(self, sockets: list[socket.socket], handle: Callable[["Service", socket.socket], Any]) -> None:
        self.sockets, self._handle = sockets, handle
        self._due: list[tuple[float, int, Callable[[], Any]]] = []
        self._count = 0
        self._waking, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def later(self, seconds: float, call: Callable[[], Any]) -> None:
        """Makes a call after so many seconds. Only the service's own thread may ask for it."""
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
    """Makes a call. An error of the network, such as a peer that has gone, does not end the service."""
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


def tcp(host: Host, address: str, behave: Behaviour, port: int = PORT) -> Service:
    """A server that serves one connection after the other."""

    def handle(_: Service, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            behave(connection)

    return Service([open_socket(host, socket.SOCK_STREAM, address, port)], handle)


def udp(host: Host, addresses: list[Address], behave: Callable[[Service, Datagram], None]) -> Service:
    """A server that receives at the first address, and may reply from each of them."""
    sockets = [open_socket(host, socket.SOCK_DGRAM, *address) for address in addresses]

    def handle(service: Service, asked: socket.socket) -> None:
        datagram = asked.recvfrom(BUFFER)
        if asked is sockets[0]:
            behave(service, (datagram[0], datagram[1][:2]))

    return Service(sockets, handle)


def says_nothing(connection: socket.socket) -> None:
    """Reads until the peer closes."""
    read_all(connection)


def closes(connection: socket.socket) -> None:
    connection.recv(1024)


def half_closes(connection: socket.socket) -> None:
    """Shuts down sending at once, and then reads. So nothing is left unread, and there is no reset."""
    connection.shutdown(socket.SHUT_WR)
    read_all(connection)


def leaves_unread(connection: socket.socket) -> None:
    """Closes when the message is there. Because it is unread, that is a reset: RFC 2525 section 2.17."""
    select.select([connection], [], [], PATIENCE)


def resets(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)


def replies(text: str, after: float = 0.0) -> Callable[[socket.socket], None]:
    """Replies after a while, unless the peer has closed by then."""

    def behave(connection: socket.socket) -> None:
        connection.recv(1024)
        if not select.select([connection], [], [], after)[0]:
            connection.sendall(text.encode())

    return behave


def ignores(_: Service, __: Datagram) -> None:
    pass


def answers(text: str, *order: int, after: float = 0.0) -> Callable[[Service, Datagram], None]:
    """Replies after a while from these sockets in order, or from the first."""

    def behave(service: Service, datagram: Datagram) -> None:
        for n in order or (0,):
            service.later(after, partial(service.sockets[n].sendto, text.encode(), datagram[1]))

    return behave
