"""Forged datagrams: those that udp-server must not answer, and those that could start a loop."""

import signal
import socket
import threading
import time
from contextlib import closing, contextmanager
from typing import Iterator

from lab import peers
from lab.case import Case
from lab.harness import Address, Server, until
from lab.protocol import HELLO, REPLY
from torture import network
from torture.forge import Forger, Tap

LONGEST_LOOP = 3  # datagrams that a forged one may cause, itself among them
QUIET = 0.5  # seconds after which a loop is over
ENDLESS = 1_000  # datagrams after which a loop counts as endless
RATE = 50  # as the unit for systemd has it


def forged(case: Case) -> None:
    """Forged datagrams that must not be answered.

    They come from addresses and ports that nobody may have, or to which a reply
    would do harm. A tap sees what the server really sends.
    """
    count = case.figure(10_000, 500)
    # With a route to every address, a wrong reply is sent and seen, and does not fail.
    network.ip("route add default dev lo")
    network.ip("route add broadcast 255.255.255.255 dev lo")
    with case.server("udp-server", "--json", listen="0.0.0.0:0") as server:
        address = ("127.0.0.1", server.address[1])
        kinds = [(source, b"hello") for source in (
            ("0.0.0.0", 5000), ("224.0.0.1", 5000), ("255.255.255.255", 5000), ("127.0.0.1", 0),
            ("127.0.0.1", 7), ("127.0.0.1", 19), ("127.0.0.1", 53), ("127.0.0.1", 2049),
        )] + [(address, REPLY)]
        with closing(Forger()) as forger, closing(Tap()) as tap:
            honest = forge_in_bursts(case, server, forger, tap, kinds, count)
        case.check(peers.is_answered("udp-server", address, 1), "an honest client is not answered")
    totals = server.totals()
    dropped = {key: n for key, n in totals.items() if key in (
        "dropped_own_reply", "dropped_low_port", "dropped_unusable_source")}
    case.note("it says: " + ", ".join(f"{key} {n}" for key, n in dropped.items()))
    case.check(sum(dropped.values()) == count, f"{count} were forged, but it says {dropped}")
    case.check(totals["exchanges"] == honest + 1, f"{honest + 1} were honest, but it says {totals}")


def forge_in_bursts(case: Case, server: Server, forger: Forger, tap: Tap,
                    kinds: list[tuple[Address, bytes]], count: int) -> int:
    """Forges in bursts, with an honest exchange after each. Returns how many were honest.

    When the honest exchange is over, the server has received the burst before it.
    A burst is small enough for the receive buffer, so that nothing is lost.
    """
    address, honest = ("127.0.0.1", server.address[1]), 0
    with peers.datagram_socket(address, seconds=2) as client:
        for at in range(0, count, 32):
            burst = [kinds[n % len(kinds)] for n in range(at, min(at + 32, count))]
            for source, payload in burst:
                forger.send(source, address, payload)
            client.send(HELLO)
            case.check(client.recv(1024) == REPLY, "the honest client's reply is another")
            honest += 1
            sent = [target for source, target in iter_taps(tap) if source[1] == address[1]]
            replies = [target for target in sent if target != client.getsockname()]
            own = replies.count(address) - sum(source == address for source, _ in burst)
            answered = [target for target in replies if target != address] + [address] * max(0, own)
            case.tally(len(burst), len(answered), f"answered: {set(answered)}")
    return honest


def iter_taps(tap: Tap) -> Iterator[tuple[Address, Address]]:
    return iter(lambda: tap.next(0), None)


def loops(case: Case) -> None:
    """Reply loops: itself, a second server, echo and chargen.

    One forged datagram makes the server reply to somebody who replies, too. There
    may be three datagrams at most, and then there is silence.
    """
    for _ in range(case.figure(10, 1)):
        with case.server("udp-server") as server, case.server("udp-server") as second:
            loop(case, "itself", server.address, server.address)
            loop(case, "a second server", second.address, server.address)
            for port, reply in ((7, None), (19, b"a line of characters"), (7007, None)):
                with service(port, reply) as address:
                    loop(case, f"a service on port {port}", address, server.address)
            for each in (server, second):
                alive = peers.is_answered("udp-server", each.address, 1)
                case.check(alive, "after the loops nobody is answered")
    with case.part("a third party"):
        third_party(case)


