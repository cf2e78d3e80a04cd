#!/usr/bin/env python3
"""Counts the segments that a TCP exchange brings: segments.py HOST PORT

One exchange as in the tutorial, then what the kernel says of it: tcpi_segs_in
in struct tcp_info (linux/tcp.h), read after the peer's end was seen.
"""

import socket
import struct
import sys

SEGS_IN = 140  # offset of tcpi_segs_in, a __u32

client = socket.create_connection((sys.argv[1], int(sys.argv[2])))
client.sendall(b"hehe, just for a test!")
while client.recv(1024):
    pass
info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
print("%d segments in" % struct.unpack_from("=I", info, SEGS_IN))
