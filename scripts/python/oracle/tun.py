"""The wire: a TUN device in a network namespace of its own, whose other end is this process.

What the client's kernel sends can be read here as whole IP packets, and what is
written here arrives there. A packet socket on the same device has the kernel's own
time stamps of both directions. So no time in the ledger depends on when this
process had the processor.
"""

import fcntl
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import Iterator, NamedTuple

from lab import namespace

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
ETH_P_ALL = 3  # linux/if_ether.h
SO_TIMESTAMPNS = 35  # asm-generic/socket.h
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6  # linux/socket.h, linux/if_packet.h
TAP_BUFFER = 1 << 28  # bytes: nothing may be missing in the ledger
LARGEST = 66_000
LINK = "wire"

Plan = dict[int, str]  # by family
CLIENT: Plan = {4: "10.7.0.1", 6: "fd00:7::1"}
CLIENT_OTHER: Plan = {4: "10.7.0.2", 6: "fd00:7::2"}  # the client's machine has these too
TARGET: Plan = {4: "10.7.0.9", 6: "fd00:7::9"}
STRANGER: Plan = {4: "10.7.0.66", 6: "fd00:7::66"}
ROUTER: Plan = {4: "10.7.0.254", 6: "fd00:7::fe"}
NETWORK: Plan = {4: "10.7.0.0/24", 6: "fd00:7::/64"}


class Seen(NamedTuple):
    """A packet that the kernel stamped on its way."""

    at: int  # nanoseconds on the wall clock
    sent: bool  # by the client
    raw: bytes


class Wire:
    """The device, for as long as this object is open. The calling thread is then in its namespace."""

    def __init__(self) -> None:
        namespace.enter_new()
        self._device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(self._device, TUNSETIFF, struct.pack("16sH22x", LINK.encode(), IFF_TUN | IFF_NO_PI))
        self._set_up()
        self._tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self._tap.setblocking(False)
        self._tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, TAP_BUFFER)
        self._tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._tap.bind((LINK, ETH_P_ALL))

    @staticmethod
    def _set_up() -> None:
        # The device has no neighbours to ask for routers, and would ask them all the same.
        Path("/proc/sys/net/ipv6/conf/all/accept_ra").write_text("0")
        Path(f"/proc/sys/net/ipv6/conf/{LINK}/addr_gen_mode").write_text("1")
        ip("link set lo up", f"link set dev {LINK} txqueuelen 10000 up")
        for plan in (CLIENT, CLIENT_OTHER):
            ip(f"address add {plan[4]}/24 dev {LINK}", f"address add {plan[6]}/64 dev {LINK} nodad")
        for family in (4, 6):
            prefer(family, CLIENT)

    def fileno(self) -> int:
        return self._device

    def packets(self) -> Iterator[bytes]:
        """What the client's kernel has sent and nobody has read yet."""
        while True:
            try:
                yield os.read(self._device, LARGEST)
            except BlockingIOError:
                return

    def write(self, raw: bytes) -> None:
        os.write(self._device, raw)

    def seen(self) -> Iterator[Seen]:
        """What has passed since the last call, in order, by the kernel's stamps."""
        while True:
            try:
                raw, control, _, address = self._tap.recvmsg(LARGEST, 64)
            except BlockingIOError:
                return
            for level, kind, data in control:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    seconds, rest = struct.unpack("qq", data[:16])
                    yield Seen(seconds * 1_000_000_000 + rest, address[2] == socket.PACKET_OUTGOING, raw)

    def missed(self) -> int:
        """How many packets the packet socket had no room for, since the last call: packet(7)."""
        data = self._tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        return int(struct.unpack("II", data)[1])

    def close(self) -> None:
        self._tap.close()
        os.close(self._device)


def prefer(family: int, source: Plan) -> None:
    """Makes the client's kernel send from this address, unless the client asks for another one."""
    route = f"-{family} route replace {NETWORK[family]} dev {LINK} src {source[family]}"
    ip(route + (" proto kernel scope link" if family == 4 else " metric 1"))


def ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True, text=True)
