"""Datagrams to udp-server: odd ones, and too many."""

import codecs
import math
import random
import re
import signal
import socket
import time

from lab import peers
from lab.case import Case
from lab.harness import Address, Crew, Server, until
from lab.protocol import HELLO, LARGEST, REPLY
from torture import network

MEGABYTE = 1 << 20
MOST_RESIDENT = 32 * MEGABYTE  # memory of the server
CHECKED = 50 * MEGABYTE  # of a transcript, at most
HEADERS = 28  # bytes of IPv4 and UDP
AMPLIFICATION = 1.7  # times as large as its request, on the wire, a reply may be

# Bytes that would move a terminal's cursor, forge a line of the transcript, or
# change the direction of text.
NASTY = (
    b"\x1b[2J\x1b[H", b"\x1b]0;title\x07", b"\x1b]52;c;cm0gLXJmIC8=\x07", b"\r[*] forged\r\n[*] forged\n",
    "\u202e\u2066\u200f\ufeff\u2028".encode(), b"\xc2\x9b31m", b"\x00\x08\x7f", b"\xe2\x80", b"\xf4\x90\x80\x80",
    "中文".encode(), b"\\x1b\\n",
)
CONTROLS = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def datagrams(case: Case) -> None:
    """Fuzzed datagrams, and every length.

    Each holds 0 to 2,048 random bytes and terminal escapes. The server answers
    them and stays small, and its transcript holds no control character.
    """
    count, crew = case.figure(1_000_000, 50_000), 2
    with case.server("udp-server") as server:
        shares = [(server.address, count // crew, case.random.random()) for _ in range(crew)]
        answered = sum(Crew(fuzz, shares).results(600))
        # Few enough are under way for the receive buffer, but UDP may lose some: one in a thousand may be.
        case.tally(count, max(0, count - answered - count // 1000), "fuzzed datagrams not answered")
        case.check(peers.is_answered("udp-server", server.address, 1), "the next client is not answered")
        resident = server.rss()
        case.note(f"{answered:,} answered; resident: {resident / MEGABYTE:.1f} MB")
        case.check(resident < MOST_RESIDENT, f"{resident} bytes resident")
        every_length(case, server.address, case.figure(1, 64))
    check_transcript(case, server)


def fuzz(address: Address, count: int, seed: float) -> int:
    """Sends so many datagrams, with at most 32 under way. Returns how many were answered."""
    numbers, answered, silences = random.Random(seed), 0, 0
    with peers.datagram_socket(address, seconds=1) as peer:
        for at in range(0, count, 32):
            burst = min(32, count - at)
            try:
                for _ in range(burst):
                    peer.send(fuzzed(numbers))
                for _ in range(burst):
                    answered += peer.recv(1024) == REPLY
            except OSError:
                silences += 1
                if silences > 20:
                    break
    return answered


def fuzzed(numbers: random.Random) -> bytes:
    longest = numbers.choice((8, 8, 32, 32, 32, 128, 256, 2048))
    body = numbers.randbytes(numbers.randint(0, longest))
    if numbers.random() < 0.2:
        at = numbers.randint(0, len(body))
        body = (body[:at] + numbers.choice(NASTY) + body[at:])[:2048]
    return body


def every_length(case: Case, address: Address, step: int) -> None:
    edges = {1, 1023, 1024, 1025, 1472, 1473, 2047, 2048, LARGEST}
    with peers.datagram_socket(address, seconds=2) as peer:
        for length in sorted(edges | set(range(0, 2049, step))):
            peer.send(bytes(length))
            try:
                reply: bytes | OSError = peer.recv(1024)
            except TimeoutError as error:
                reply = error
            case.check(reply == REPLY, f"{length} bytes: {reply!r}")


def check_transcript(case: Case, server: Server) -> None:
    """Checks that a transcript is UTF-8, with no control character but newlines, and no forged line."""
    decoder, read, before = codecs.getincrementaldecoder("utf-8")(), 0, ""
    with open(server.output, "rb") as output:
        while read < CHECKED and (chunk := output.read(MEGABYTE)):
            read += len(chunk)
            text = decoder.decode(chunk)
            bad = CONTROLS.search(text) or re.search(r"\n\[\*\] forged", before + text)
            if not case.check(not bad, f"the transcript holds {bad and bad.group()!r}"):
                return
            before = text[-16:]
    case.note(f"transcript: {server.output.stat().st_size / MEGABYTE:.1f} MB, checked: {read / MEGABYTE:.1f} MB")
    case.check(read > MEGABYTE / 100, f"a transcript of {read} bytes")


def reflection(case: Case) -> None:
    """Replies to one source, under --rate 50.

    A source gets a burst of 100, and then 50 a second, whatever it sends. Another
    source gets all of its replies. No reply is much larger than its request.
    """
    rate = 50
    with case.server("udp-server", "--json", "--rate", str(rate)) as server:
        with peers.datagram_socket(server.address, "127.0.0.1") as source:
            others, seconds = send_in_a_second(source, case.figure(10_000, 10_000), server.address)
            replies = count_replies(source)
        most = 2 * rate + math.ceil(rate * seconds)
        case.note(f"10,000 in {seconds:.2f} s: {replies} replies of at most {most}")
        case.check(2 * rate <= replies <= most, f"{replies} replies, not {2 * rate} to {most}")
        case.tally(10, 10 - others, "datagrams of a second source, not answered")
    totals = server.totals()
    case.check(totals["exchanges"] == replies + others and totals["dropped_rate"] > 0, f"totals: {totals}")
    with case.part("one IPv6 network"):
        one_network(case, rate)
    with case.part("amplification"), case.server("udp-server") as server:
        for length in (0, 1, 2, 19, 22, 100, 1024):
            reply = peers.ask_datagram(server.address, bytes(length))
            grown = (len(reply) + HEADERS) / (length + HEADERS)
            case.check(grown <= AMPLIFICATION, f"{length} bytes: the reply is {grown:.2f} times as large on the wire")


def send_in_a_second(source: socket.socket, count: int, address: Address) -> tuple[int, float]:
    """Sends so many datagrams evenly over a second, and meanwhile ten exchanges of another source.

    Returns how many of the ten were answered, and how many seconds it all took.
    """
    begun, others = time.monotonic(), 0
    for n in range(count):
        if n % 100 == 0:  # a hundred at a time, when they are due
            time.sleep(max(0, begun + n / count - time.monotonic()))
        if n % (count // 10) == count // 20:
            others += peers.is_answered("udp-server", address, 2, "127.0.0.2")
        source.send(HELLO)
    return others, time.monotonic() - begun


def count_replies(*sockets: socket.socket) -> int:
    """Counts the replies at each socket until none comes for half a second."""
    replies = 0
    for peer in sockets:
        peer.settimeout(0.5)
        try:
            while peer.recv(1024):
                replies += 1
        except TimeoutError:
            pass
    return replies


def one_network(case: Case, rate: int) -> None:
    """Two addresses of one /64 count as one source."""
    for host in ("fd00:a::1", "fd00:a::2", "fd00:b::1"):
        network.add_address(f"{host}/128")
    with case.server("udp-server", "--rate", str(rate), listen="[fd00:a::1]:0") as server:
        begun = time.monotonic()
        sources = [peers.datagram_socket(server.address, host) for host in ("fd00:a::1", "fd00:a::2")]
        for _ in range(3 * rate):
            for source in sources:
                source.send(HELLO)
        replies = count_replies(*sources)
        most = 2 * rate + math.ceil(rate * (time.monotonic() - begun))
        case.check(2 * rate <= replies <= most, f"{replies} replies to one /64, not {2 * rate} to {most}")
        case.check(peers.is_answered("udp-server", server.address, 1, "fd00:b::1"), "another /64 is not answered")


def drops(case: Case) -> None:
    """Bursts larger than the receive buffer.

    The server counts what the kernel drops: answered and dropped are all that was sent.
    """
    for n in range(case.figure(10, 2)):
        with case.part(f"burst {n + 1}"):
            burst(case, 5_000)
    with case.part("coalesced"):
        coalesced(case)


def coalesced(case: Case) -> None:
    """Datagrams that are sent in one call may be dropped as one, and count as one.

    So more may be dropped than the server can count.
    """
    with case.server("udp-server", "--json") as server:
        server.signal(signal.SIGSTOP)
        until(server.is_stopped)
        with peers.datagram_socket(server.address) as peer:
            peer.setsockopt(socket.IPPROTO_UDP, peers.UDP_SEGMENT, 100)
            for _ in range(500):
                peer.send(bytes(4_000))
        server.signal(signal.SIGCONT)
    totals = server.totals()
    done, dropped = totals["exchanges"], totals["dropped_kernel"]
    case.check(done > 0 and dropped > 0 and done + dropped <= 20_000,
               f"20,000 sent as 500: {done} answered, {dropped} or more dropped")


def burst(case: Case, count: int) -> None:
    with case.server("udp-server", "--json") as server:
        server.signal(signal.SIGSTOP)
        until(server.is_stopped)
        with peers.datagram_socket(server.address) as peer:
            for _ in range(count):
                peer.send(bytes(1_000))
        server.signal(signal.SIGCONT)
        # Datagrams are answered in order: after this answer, the burst is over. The
        # first tries may meet a buffer that is still full.
        for last in range(1, 11):
            if answered := peers.is_answered("udp-server", server.address, 2):
                break
        case.check(answered, "no answer after the burst")
    totals, sent = server.totals(), count + last
    done, dropped = totals["exchanges"], totals["dropped_kernel"]
    case.note(f"{sent} sent: {done} answered, {dropped} dropped by the kernel")
    case.check(dropped and done + dropped == sent, f"{sent} sent, {done} answered, {dropped} dropped by the kernel")
