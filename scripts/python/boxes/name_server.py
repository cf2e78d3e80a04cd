"""A small name server, whose answers follow from the name that it is asked for. RFC 1035, section 4."""

import socket
import socketserver
import struct
import threading
from contextlib import contextmanager
from typing import Any, Iterator, NamedTuple

from lab.hosts import Host

PORT = 53
A, INTERNET = 1, 1
ANSWERED, TRUNCATED = 0x8180, 0x8380  # flags of the response of a recursive server, without the code
NO_ERROR, SERVER_FAILURE, NAME_ERROR, REFUSED = 0, 2, 3, 5
DATAGRAM = 512  # bytes of an answer by UDP, for who has not asked for more
SELF = 0xC00C  # a pointer to the name in the question


class Answer(NamedTuple):
    code: int = NO_ERROR
    addresses: tuple[str, ...] = ()  # of the type A
    is_silent: bool = False


class Names:
    """What the server knows, and how often it has been asked by TCP."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self._answers = answers
        self.asked_by_tcp = 0

    def reply(self, question: bytes, largest: int) -> bytes | None:
        name, end = name_in(question)
        kind, _ = struct.unpack_from("!2H", question, end)
        answer = self._answers.get(name, Answer(NAME_ERROR))
        if answer.is_silent:
            return None
        addresses = answer.addresses if kind == A else ()
        record = struct.pack("!3HIH", SELF, A, INTERNET, 60, 4)
        records = b"".join(record + socket.inet_aton(each) for each in addresses)
        asked = question[12 : end + 4]
        whole = self._header(question, ANSWERED | answer.code, len(addresses)) + asked + records
        return whole if len(whole) <= largest else self._header(question, TRUNCATED, 0) + asked

    @staticmethod
    def _header(question: bytes, flags: int, records: int) -> bytes:
        return question[:2] + struct.pack("!5H", flags, 1, records, 0, 0)

    @contextmanager
    def serving(self, host: Host, address: str) -> Iterator[None]:
        """The server, by UDP and TCP, for as long as the block lasts."""
        with host.entered():
            servers: list[socketserver.BaseServer] = [
                socketserver.UDPServer((address, PORT), by_udp(self)), Listener((address, PORT), by_tcp(self)),
            ]
        threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for server, thread in zip(servers, threads):
                server.shutdown()
                thread.join()
                server.server_close()


class Listener(socketserver.TCPServer):
    allow_reuse_address = True


def by_udp(names: Names) -> Any:
    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            question, sock = self.request
            if reply := names.reply(question, DATAGRAM):
                sock.sendto(reply, self.client_address)

    return Datagram


def by_tcp(names: Names) -> Any:
    class Connection(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            names.asked_by_tcp += 1
            while length := self.rfile.read(2):
                reply = names.reply(self.rfile.read(struct.unpack("!H", length)[0]), 65_535)
                if reply:
                    self.wfile.write(struct.pack("!H", len(reply)) + reply)

    return Connection


def name_in(question: bytes) -> tuple[str, int]:
    """The name, and where it ends."""
    labels, at = [], 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), at + 1
