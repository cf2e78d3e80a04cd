#!/usr/bin/env python3
"""The TCP server of the socket tutorial: tcp_server.py [HOST] [PORT]"""

import socket
import sys
import threading


def show(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return ("[%s]:%d" if ":" in host else "%s:%d") % (host, port)


def serve(connection: socket.socket) -> None:
    with connection:
        data = connection.recv(1024)
        print("[*] Received: %s" % data.decode(errors="backslashreplace"), flush=True)
        connection.sendall(b"ACK!")


def main(host: str = "0.0.0.0", port: str = "6666") -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((host, int(port)))
    server.listen(5)
    print("[*] Listening on %s" % show(server.getsockname()), flush=True)
    while True:
        connection, peer = server.accept()
        print("[*] Accept connection from: %s" % show(peer), flush=True)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
