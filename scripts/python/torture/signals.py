"""Signals to servers, under a flood and without one."""

import signal
import socket
import statistics
import time

from lab import peers
from lab.case import SERVERS, Case
from lab.harness import Address, Crew, Server, until
from lab.protocol import ACK, HELLO, PORT, REPLY

LONGEST = 600.0  # seconds after which a flood ends by itself
FLOODED = 64 << 10  # bytes of a transcript, by which the flood has surely begun
SOON = 1.0  # seconds within which a server has to end
SHELL = ("sh", "-c")
WITHOUT_PROC = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc; exec sh -c "$@"', "sh")


def flood(case: Case) -> None:
    """SIGTERM under a flood, and with silent connections held.

    Four processes open connections and send bytes as fast as they can. The server
    still ends in order, and in time.
    """
    floods = (("tcp-server", connections_without_end), ("udp-server", datagrams_without_end),
              ("udp-server", coalesced_without_end))
    for program, torrent in floods:
        flooders = Crew(torrent, [(("127.0.0.1", PORT), n) for n in range(4)])
        part = f"{program}, {torrent.__name__.replace('_', ' ')}"
        with case.part(part):
            times = [stop_in_flood(case, program) for _ in range(case.figure(50, 5))]
            case.note(f"{part}: stopped within {max(times):.2f} s, in the median {statistics.median(times):.2f} s")
        flooders.end()
    with case.part("silent connections"):
        for _ in range(case.figure(10, 2)):
            stop_with_silent(case, 200)


def stop_in_flood(case: Case, program: str) -> float:
    with case.server(program, listen=f"127.0.0.1:{PORT}") as server:
        case.check(until(lambda: server.output.stat().st_size > FLOODED), f"{program}: the flood is none")
        taken = timed_stop(server)
        case.check(taken < SOON, f"{program}: {taken:.2f} s to its end, under a flood")
    server.output.unlink()
    return taken


def stop_with_silent(case: Case, count: int) -> None:
    with case.server("tcp-server") as server:
        before = server.descriptors()
        held = peers.silent(server.address, count)
        until(lambda: server.descriptors() >= before + count)
        taken = timed_stop(server)
        case.check(taken < SOON, f"{taken:.2f} s to its end, with {count} silent connections")
        peers.close_all(held)


def timed_stop(server: Server) -> float:
    begun = time.monotonic()
    server.stop()
    return time.monotonic() - begun


def connections_without_end(address: Address, number: int) -> None:
    """Two of the four flooders open connections; the others send on one for as long as it lasts."""
    end, block = time.monotonic() + LONGEST, bytes(64 << 10)
    while time.monotonic() < end:
        try:
            with peers.connect(address, peers.SOURCES[number], seconds=1) as peer:
                peer.sendall(HELLO)
                while number % 2:
                    peer.sendall(block)
        except OSError:
            time.sleep(0.001)  # refused, because no server runs just now


def datagrams_without_end(address: Address, number: int) -> None:
    end = time.monotonic() + LONGEST
    with peers.datagram_socket(address, peers.SOURCES[number]) as peer:
        while time.monotonic() < end:
            try:
                peer.send(HELLO)
            except OSError:
                time.sleep(0.001)


def coalesced_without_end(address: Address, number: int) -> None:
    """60 datagrams in one, of bytes that take long to print."""
    end, block = time.monotonic() + LONGEST, bytes(60_000)
    with peers.datagram_socket(address, peers.SOURCES[number]) as peer:
        peer.setsockopt(socket.IPPROTO_UDP, peers.UDP_SEGMENT, 1_000)
        while time.monotonic() < end:
            try:
                peer.send(block)
            except OSError:
                time.sleep(0.001)


def signals(case: Case) -> None:
    """Stops and continues, and SIGHUP.

    They come as with Ctrl-Z and fg, and as from a terminal that closes, with nohup
    and without it, with /proc and without it.
    """
    for program in SERVERS:
        with case.part(program), case.server(program) as server:
            for _ in range(case.figure(200, 20)):
                stop_and_continue(case, server)
        with case.part(f"{program}, SIGHUP"):
            hang_up(case, program)


def stop_and_continue(case: Case, server: Server) -> None:
    """A client comes while the server is stopped, and is answered when the server goes on."""
    server.signal(signal.SIGSTOP)
    case.check(until(server.is_stopped, 2), f"{server.program} does not stop")
    tcp = server.program == "tcp-server"
    peer = peers.connect(server.address) if tcp else peers.datagram_socket(server.address)
    with peer:
        peer.send(HELLO)
        server.signal(signal.SIGCONT)
        try:
            reply: bytes | OSError = peers.read_all(peer) if tcp else peer.recv(1024)
        except OSError as error:
            reply = error
    expected = ACK if tcp else REPLY
    case.check(reply == expected, f"{server.program}: after SIGSTOP and SIGCONT: {reply!r}")


def hang_up(case: Case, program: str) -> None:
    """SIGHUP ends a server in order, unless it was ignored at the start, as with nohup: then it stays ignored.

    Without /proc a server cannot ask whether it was. If any of its signals was, SIGHUP is ignored.
    """
    for wrapper, ignored in ((SHELL, "HUP"), (WITHOUT_PROC, "HUP"), (WITHOUT_PROC, "INT")):
        with case.server(program, wrapper=(*wrapper, f'trap "" {ignored}; exec "$@"', "sh")) as server:
            for _ in range(3):
                server.signal(signal.SIGHUP)
                answered = peers.is_answered(server.program, server.address, 2)
                case.check(answered and server.is_running(), f"{program}: SIGHUP was ignored, and is not")
            server.signal(signal.SIGINT)
            case.check(server.wait(5) == 0, f"{program}: SIGINT ends it with {server.status}")
    for wrapper in (SHELL, WITHOUT_PROC):
        with case.server(program, wrapper=(*wrapper, 'exec "$@"', "sh")) as server:
            server.signal(signal.SIGHUP)
            case.check(server.wait(5) == 0, f"{program}: SIGHUP ends it with {server.status}")
