#!/usr/bin/env python3
"""The UDP server of the socket tutorial: udp_server.py [HOST] [PORT]"""

import socket
import sys


def show(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return ("[%s]:%d" if ":" in host else "%s:%d") % (host, port)


def main(host: str = "0.0.0.0", port: str = "6666") -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind((host, int(port)))
    # The tutorial does not say where it listens; whoever starts it with
    # port 0 has to know.
    print("[*] Listening on %s" % show(server.getsockname()), flush=True)
    while True:
        print("[*] Waiting for message...", flush=True)
        data, peer = server.recvfrom(1024)
        print("[*] Received from: %s" % show(peer))
        print(data.decode(errors="backslashreplace"), flush=True)
        server.sendto(b"Recvice message ok!", peer)


if __name__ == "__main__":
    main(*sys.argv[1:])
