#!/usr/bin/env python3
"""The TCP client of the socket tutorial: tcp_client.py [HOST] [PORT]"""

import socket
import sys


def main(host: str = "127.0.0.1", port: str = "6666") -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.connect((host, int(port)))
        client.sendall(b"hehe, just for a test!")
        print(client.recv(1024).decode(errors="backslashreplace"))


if __name__ == "__main__":
    main(*sys.argv[1:])
