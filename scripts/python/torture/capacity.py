"""More peers of tcp-server at once than it has room for."""

import resource
import socket
import time

from lab import peers
from lab.case import Case
from lab.harness import Server, until
from lab.peers import SOURCES
from lab.protocol import HELLO
from torture import network

MEGABYTE = 1 << 20
SILENT_MEMORY = 16 * MEGABYTE  # that may be resident while 10,000 connections are held
EXHAUSTED = 40  # descriptors that a server may have when it is to run out of them
BUSIEST = 0.05  # share of a processor that it may use while it lacks descriptors


def silent(case: Case) -> None:
    """Connections held silent while others are served.

    They come from eight source addresses. The server holds them in little
    memory, and still answers each honest client within a second.
    """
    count = case.figure(10_000, 1_000)
    room = ["--read-timeout", "600", "--max-connections", str(count + 2_000)]
    with case.server("tcp-server", *room) as server:
        before = server.descriptors()
        held: list[socket.socket] = []
        memory = {0: server.rss()}
        for goal in sorted({1_000, count}):
            held += peers.silent(server.address, goal - len(held))
            until(lambda: server.descriptors() >= before + goal)
            memory[goal] = server.rss()
        accepted = server.descriptors() - before
        case.tally(count, count - accepted, f"only {accepted} were accepted")
        case.note("resident: " + ", ".join(f"{rss / MEGABYTE:.1f} MB with {n:,}" for n, rss in memory.items()))
        case.check(memory[count] < SILENT_MEMORY, f"{memory[count]} bytes resident with {count} connections")
        honest_clients(case, server, 100)
        closed = sum(peers.is_closed(peer) for peer in held)
        case.check(not closed, f"{closed} silent connections were closed, although there was room")
        peers.close_all(held)
        case.check(until(lambda: server.descriptors() <= before), "their descriptors were not given back")


def honest_clients(case: Case, server: Server, count: int) -> None:
    times = []
    for n in range(count):
        begun = time.monotonic()
        answered = peers.is_answered("tcp-server", server.address, 1, SOURCES[n % len(SOURCES)])
        case.check(answered, "an honest client had no answer within a second")
        times.append(time.monotonic() - begun)
    case.note(f"{count} honest clients: answered within {max(times) * 1000:.0f} ms")


def limit(case: Case) -> None:
    """Clients beyond --max-connections and --max-per-source."""
    with case.part("evicted"):
        evict(case, 200, 50)
    with case.part("refused"):
        refuse(case, 20)
    with case.part("per source"):
        per_source(case, "127.0.0.1:0", ("127.0.0.1",), other="127.0.0.2")
    with case.part("per IPv6 network"):
        for host in ("fd00:a::1", "fd00:a::2", "fd00:a::ffff:1", "fd00:b::1"):
            network.add_address(f"{host}/128")
        per_source(case, "[fd00:a::1]:0", ("fd00:a::1", "fd00:a::2", "fd00:a::ffff:1"), other="fd00:b::1")


def evict(case: Case, most: int, honest: int) -> None:
    """At the limit, the oldest silent connections are closed for the newcomers."""
    with case.server("tcp-server", "--json", "--max-connections", str(most)) as server:
        held = peers.silent(server.address, most)
        honest_clients(case, server, honest)
        at_once = [peers.connect(server.address, source=SOURCES[n % 8]) for n in range(honest)]
        for peer in at_once:
            peer.sendall(HELLO)
        wrong = peers.unanswered(at_once, 1)
        case.tally(honest, wrong, "clients at once, not answered within a second")
        closed = [peers.is_closed(peer) for peer in held]
        case.check(1 <= sum(closed) <= honest + 1, f"{sum(closed)} of the silent had to go")
        case.check(closed == sorted(closed, reverse=True), "they were not the oldest")
        peers.close_all(held)
    evicted = server.totals()["evicted"]
    case.check(evicted == sum(closed), f"it says that it evicted {evicted}, but it was {sum(closed)}")


