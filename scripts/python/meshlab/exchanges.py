"""Who reaches whom at a desk, counted: datagrams between all hosts, without a program of ours."""

import math
import select
import socket
from collections import Counter
from typing import Iterable, Iterator, NamedTuple

from lab.protocol import PORT
from mesh.desks.desk import Desk

FALSE_ALARM = 1e-13  # of one comparison. A case makes some thousands
QUIET_S = 0.5  # after which nothing more comes
BATCH = 20  # datagrams to a host that wait to be read
FIRST_PORT = 20000

Flow = tuple[str, str, int]  # from, to, source port


class Counted(NamedTuple):
    """What came of so many messages of each flow: how many came there, and how many of the replies came back."""

    sent: int
    there: Counter[Flow]
    back: Counter[Flow]


def rack(name: str) -> str:
    return name.partition("-")[0]


def pairs(desk: Desk) -> list[tuple[str, str]]:
    return [(one, other) for one in desk.hosts for other in desk.hosts if one != other]


def exchange(desk: Desk, count: int, ports: Iterable[int] = (FIRST_PORT,)) -> Counted:
    """Each host sends each other one so many messages from each port. Who gets one replies to it."""
    names = {host.address: host.name for host in desk.fleet}
    servers = {_open(desk, name, PORT): name for name in desk.hosts}
    clients = {_open(desk, name, port): (name, port) for name in desk.hosts for port in ports}
    counted = Counted(count, Counter(), Counter())

    def read(ready: Iterable[socket.socket]) -> None:
        for each in ready:
            for peer in _datagrams(each):
                if each in servers:
                    counted.there[names[peer[0]], servers[each], peer[1]] += 1
                    _send(each, peer)
                else:
                    name, port = clients[each]
                    counted.back[name, names[peer[0]], port] += 1

    everybody = [*servers, *clients]
    try:
        for n in range(1, count + 1):
            for client, (name, _) in clients.items():
                for host in desk.fleet:
                    if host.name != name:
                        _send(client, (host.address, PORT))
            if n % BATCH == 0:
                read(everybody)
        flows = len(clients) * (len(desk.hosts) - 1)
        while counted.back.total() < count * flows and (ready := select.select(everybody, [], [], QUIET_S)[0]):
            read(ready)
    finally:
        for each in everybody:
            each.close()
    return counted


def _open(desk: Desk, name: str, port: int) -> socket.socket:
    opened = desk.hosts[name].socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setblocking(False)
    opened.bind(("", port))
    return opened


def _send(sender: socket.socket, peer: tuple[str, int]) -> None:
    try:
        sender.sendto(b"x", peer)
    except OSError:
        pass  # its own link is down


def _datagrams(ready: socket.socket) -> Iterator[tuple[str, int]]:
    """From whom datagrams have come."""
    while True:
        try:
            yield ready.recvfrom(16)[1]
        except BlockingIOError:
            return


def fits(lost: int, of: int, percent: float) -> bool:
    """Whether so many losses are no surprise at this percentage: by Hoeffding's inequality, except FALSE_ALARM."""
    if percent in (0, 100):
        return lost == of * percent / 100
    return abs(lost - of * percent / 100) <= math.sqrt(of * math.log(2 / FALSE_ALARM) / 2)
