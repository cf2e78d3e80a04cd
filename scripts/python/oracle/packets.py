"""IPv4, IPv6, UDP, TCP and ICMP as bytes: parses what a client's kernel sends, and builds what a peer answers.

Written from the RFCs, and shares nothing with the programs under test. Checksums of
what is parsed are checked too: a peer that answers a broken packet proves nothing.
"""

import ipaddress
import struct
from dataclasses import dataclass
from typing import NamedTuple

ICMP4, TCP, UDP, ICMP6 = 1, 6, 17, 58  # protocol numbers
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16  # RFC 9293, section 3.1
HOPS = 64
QUOTED_4 = 28  # bytes of an IPv4 packet that an ICMP error quotes at least: RFC 792
QUOTED_6 = 1232  # and at most of an IPv6 packet, so that the error has 1280 bytes: RFC 4443, section 2.4


class Endpoint(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Packet:
    """A UDP datagram or a TCP segment. `raw` is the whole packet, for an ICMP error to quote."""

    protocol: int
    source: Endpoint
    target: Endpoint
    payload: bytes
    raw: bytes
    flags: int = 0
    sequence: int = 0
    acknowledged: int = 0
    window: int = 0
    scale: int | None = None  # the window scale of a SYN
    segment: int = 536  # the largest segment that a SYN admits, or the default: RFC 9293, section 3.7.1

    @property
    def family(self) -> int:
        return 6 if ":" in self.source.host else 4


def flag_names(flags: int) -> str:
    names = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"))
    return "+".join(name for flag, name in names if flags & flag)


def checksum(data: bytes) -> int:
    """The Internet checksum, RFC 1071. It is zero over what holds a right one."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(source: str, target: str, protocol: int, length: int) -> bytes:
    """What a checksum covers of the IP header: RFC 9293, section 3.1, and RFC 8200, section 8.1."""
    ends = packed(source) + packed(target)
    return ends + (struct.pack("!I3xB", length, protocol) if ":" in source else struct.pack("!xBH", protocol, length))


_packed: dict[str, bytes] = {}
_written: dict[bytes, str] = {}


def packed(host: str) -> bytes:
    # Remembered, as parsing an address takes longer than the rest of a packet.
    if host not in _packed:
        _packed[host] = ipaddress.ip_address(host).packed
    return _packed[host]


def written(address: bytes) -> str:
    if address not in _written:
        _written[address] = str(ipaddress.ip_address(address))
    return _written[address]


def parse(raw: bytes) -> Packet | None:
    """The packet, or None if it is neither UDP nor TCP. A ValueError if it is broken."""
    if raw[0] >> 4 == 4:
        length, protocol = (raw[0] & 15) * 4, raw[9]
        source, target = written(raw[12:16]), written(raw[16:20])
        if checksum(raw[:length]):
            raise ValueError(f"a wrong IPv4 checksum: {raw.hex()}")
        body = raw[length : struct.unpack_from("!H", raw, 2)[0]]
    else:
        protocol, source, target = raw[6], written(raw[8:24]), written(raw[24:40])
        body = raw[40 : 40 + struct.unpack_from("!H", raw, 4)[0]]
    if protocol not in (TCP, UDP):
        return None
    if checksum(pseudo(source, target, protocol, len(body)) + body):
        raise ValueError(f"a wrong checksum: {raw.hex()}")
    ports = struct.unpack_from("!HH", body)
    ends = Endpoint(source, ports[0]), Endpoint(target, ports[1])
    if protocol == UDP:
        return Packet(UDP, *ends, body[8:], raw)
    sequence, acknowledged, offset, flags, window = struct.unpack_from("!IIBBH", body, 4)
    header = (offset >> 4) * 4
    scale, segment = _options(body[20:header]) if flags & SYN else (None, 536)
    return Packet(TCP, *ends, body[header:], raw, flags, sequence, acknowledged, window, scale, segment)


def _options(options: bytes) -> tuple[int | None, int]:
    """The window scale and the largest segment among a SYN's options: RFC 9293, section 3.1, and RFC 7323."""
    scale, segment, at = None, 536, 0
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        if options[at] == 2:
            segment = struct.unpack_from("!H", options, at + 2)[0]
        elif options[at] == 3:
            scale = options[at + 2]
        at += options[at + 1]
    return scale, segment


def ip(source: str, target: str, protocol: int, body: bytes) -> bytes:
    if ":" in source:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, HOPS) + packed(source) + packed(target) + body
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), 0, 0x4000, HOPS, protocol)
    ends = packed(source) + packed(target)
    return start + struct.pack("!H", checksum(start + b"\0\0" + ends)) + ends + body


def udp(source: Endpoint, target: Endpoint, payload: bytes) -> bytes:
    head = struct.pack("!HHH", source.port, target.port, 8 + len(payload))
    covered = pseudo(source.host, target.host, UDP, 8 + len(payload)) + head + b"\0\0" + payload
    # Zero would say that there is none: RFC 768.
    return ip(source.host, target.host, UDP, head + struct.pack("!H", checksum(covered) or 0xFFFF) + payload)


def tcp(source: Endpoint, target: Endpoint, flags: int, sequence: int, acknowledged: int = 0, payload: bytes = b"",
        window: int = 65_535, options: bytes = b"") -> bytes:
    options += b"\1" * (-len(options) % 4)
    words = (source.port, target.port, sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF, (20 + len(options)) << 2)
    head = struct.pack("!HHIIBBH", *words, flags, window)
    body = head + b"\0\0\0\0" + options + payload
    found = checksum(pseudo(source.host, target.host, TCP, len(body)) + body)
    return ip(source.host, target.host, TCP, body[:16] + struct.pack("!H", found) + body[18:])


def icmp_error(router: str, kind: int, code: int, offending: bytes) -> bytes:
    """An ICMP error about a packet, sent to who had sent that: RFC 792, and RFC 4443, section 3."""
    if offending[0] >> 4 == 4:
        to = written(offending[12:16])
        body = struct.pack("!BBHI", kind, code, 0, 0) + offending[:QUOTED_4]
        return ip(router, to, ICMP4, body[:2] + struct.pack("!H", checksum(body)) + body[4:])
    to = written(offending[8:24])
    body = struct.pack("!BBHI", kind, code, 0, 0) + offending[:QUOTED_6]
    found = checksum(pseudo(router, to, ICMP6, len(body)) + body)
    return ip(router, to, ICMP6, body[:2] + struct.pack("!H", found) + body[4:])
