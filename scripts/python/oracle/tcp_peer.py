"""The peer of tcp-client: the least TCP that a scripted server needs (RFC 9293).

Nothing is lost on the wire, so this side sends nothing twice and has no congestion
window. It keeps to the window that the client offers.
"""

from dataclasses import dataclass
from functools import partial
from typing import Callable

from lab.protocol import ACK as ANSWER
from lab.protocol import PORT
from oracle import packets
from oracle.acts import Icmp
from oracle.ledger import Entry
from oracle.loop import NANO
from oracle.packets import ACK, FIN, PSH, RST, SYN, TCP, Endpoint, Packet
from oracle.stage import Stage

WHOLE = 1 << 32  # sequence numbers are counted modulo this
HALF = 1 << 31
OPTIONS = b"\2\4\5\xb4\3\3\7\1"  # in a SYN: segments of 1460 bytes, windows in units of 128


@dataclass(frozen=True)
class Manner:
    """How one connection is served. Times are seconds."""

    opening: str | Icmp = "accept"  # or "refuse", "ignore", or an error about the SYN
    open_after: float = 0.0
    deaf: int = 0  # so many SYNs of the connection are lost first
    reply: bytes | None = ANSWER
    after: float = 0.0  # from the message to the reply
    pieces: int | None = None  # bytes of the reply in a segment, at most
    gap: float = 0.0  # between the pieces
    fin_after: float | None = 0.0  # the reply; 0: in its last segment, None: not before the client ends
    closes: bool = False  # ends the connection after `after`, without a reply
    resets_after: float | None = None  # the message
    errors: tuple[Icmp, ...] = ()  # about the message, after the connection stands
    acknowledges: bool = True  # the message, at once: otherwise with the reply
    latency: float = 0.0  # of everything that is sent


@dataclass(frozen=True)
class Caller:
    number: int  # from 0
    elapsed: float  # seconds since the first SYN
    packet: Packet


Manners = Callable[[Caller], Manner]


class TcpPeer:
    """Whoever is asked on the port answers, whatever its address."""

    def __init__(self, stage: Stage, manners: Manners) -> None:
        self._stage, self._manners = stage, manners
        self._connections: dict[tuple[Endpoint, Endpoint], Connection] = {}
        self._count, self._first = 0, 0
        stage.take(TCP, self._take)

    def _take(self, packet: Packet, entry: Entry) -> None:
        if packet.target.port != PORT:
            return
        key = (packet.source, packet.target)
        known = self._connections.get(key)
        if packet.flags & SYN and (not known or known.started_with != packet.sequence):
            self._first = self._first or entry.handled
            elapsed = (entry.handled - self._first) / NANO
            manner = self._manners(Caller(self._count, elapsed, packet))
            known = self._connections[key] = Connection(self._stage, self._count, manner, packet)
            self._count += 1
        if known:
            known.take(packet, entry)