def third_party(case: Case) -> None:
    """A program on a high port that answers everything looks like a client, and --rate bounds the loop with it.

    The burst is over in a moment. Then a datagram is not answered, which ends the loop.
    """
    with case.server("udp-server", "--rate", str(RATE)) as server, service(40_007, b"400 Bad Request") as address:
        with closing(Forger()) as forger, closing(Tap()) as tap:
            begun = time.monotonic()
            forger.send(address, server.address, HELLO)
            seen = len(tap.all(QUIET, ENDLESS))
            seconds = time.monotonic() - begun
    rounds, most = (seen - 1) / 2, 2 * RATE + RATE * seconds
    case.note(f"--rate {RATE}, a third party that answers everything: {rounds:.0f} rounds of at most {most:.0f}")
    case.check(2 * RATE <= rounds <= most, f"a third party: {rounds} rounds, not {2 * RATE} to {most}")


def loop(case: Case, name: str, source: Address, target: Address) -> None:
    with closing(Forger()) as forger, closing(Tap()) as tap:
        forger.send(source, target, HELLO)
        seen = len(tap.all(QUIET, ENDLESS))
    case.check(1 <= seen <= LONGEST_LOOP, f"{name}: {seen} datagrams")


@contextmanager
def service(port: int, reply: bytes | None) -> Iterator[Address]:
    """A service that sends each datagram back, as echo (RFC 862), or a reply, as chargen (RFC 864).

    It ends with the block, and an endless loop with it.
    """
    answering = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    answering.bind(("127.0.0.1", port))
    over = threading.Event()

    def answer() -> None:
        while not over.is_set():
            data, peer = answering.recvfrom(65536)
            if not over.is_set():
                answering.sendto(data if reply is None else reply, peer)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield ("127.0.0.1", port)
    finally:
        over.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", port))
        thread.join()
        answering.close()


def unroutable(case: Case) -> None:
    """Forged sources to which there is no way back.

    Sending the reply fails in every way that a routing table knows.
    """
    kinds = ("unreachable", "blackhole", "prohibit", "throw")
    for n, kind in enumerate(kinds):
        network.ip(f"route add {kind} 203.0.113.{n}/32")
    with case.server("udp-server") as server, closing(Forger()) as forger:
        for _ in range(case.figure(250, 25)):
            for n, kind in enumerate(kinds):
                forger.send((f"203.0.113.{n}", 5000), server.address, HELLO)
                alive = server.is_running() and peers.is_answered("udp-server", server.address, 1)
                if not case.check(alive, f"{kind}: {'no answer' if server.is_running() else 'dead'} afterwards"):
                    return
    lines = server.output.read_bytes().count(b"Received from: 203.0.113.")
    case.check(lines == case.figure(1000, 100), f"{lines} of them reached the server")
    for _ in range(case.figure(20, 3)):
        the_last_fails(case)


def the_last_fails(case: Case) -> None:
    """The reply that --count waits for cannot be sent. The next one counts instead.

    Both datagrams come in the same batch.
    """
    with case.server("udp-server", "--json", "--count", "1") as server, closing(Forger()) as forger:
        with peers.datagram_socket(server.address, seconds=1) as honest:
            server.signal(signal.SIGSTOP)
            until(server.is_stopped)
            forger.send(("203.0.113.0", 5000), server.address, HELLO)
            honest.send(HELLO)
            server.signal(signal.SIGCONT)
            try:
                reply: bytes | OSError = honest.recv(1024)
            except OSError as error:
                reply = error
        case.check(reply == REPLY, f"after a reply that could not be sent: {reply!r}")
        server.wait()
    totals = server.totals()
    counted = totals["datagrams"], totals["exchanges"], totals["unanswered"]
    case.check(counted == (2, 1, 1), f"datagrams, exchanges and unanswered are {counted}")
