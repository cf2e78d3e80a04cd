"""Datagrams with a forged source address, and a tap that sees what really went over the wire."""

import socket
import struct

from lab.harness import Address

ETH_P_IP = 0x0800
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
UDP_HEADER = 8
ETHERNET_HEADER = 14


def checksum(data: bytes) -> int:
    """The Internet checksum, RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4_datagram(source: Address, target: Address, payload: bytes) -> bytes:
    """An IPv4 packet that holds one UDP datagram, with right checksums."""
    ends = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    length = UDP_HEADER + len(payload)
    udp = struct.pack("!HHHH", source[1], target[1], length, 0)
    pseudo = ends + struct.pack("!BBH", 0, socket.IPPROTO_UDP, length)
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp + payload) or 0xFFFF) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP, 0) + ends
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + udp


class Forger:
    """Sends datagrams that seem to come from any source."""

    def __init__(self) -> None:
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._frames.bind(("lo", 0))

    def send(self, source: Address, target: Address, payload: bytes) -> None:
        if source[0] == "0.0.0.0":
            # A raw socket would fill in a source address, raw(7). And the kernel
            # receives a datagram from 0.0.0.0 only if it is a broadcast.
            packet = ipv4_datagram(source, ("255.255.255.255", target[1]), payload)
            self._frames.send(bytes(12) + struct.pack("!H", ETH_P_IP) + packet)
        else:
            self._raw.sendto(ipv4_datagram(source, target, payload), (target[0], 0))

    def close(self) -> None:
        self._raw.close()
        self._frames.close()


class Tap:
    """Sees each UDP datagram on the loopback interface once: when it comes in."""

    def __init__(self) -> None:
        self._frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self._frames.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._frames.bind(("lo", ETH_P_IP))

    def next(self, seconds: float) -> tuple[Address, Address] | None:
        """The source and target of the next datagram, or None if none comes in time."""
        self._frames.settimeout(seconds or 1e-9)
        while True:
            try:
                packet = self._frames.recv(65536)[ETHERNET_HEADER:]
            except (TimeoutError, BlockingIOError):
                return None
            if len(packet) < 20 or packet[9] != socket.IPPROTO_UDP:
                continue
            header = (packet[0] & 15) * 4
            ports = struct.unpack_from("!HH", packet, header)
            source, target = (socket.inet_ntoa(packet[n : n + 4]) for n in (12, 16))
            return (source, ports[0]), (target, ports[1])

    def all(self, quiet: float, limit: int) -> list[tuple[Address, Address]]:
        """Collects datagrams until none comes for `quiet` seconds, or there are `limit` of them."""
        seen: list[tuple[Address, Address]] = []
        while len(seen) < limit and (datagram := self.next(quiet)):
            seen.append(datagram)
        return seen

    def close(self) -> None:
        self._frames.close()