class Connection:
    def __init__(self, stage: Stage, number: int, manner: Manner, syn: Packet) -> None:
        self._stage, self._number, self._manner = stage, number, manner
        self._here, self._there = syn.target, syn.source
        self.started_with = syn.sequence
        self._expected = (syn.sequence + 1) % WHOLE  # what comes next
        self._next = stage.random.randrange(WHOLE)  # what we send next
        self._acknowledged = self._next
        self._scale, self._segment = syn.scale, min(syn.segment, manner.pieces or syn.segment)
        self._window = syn.window
        self._reply = bytearray()  # so far
        self._passed = 0  # bytes of it that were sent: for the others the client's window has no room
        self._to_end = self._ended = self._dead = self._stands = self._asked = False
        self._opens = False
        self._syns = 0
        self._last: tuple[Packet, Entry] | None = None

    def take(self, packet: Packet, entry: Entry) -> None:
        entry.exchange, entry.what = self._number, _what(packet)
        if packet.flags & RST:
            self._dead = True
        elif packet.flags & SYN:
            self._open(packet, entry)
        elif not self._dead:
            self._go_on(packet, entry)

    def _open(self, packet: Packet, entry: Entry) -> None:
        self._syns += 1
        manner = self._manner
        if self._syns <= manner.deaf or self._opens or manner.opening == "ignore":
            return
        self._opens = True
        if isinstance(manner.opening, Icmp):
            self._error(manner.opening, packet, entry)
        elif manner.opening == "refuse":
            self._later(manner.open_after, entry, partial(self._send, entry, "rst", RST | ACK, sequence=0))
        else:
            self._later(manner.open_after, entry, partial(self._send_syn_ack, entry))

    def _send_syn_ack(self, entry: Entry, planned: int) -> None:
        self._send(entry, "syn-ack", SYN | ACK, planned)
        self._next = (self._next + 1) % WHOLE

    def _go_on(self, packet: Packet, entry: Entry) -> None:
        if packet.flags & ACK:
            self._window = packet.window << (self._scale or 0)
            if (packet.acknowledged - self._acknowledged) % WHOLE < HALF:
                self._acknowledged = packet.acknowledged
            self._pump(entry, entry.handled)
        if not self._stands:
            self._stands = True
            for error in self._manner.errors:
                # When it is sent, what came last is quoted: the message, if that has come.
                self._later(error.after, entry, partial(self._quote_last, error))
        self._last = (packet, entry)
        if packet.sequence != self._expected:
            if packet.payload:
                self._send(entry, "ack", ACK, entry.handled)  # it came a second time
            return
        self._expected = (self._expected + len(packet.payload)) % WHOLE
        if packet.payload:
            self._answer(entry)
        if packet.flags & FIN:
            self._expected = (self._expected + 1) % WHOLE
            if self._passed == len(self._reply) and not self._ended:
                self._finish(entry, entry.handled)
            else:
                self._send(entry, "ack", ACK, entry.handled)

    def _answer(self, entry: Entry) -> None:
        manner = self._manner
        if manner.acknowledges:
            self._send(entry, "ack", ACK, entry.handled)
        if self._asked:
            return
        self._asked = True
        if manner.resets_after is not None:
            self._later(manner.resets_after, entry, partial(self._send, entry, "rst", RST | ACK))
            return
        if manner.closes:
            self._later(manner.after, entry, partial(self._finish, entry))
        if manner.reply is None:
            return
        size = manner.pieces if manner.gap and manner.pieces else len(manner.reply)
        pieces = [manner.reply[at : at + size] for at in range(0, len(manner.reply), size)]
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            at = manner.after + number * manner.gap
            self._later(at, entry, partial(self._queue, entry, piece, last and manner.fin_after == 0))
            if last and manner.fin_after:
                self._later(at + manner.fin_after, entry, partial(self._finish, entry))

    def _queue(self, entry: Entry, piece: bytes, last: bool, planned: int) -> None:
        if not self._dead:
            self._reply += piece
            self._to_end = self._to_end or last
            self._pump(entry, planned)

    def _pump(self, entry: Entry, planned: int) -> None:
        """Sends what the client's window has room for."""
        while self._passed < len(self._reply) and not self._dead:
            room = self._window - (self._next - self._acknowledged) % WHOLE
            size = min(len(self._reply) - self._passed, self._segment)
            if room < size:
                return
            piece = bytes(self._reply[self._passed : self._passed + size])
            self._passed += size
            ends = self._to_end and self._passed == len(self._reply)
            self._send(entry, "reply", PSH | ACK | (FIN if ends else 0), planned, piece)
            self._next = (self._next + size + ends) % WHOLE
            self._ended = self._ended or ends

    def _finish(self, entry: Entry, planned: int) -> None:
        if not self._ended and not self._dead:
            self._ended = True
            self._send(entry, "fin", FIN | ACK, planned)
            self._next = (self._next + 1) % WHOLE

    def _quote_last(self, error: Icmp, planned: int) -> None:
        if self._last:
            packet, entry = self._last
            self._write_error(error, packet, entry, planned)

    def _error(self, error: Icmp, packet: Packet, entry: Entry) -> None:
        self._later(error.after, entry, partial(self._write_error, error, packet, entry))

    def _write_error(self, error: Icmp, packet: Packet, entry: Entry, planned: int) -> None:
        source = Endpoint(error.router or self._here.host, 0)
        raw = packets.icmp_error(source.host, error.kind, error.code, packet.raw)
        self._stage.write("icmp", raw, planned, source, self._there, entry.number, self._number,
                          icmp=(error.kind, error.code))

    def _later(self, seconds: float, entry: Entry, action: Callable[[int], None]) -> None:
        when = entry.handled + round(seconds * NANO)
        if seconds:
            self._stage.loop.at(when, lambda: action(when))
        else:
            action(when)

    def _send(self, entry: Entry, what: str, flags: int, planned: int, payload: bytes = b"",
              sequence: int | None = None) -> None:
        if self._dead:
            return
        options = OPTIONS if flags & SYN else b""
        number = self._next if sequence is None else sequence
        raw = packets.tcp(self._here, self._there, flags, number, self._expected, payload, options=options)
        names = packets.flag_names(flags)
        if flags & RST:
            self._dead = True

        def write() -> None:
            self._stage.write(what, raw, when, self._here, self._there, entry.number, self._number, payload, names)

        when = planned + round(self._manner.latency * NANO)
        if self._manner.latency:
            self._stage.loop.at(when, write)
        else:
            write()


def _what(packet: Packet) -> str:
    if packet.flags & RST:
        return "rst"
    if packet.flags & SYN:
        return "syn"
    return "data" if packet.payload else "fin" if packet.flags & FIN else "ack"


def always(manner: Manner) -> Manners:
    return lambda _: manner


def listed(manners: list[Manner], then: Manner = Manner()) -> Manners:
    """Each connection has its manner, and those after the last one another."""
    return lambda caller: manners[caller.number] if caller.number < len(manners) else then
