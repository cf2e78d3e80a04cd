"""Servers that keep account of a run: what came from which port, and how it was answered.

What a client prints about a run is compared with this account, and never with a
guess. The fate of a datagram is the list of its replies; an empty one is a loss.
A reply carries no number, so that a client can tell replies apart only by the
port that they come to: it must send nothing from a port that still waits.
"""

import socket
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, Iterable, NamedTuple

from lab.harness import Address, until
from lab.protocol import PORT, REPLIES
from netlab import services
from netlab.run import Run
from netlab.scene import Scene
from netlab.services import Datagram, Service


class Reply(NamedTuple):
    after: float = 0.0  # seconds
    source: int = 0  # which of the server's sockets sends it; the first is the one that was asked
    # A held reply is sent when a later datagram comes, at the earliest after its
    # time. So the client still runs then, and no test has to guess for how long.
    held: bool = False


Fate = tuple[Reply, ...]
LOST: Fate = ()
AT_ONCE: Fate = (Reply(),)


@dataclass
class Entry:
    """A datagram that came, and the replies to it that were sent."""

    port: int
    fate: Fate
    at: float
    sent: list[Reply] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        right = [reply for reply in self.sent if reply.source == 0 and not reply.held]
        wrong = [reply for reply in self.sent if reply.source != 0]
        return "ok" if right else "wrong-source" if wrong else "no-reply"


class Account:
    """Answers each datagram as its fate says, and at once when no fates are left."""

    def __init__(self, fates: Iterable[Fate] = ()) -> None:
        self.begin(fates)

    def begin(self, fates: Iterable[Fate]) -> None:
        """Starts the account of another run."""
        self._fates = list(fates)
        self._held: list[tuple[Entry, Reply, Address]] = []
        self.entries: list[Entry] = []
        self.early = self.most_waiting = 0

    def __call__(self, service: Service, datagram: Datagram) -> None:
        peer, number = datagram[1], len(self.entries)
        entry = Entry(peer[1], self._fates[number] if number < len(self._fates) else AT_ONCE, time.monotonic())
        waiting = [other.port for other in self.entries if other.verdict != "ok"]
        self.early += entry.port in waiting
        self.most_waiting = max(self.most_waiting, len(waiting) + 1)
        self.entries.append(entry)
        self._release(service, entry.at)
        for reply in entry.fate:
            if reply.held:
                self._held.append((entry, reply, peer))
            elif reply.after == 0:
                self._send(service, entry, reply, peer)
            else:
                service.later(reply.after, partial(self._send, service, entry, reply, peer))

    def _release(self, service: Service, now: float) -> None:
        due = [each for each in self._held if now - each[0].at >= each[1].after]
        self._held = [each for each in self._held if each not in due]
        for entry, reply, peer in due:
            self._send(service, entry, reply, peer)

    @staticmethod
    def _send(service: Service, entry: Entry, reply: Reply, peer: Address) -> None:
        service.sockets[reply.source].sendto(REPLIES["udp"].encode(), peer)
        entry.sent.append(reply)

    def by_port(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for entry in self.entries:
            found.setdefault(entry.port, []).append(entry.verdict)
        return found

    @property
    def late(self) -> int:
        return sum(reply.held for entry in self.entries for reply in entry.sent)

    @property
    def foreign(self) -> int:
        return sum(reply.source != 0 for entry in self.entries for reply in entry.sent)

    @property
    def duplicate(self) -> int:
        right = (sum(reply.source == 0 for reply in entry.sent) for entry in self.entries)
        return sum(max(0, number - 1) for number in right)


def serve(scene: Scene, fates: Iterable[Fate] = (), *others: Address, address: str | None = None) -> Account:
    """Starts a server on b, and returns its account. The other addresses are further sources of replies."""
    account = Account(fates)
    scene.serve(services.udp(scene.b, [(address or scene.plan.server, PORT), *others], account))
    return account


def compare(scene: Scene, run: Run, account: Account) -> None:
    """Compares what a run says with the account: the verdict of each probe, and the numbers of stray replies."""
    check, said = scene.case.check, run.summary
    # A datagram that is under way when the client ends is read a moment later.
    until(lambda: len(account.entries) >= said["sent"], 2)
    check(said["sent"] == len(account.entries), f"sent {said['sent']}, {len(account.entries)} came")
    check(run.by_port() == account.by_port(), f"by port: said {run.by_port()}, were {account.by_port()}")
    check(account.early == 0, f"{account.early} datagrams from ports that waited for a reply")
    for name in ("late", "foreign", "duplicate"):
        were = getattr(account, name)
        check(said[name] == were, f"{name} {said[name]}, were {were}")


class Connections:
    """Serves connections, and keeps account of them. The given functions take turns at serving."""

    def __init__(self, *behaviours: tuple[str, Callable[[socket.socket], None]]) -> None:
        self._behaviours = behaviours or (("ok", services.replies(REPLIES["tcp"])),)
        self._came = 0
        self._by_port: dict[int, list[str]] = {}

    def __call__(self, connection: socket.socket) -> None:
        verdict, behave = self._behaviours[self._came % len(self._behaviours)]
        self._came += 1
        self._by_port.setdefault(connection.getpeername()[1], []).append(verdict)
        behave(connection)

    def by_port(self) -> dict[int, list[str]]:
        return self._by_port


def count(scene: Scene, name: str, kind: str, match: str, key: str, then: str = "", *rules: str) -> None:
    """Has the router count the packets that match, separately for each value of `key`.

    Host.counted() returns the counts. `then` is what else happens to such a packet; more rules may follow.
    """
    scene.filter(scene.r, "forward", f"{match} add @{name} {{ {key} counter }} {then}", *rules,
                 before=f"set {name} {{ type {kind}; flags dynamic; size 1024; }}")
