"""Clients of both servers: honest ones, and silent ones."""

import select
import socket
import struct
import time
from typing import Iterable

from lab.harness import Address
from lab.protocol import ACK, HELLO, REPLY

SOURCES = tuple(f"127.0.0.{n}" for n in range(1, 9))
PATIENCE = 5.0  # seconds that a peer waits for the other side
NOW = struct.pack("ii", 1, 0)  # struct linger: closing resets the connection

# linux/in.h; the socket module has no name for it before Python 3.12. The source
# port is then chosen by connect and not by bind, so that connections from
# different sources, or to different targets, may share one: ip(7).
IP_BIND_ADDRESS_NO_PORT = 24

UDP_SEGMENT = 103  # linux/udp.h


def _socket(kind: int, host: str, source: str | None, seconds: float) -> socket.socket:
    peer = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    peer.settimeout(seconds)
    if source:
        if kind == socket.SOCK_STREAM:
            peer.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        peer.bind((source, 0))
    return peer


def connect(address: Address, source: str | None = None, seconds: float = PATIENCE) -> socket.socket:
    peer = _socket(socket.SOCK_STREAM, address[0], source, seconds)
    try:
        peer.connect(address)
    except OSError:
        peer.close()
        raise
    return peer


def silent(address: Address, count: int, sources: Iterable[str] = SOURCES) -> list[socket.socket]:
    """Opens connections that send nothing, spread over the sources."""
    pool = tuple(sources)
    return [connect(address, pool[n % len(pool)]) for n in range(count)]


def read_all(peer: socket.socket) -> bytes:
    """Reads until the other side closes. A reset is an OSError."""
    data = b""
    while piece := peer.recv(1024):
        data += piece
    return data


def is_closed(peer: socket.socket) -> bool:
    """Whether the server has closed this connection, with or without a reset."""
    poll = select.poll()
    poll.register(peer, select.POLLIN | select.POLLRDHUP)
    return bool(poll.poll(0))


def ask(address: Address, message: bytes = HELLO, source: str | None = None, seconds: float = PATIENCE) -> bytes:
    """Makes one TCP exchange. Returns all that came until the server closed."""
    with connect(address, source, seconds) as peer:
        peer.sendall(message)
        return read_all(peer)


def datagram_socket(address: Address, source: str | None = None, seconds: float = PATIENCE) -> socket.socket:
    """A connected socket, which receives datagrams from this address alone."""
    peer = _socket(socket.SOCK_DGRAM, address[0], source, seconds)
    peer.connect(address)
    return peer


def ask_datagram(address: Address, message: bytes = HELLO, source: str | None = None,
                 seconds: float = PATIENCE) -> bytes:
    """Makes one UDP exchange. Returns the reply."""
    with datagram_socket(address, source, seconds) as peer:
        peer.send(message)
        return peer.recv(65536)


def is_answered(program: str, address: Address, seconds: float, source: str | None = None) -> bool:
    """Whether an honest client of this server has its reply in time."""
    begun = time.monotonic()
    try:
        if program == "tcp-server":
            ok = ask(address, source=source, seconds=seconds) == ACK
        else:
            ok = ask_datagram(address, source=source, seconds=seconds) == REPLY
    except OSError:
        return False
    return ok and time.monotonic() - begun <= seconds


def unanswered(waiting: list[socket.socket], seconds: float, keep: bool = False) -> int:
    """How many TCP clients, all of which have sent their message, get no right answer in time.

    A client closes when its server has closed, unless it is to be kept.
    """
    deadline = time.monotonic() + seconds
    poll, pending = select.poll(), {}
    for peer in waiting:
        peer.setblocking(False)
        poll.register(peer, select.POLLIN)
        pending[peer.fileno()] = (peer, b"")
    wrong = 0
    while pending and (left := deadline - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1000):
            peer, data = pending[fd]
            try:
                piece = peer.recv(1024)
            except OSError:
                data, piece = b"reset", b""
            if piece:
                pending[fd] = (peer, data + piece)
                continue
            wrong += data != ACK
            poll.unregister(fd)
            del pending[fd]
            if not keep:
                peer.close()
    return wrong + len(pending)


def close_all(peers: Iterable[socket.socket]) -> None:
    for peer in peers:
        peer.close()
