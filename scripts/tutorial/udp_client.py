#!/usr/bin/env python3
"""The UDP client of the socket tutorial: udp_client.py [HOST] [PORT]"""

import socket
import sys


def main(host: str = "127.0.0.1", port: str = "6666") -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    prompt = "> " if sys.stdin.isatty() else ""
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        while True:
            try:
                data = input(prompt)
            except EOFError:
                break
            if not data:
                break
            client.sendto(data.encode(), (host, int(port)))
            reply, _ = client.recvfrom(1024)
            print(reply.decode(errors="backslashreplace"), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
