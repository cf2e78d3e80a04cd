"""Connections to tcp-server: short ones, odd messages, and resets."""

import random
import socket
from collections import Counter

from lab import peers
from lab.case import Case
from lab.harness import Address, Crew, until
from lab.peers import NOW, SOURCES
from lab.protocol import ACK, HELLO

MEGABYTE = 1 << 20
GROWTH = 4 * MEGABYTE  # of resident memory, that short connections may leave behind


def short(case: Case) -> None:
    """Short connections, a tenth reset, a tenth half-closed.

    All others have their reply and a clean end. Afterwards the server holds no
    more descriptors than at the start, and hardly more memory.
    """
    count, crew = case.figure(100_000, 5_000), 4
    with case.server("tcp-server") as server:
        before = server.descriptors()
        briefly(server.address, 500, SOURCES, case.random.random())
        until(lambda: server.descriptors() <= before)
        resident = server.rss()
        shares = [(server.address, count // crew, SOURCES[n::crew], case.random.random()) for n in range(crew)]
        for outcome in Crew(briefly, shares).results(300):
            for kind, (tried, wrong) in outcome.items():
                case.tally(tried, wrong, f"{kind}: not answered")
        given_back = until(lambda: server.descriptors() <= before, 10)
        case.check(given_back, f"descriptors: {before} before, {server.descriptors()} after")
        growth = server.rss() - resident
        case.note(f"resident: {resident / MEGABYTE:.1f} MB, and {growth / MEGABYTE:.1f} MB more afterwards")
        case.check(growth <= GROWTH, f"{growth} bytes more are resident afterwards")


def briefly(address: Address, count: int, sources: tuple[str, ...], seed: float) -> dict[str, tuple[int, int]]:
    """Makes short connections of all kinds. Returns how many of each kind there were, and how many went wrong."""
    kinds = {"reset before data": 1, "reset after data": 1, "half-closed": 1, "half-closed without data": 1,
             "plain": 16}
    chosen = random.Random(seed).choices(list(kinds), list(kinds.values()), k=count)
    tried: Counter[str] = Counter(chosen)
    wrong: Counter[str] = Counter()
    for n, kind in enumerate(chosen):
        try:
            wrong[kind] += not one_short(kind, address, sources[n % len(sources)])
        except OSError:
            wrong[kind] += 1
    return {kind: (tried[kind], wrong[kind]) for kind in kinds}


def one_short(kind: str, address: Address, source: str) -> bool:
    with peers.connect(address, source) as peer:
        if not kind.endswith("without data") and kind != "reset before data":
            peer.sendall(HELLO)
        if kind.startswith("reset"):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
            return True
        if kind.startswith("half-closed"):
            peer.shutdown(socket.SHUT_WR)
        return peers.read_all(peer) == ACK


def sizes(case: Case) -> None:
    """Messages of 0 bytes to 8 MB, in one write and in many.

    Each has its reply and a clean end. There is no reset, although the server
    reads only the first 1024 bytes as the message, and discards the others.
    """
    with case.server("tcp-server") as server:
        for size in (0, 1, 1023, 1024, 1025, 64 << 10, 8 << 20):
            for pieces in (1, 97):
                for _ in range(case.figure(60, 5)):
                    send_and_check(case, server.address, size, pieces)


def send_and_check(case: Case, address: Address, size: int, pieces: int) -> None:
    message, step = bytes(size), max(1, -(-size // pieces))
    try:
        with peers.connect(address) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, size, step):
                peer.sendall(message[at : at + step])
            if not size:
                peer.shutdown(socket.SHUT_WR)
            reply: bytes | OSError = peers.read_all(peer)
    except OSError as error:
        reply = error
    case.check(reply == ACK, f"{size} bytes in {'one write' if pieces == 1 else 'many'}: {reply!r}")


def resets(case: Case) -> None:
    """Connections reset before and after data."""
    with case.server("tcp-server") as server:
        before = server.descriptors()
        for n in range(case.figure(1_000, 100)):
            for when in ("before data", "after data", "after the reply"):
                peer = peers.connect(server.address)
                if when != "before data":
                    peer.sendall(HELLO)
                if when == "after the reply":
                    peer.recv(1024)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
                peer.close()
                alive = server.is_running() and (n % 10 or peers.is_answered("tcp-server", server.address, 2))
                if not case.check(alive, f"after a reset {when}: {'no answer' if server.is_running() else 'dead'}"):
                    return
        case.check(until(lambda: server.descriptors() <= before, 10), "descriptors were not given back")