def refuse(case: Case, most: int) -> None:
    """If no connection is silent, the newcomer is closed."""
    options = ("--json", "--linger", "30s", "--max-connections", str(most))
    with case.server("tcp-server", *options) as server:
        served = [peers.connect(server.address, source=SOURCES[n % 8]) for n in range(most)]
        for peer in served:
            peer.sendall(HELLO)
        case.check(not peers.unanswered(served, 5, keep=True), "not all are answered")
        newcomer = peers.connect(server.address)
        case.check(until(lambda: peers.is_closed(newcomer), 2), "the newcomer is not closed")
        peers.close_all([newcomer, *served[:1]])
        answered = until(lambda: peers.is_answered("tcp-server", server.address, 1), 3)
        case.check(answered, "once there is room, nobody is answered")
        peers.close_all(served)
    case.check(server.totals()["refused"] >= 1, f"it refused nobody: {server.totals()}")


def per_source(case: Case, listen: str, sources: tuple[str, ...], other: str) -> None:
    """Checks that a source gets ten connections and no more, and that another source is still served."""
    with case.server("tcp-server", "--json", "--max-per-source", "10", listen=listen) as server:
        held = peers.silent(server.address, 10, sources)
        eleventh = peers.connect(server.address, sources[-1])
        case.check(until(lambda: peers.is_closed(eleventh), 2), f"the 11th from {sources} is not closed")
        case.check(not any(map(peers.is_closed, held)), "one of the ten was closed")
        case.check(peers.is_answered("tcp-server", server.address, 1, other), f"{other} is not answered")
        held.pop().close()
        answered = until(lambda: peers.is_answered("tcp-server", server.address, 1, sources[0]), 3)
        case.check(answered, "one of ten has gone, and the next is not answered")
        peers.close_all([eleventh, *held])
    case.check(server.totals()["refused"] >= 1, f"it refused nobody: {server.totals()}")


def exhaustion(case: Case) -> None:
    """Rounds of descriptors running out.

    Sixty clients come to a server that has room for fewer. Then descriptors
    become free, which no event tells the server; or all that hold descriptors
    are silent, and are closed for the newcomers.
    """
    rounds = case.figure(100, 10)
    ways = (served_leave, raised_limit, silent_give_way)
    with case.server("tcp-server", "--linger", "30s") as server:
        before = server.descriptors()
        for n in range(rounds):
            freed = ways[n % len(ways)]
            stranded = freed(case, server, n < len(ways))
            case.check(not stranded, f"{freed.__name__}: {stranded} of 60 stranded for two seconds")
            gone = until(lambda: server.descriptors() <= before, 10)
            case.check(gone, f"{freed.__name__}: descriptors were not given back")


def limit_descriptors(server: Server, soft: int) -> None:
    hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))


def raised_limit(case: Case, server: Server, measured: bool) -> int:
    """The limit is raised. Nobody closes or comes, so only a timer can make the server look again."""
    limit_descriptors(server, EXHAUSTED)
    waiting = say_hello(server, 60)
    until(lambda: server.descriptors() >= EXHAUSTED)
    measure(case, server, measured)
    limit_descriptors(server, 1024)
    stranded = peers.unanswered(waiting, 2, keep=True)
    peers.close_all(waiting)
    return stranded


def served_leave(case: Case, server: Server, measured: bool) -> int:
    """The clients that hold the descriptors have been answered, and close."""
    limit_descriptors(server, EXHAUSTED)
    held = say_hello(server, EXHAUSTED - server.descriptors())
    until(lambda: server.descriptors() >= EXHAUSTED)
    waiting = say_hello(server, 60)
    measure(case, server, measured)
    peers.close_all(held)
    stranded = peers.unanswered(waiting, 2)
    peers.close_all(waiting)
    limit_descriptors(server, 1024)
    return stranded


def silent_give_way(_case: Case, server: Server, _measured: bool) -> int:
    """The clients that hold the descriptors have sent nothing, and stay."""
    limit_descriptors(server, EXHAUSTED)
    held = peers.silent(server.address, EXHAUSTED)
    waiting = say_hello(server, 60)
    stranded = peers.unanswered(waiting, 2)
    peers.close_all([*held, *waiting])
    limit_descriptors(server, 1024)
    return stranded


def say_hello(server: Server, count: int) -> list[socket.socket]:
    waiting = []
    for n in range(count):
        waiting.append(peers.connect(server.address, SOURCES[n % 8]))
        waiting[-1].sendall(HELLO)
    return waiting


def measure(case: Case, server: Server, measured: bool) -> None:
    if measured:
        share = server.cpu_share(1)
        case.note(f"processor time while exhausted: {share:.1%}")
        case.check(share < BUSIEST, f"{share:.1%} of a processor while exhausted")
