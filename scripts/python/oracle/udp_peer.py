"""The peer of udp-client: answers each datagram as a script says, at times that the script says."""

from dataclasses import dataclass
from functools import partial
from typing import Callable, Iterable

from lab.protocol import PORT
from oracle import packets
from oracle.acts import Icmp, Reply
from oracle.ledger import Entry
from oracle.loop import NANO
from oracle.packets import UDP, Endpoint, Packet
from oracle.stage import Stage


Act = Reply | Icmp


@dataclass(frozen=True)
class Request:
    number: int  # from 0
    elapsed: float  # seconds since the first one
    packet: Packet


Script = Callable[[Request], Iterable[Act]]


class UdpPeer:
    """Whoever is asked on the port answers, whatever its address."""

    def __init__(self, stage: Stage, script: Script) -> None:
        self._stage, self._script = stage, script
        self._count, self._first = 0, 0
        stage.take(UDP, self._take)

    def _take(self, packet: Packet, entry: Entry) -> None:
        if packet.target.port != PORT:
            return
        entry.what, entry.exchange = "request", self._count
        self._first = self._first or entry.handled
        request = Request(self._count, (entry.handled - self._first) / NANO, packet)
        self._count += 1
        for act in self._script(request):
            when = entry.handled + round(act.after * NANO)
            if act.after == 0:
                self._do(act, packet, entry, when)
            else:
                self._stage.loop.at(when, partial(self._do, act, packet, entry, when))

    def _do(self, act: Act, packet: Packet, entry: Entry, planned: int) -> None:
        if isinstance(act, Reply):
            source = act.source or packet.target
            raw = packets.udp(source, packet.source, act.payload)
            what = "foreign" if act.source else "reply"
            self._stage.write(what, raw, planned, source, packet.source, entry.number, entry.exchange, act.payload)
        else:
            source = Endpoint(act.router or packet.target.host, 0)
            raw = packets.icmp_error(source.host, act.kind, act.code, packet.raw)
            self._stage.write("icmp", raw, planned, source, packet.source, entry.number, entry.exchange,
                              icmp=(act.kind, act.code))


def always(*acts: Act) -> Script:
    return lambda _: acts


def listed(fates: list[tuple[Act, ...]], then: tuple[Act, ...] = (Reply(),)) -> Script:
    """Each request has its fate, and those after the last one another."""
    return lambda request: fates[request.number] if request.number < len(fates) else then
