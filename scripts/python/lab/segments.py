#!/usr/bin/env python3
"""Counts the segments that a TCP exchange brings: segments.py HOST PORT

Makes one exchange as in the tutorial, and prints how many segments the kernel
received of it: tcpi_segs_in in struct tcp_info (linux/tcp.h), read once the
server has closed.
"""

import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

from lab import peers
from lab.protocol import HELLO

SEGS_IN = 140  # offset of tcpi_segs_in, a __u32


def main(host: str, port: str) -> None:
    with peers.connect((host, int(port))) as client:
        client.sendall(HELLO)
        peers.read_all(client)
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    print(f"{struct.unpack_from('=I', info, SEGS_IN)[0]} segments in")


if __name__ == "__main__":
    main(*sys.argv[1:])
