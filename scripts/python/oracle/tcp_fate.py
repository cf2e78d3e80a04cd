"""The fates of probes over TCP: what became of each connection, by the ledger."""

from oracle.fate import EDGE_MS, Fate, family_of, under_way, verdict_of_error
from oracle.ledger import MILLI, Entry

MAY_COME_LATER = ("connect_ms", "reply_ms", "bytes", "complete", "icmp", "router")
IN_A_RUN, ALONE = 1 << 16, 1 << 20  # bytes that a client reads of a reply


def fates(entries: list[Entry], timeout_ms: float, over: int, expected_reply: bytes | None = None,
          most: int = IN_A_RUN) -> list[Fate]:
    """One for each connection, in the order of the first SYNs. `most` is how long a reply is read."""
    connections: dict[int, list[Entry]] = {}
    for entry in sorted(entries, key=lambda each: each.at):
        if entry.exchange is not None:
            connections.setdefault(entry.exchange, []).append(entry)
    in_order = sorted(connections.values(), key=lambda packets: packets[0].at)
    found = [_fate(number, packets, timeout_ms, over, expected_reply) for number, packets in enumerate(in_order, 1)]
    for fate in found:
        if fate.bytes is not None and fate.bytes > most:
            # How much of it came is the client's to say: it may close within a segment.
            fate.bytes, fate.complete = None, False
    return found


def _fate(number: int, packets: list[Entry], timeout_ms: float, over: int, expected_reply: bytes | None) -> Fate:
    """The fate of one, or, if something came just when its time was up, what it may be."""
    fate = _fate_by(number, packets, timeout_ms, over, expected_reply)
    for edge in (-EDGE_MS, EDGE_MS):
        other = _fate_by(number, packets, timeout_ms + edge, over, expected_reply)
        fate.verdicts |= other.verdicts
        for name in MAY_COME_LATER:
            if getattr(fate, name) is None:
                setattr(fate, name, getattr(other, name))
    return fate


def _fate_by(number: int, packets: list[Entry], timeout_ms: float, over: int, expected_reply: bytes | None) -> Fate:
    begun = packets[0]
    fate = Fate(number, begun.at, begun.source, begun.target)
    end = min(over, begun.at + round(timeout_ms * MILLI))
    before = [packet for packet in packets if packet.at <= end]
    opened = next((packet for packet in before if packet.what == "syn-ack"), None)
    syns = [packet for packet in before if packet.what == "syn" and (not opened or packet.at < opened.at)]
    fate.syn_retransmits = len(syns) - 1
    if opened:
        fate.connect_ms = fate.ms_after(opened)
        _exchange(fate, before, opened, expected_reply)
    else:
        _refusal(fate, before)
    if not fate.verdicts:
        fate.verdicts = {"no-reply" if opened else "timeout"}
        if held_up(packets, before, opened):
            fate.verdicts = {"no-reply", "timeout"}
        fate.unfinished = under_way(begun.at, timeout_ms, over)
    return fate


def held_up(packets: list[Entry], before: list[Entry], opened: Entry | None) -> bool:
    """Whether the client was held up: its kernel had a connection, in time or later, which it did not know yet."""
    if opened:
        return not any(packet.what == "data" for packet in before)
    at = next((packet.at for packet in packets if packet.what == "syn-ack"), None)
    return at is not None and any(packet.what == "ack" and packet.at > at for packet in packets)


def _refusal(fate: Fate, packets: list[Entry]) -> None:
    for packet in packets:
        if packet.what == "rst" and not packet.sent:
            fate.verdicts = {"refused"}
            return
        if packet.what == "icmp" and packet.icmp:
            fate.verdicts = {verdict_of_error(family_of(fate.target), packet.icmp)}
            fate.icmp, fate.router = packet.icmp, packet.source.host
            return


def _exchange(fate: Fate, packets: list[Entry], opened: Entry, expected_reply: bytes | None) -> None:
    """What came over a connection that stands. No ICMP error ends it: RFC 1122, section 4.2.3.9."""
    asked = next((packet for packet in packets if packet.what == "data"), None)
    left = min((packet.at for packet in packets if packet.what in ("fin", "rst") and packet.sent), default=None)
    got, ended = b"", False
    for packet in packets:
        if packet.sent or packet.at <= opened.at:
            continue
        if left is not None and packet.at > left:
            break  # the client had what it waited for
        if packet.what == "rst":
            if not got:
                fate.verdicts = {"reset"}
            break
        if packet.what == "reply":
            if not got and asked:
                fate.reply_ms = (packet.at - asked.at) / MILLI
            got += packet.payload
        if "FIN" in packet.flags:
            ended = True
            if not got:
                fate.verdicts, fate.closed = {"no-reply"}, True
            break
    if got:
        fate.verdicts = {"ok" if expected_reply in (None, got) else "wrong-reply"}
        fate.bytes, fate.complete = len(got), True if ended else None
