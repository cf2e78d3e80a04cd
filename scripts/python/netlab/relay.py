"""A relay that loses, duplicates, delays and so reorders datagrams; and one for connections.

The fate of a datagram is the delay of each copy, in seconds. No copy is a loss.
A copy overtakes an earlier one if it waits for less time.
"""

import select
import socket
from typing import Callable

from lab.harness import Address
from lab.hosts import Host
from lab.peers import NOW, PATIENCE
from netlab import services
from netlab.services import BUFFER, Service

Fate = tuple[float, ...]
LOST: Fate = ()
AT_ONCE: Fate = (0.0,)


class Relay(Service):
    """Passes datagrams on, there and back. Each client has a socket of its own towards the server."""

    def __init__(self, host: Host, address: Address, server: Address) -> None:
        self._host, self._server = host, server
        self._front = services.open_socket(host, socket.SOCK_DGRAM, *address)
        self._clients: dict[Address, socket.socket] = {}
        self.there: Fate = AT_ONCE
        self.back: Fate = AT_ONCE
        self.seen = 0
        super().__init__([self._front], lambda _, ready: self._pass(ready))

    def _pass(self, ready: socket.socket) -> None:
        data, peer = ready.recvfrom(BUFFER)
        if ready is self._front:
            self.seen += 1
            towards = self._towards_server(peer)
            self._send(self.there, lambda: towards.send(data))
        else:
            client = next(each for each, back in self._clients.items() if back is ready)
            self._send(self.back, lambda: self._front.sendto(data, client))

    def _send(self, fate: Fate, send: Callable[[], int]) -> None:
        for delay in fate:
            self.later(delay, send)

    def _towards_server(self, client: Address) -> socket.socket:
        if client not in self._clients:
            self._clients[client] = self._host.socket(self._front.family, socket.SOCK_DGRAM)
            self._clients[client].connect(self._server)
            self.sockets.append(self._clients[client])
        return self._clients[client]


def connections(host: Host, server: Address, delay: float = 0.0, cut: bool = False) -> Callable[[socket.socket], None]:
    """Passes on one message and one reply, each after a delay; or resets the connection instead of replying."""

    def behave(client: socket.socket) -> None:
        message = client.recv(BUFFER)
        if select.select([client], [], [], delay)[0]:
            return  # the client has gone
        with host.socket(client.family, socket.SOCK_STREAM) as onwards:
            onwards.settimeout(PATIENCE)
            onwards.connect(server)
            onwards.sendall(message)
            reply = onwards.recv(BUFFER)
        if cut:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
        elif not select.select([client], [], [], delay)[0]:
            client.sendall(reply)

    return behave
