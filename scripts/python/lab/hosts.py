"""A host: a network namespace without a name, held by a descriptor.

The kernel removes it when this process ends, with its links, routes and rules:
there is nothing to clean up, not even after a kill -9. A thread can enter a
host, and what it starts or opens there stays there. So a server on host b needs
no process of its own.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from lab import namespace

SIOCGIFFLAGS = 0x8913  # netdevice(7)
IFF_RUNNING = 0x40


class Host:
    """A machine with a network of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        home = namespace.open_own()
        try:
            namespace.enter_new()
            self._descriptor = namespace.open_own()
        finally:
            namespace.enter(home)
            os.close(home)
        self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """For as long as the block lasts, this thread, and what it starts, is on this host."""
        home = namespace.open_own()
        try:
            namespace.enter(self._descriptor)
            yield
        finally:
            namespace.enter(home)
            os.close(home)

    def ip(self, *commands: str) -> None:
        self._feed(["ip", "-batch", "-"], commands)

    def ip6(self, *commands: str) -> None:
        """For what does not say its family: the rules of routing."""
        self._feed(["ip", "-6", "-batch", "-"], commands)

    def nft(self, *commands: str) -> None:
        self._feed(["nft", "-f", "-"], commands)

    def counted(self, name: str) -> dict[str, int]:
        """How many packets the firewall counted for each element of a set."""
        listed = json.loads(self._feed(["nft", "-j", "list", "set", "inet", "netlab", name], ()))
        found = next(each["set"] for each in listed["nftables"] if "set" in each)
        elements = [each["elem"] for each in found.get("elem", [])]
        return {str(each["val"]): each["counter"]["packets"] for each in elements}

    def _feed(self, program: list[str], commands: tuple[str, ...]) -> str:
        text = "\n".join(commands) + "\n"
        with self.entered():
            done = subprocess.run(program, input=text, text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f"{program[0]} on {self.name}: {done.stderr.strip()}")
        return done.stdout

    def set(self, **settings: int | str) -> None:
        """Changes kernel settings. A double underscore stands for each slash of a path in /proc/sys/net."""
        with self.entered():
            for name, value in settings.items():
                Path("/proc/sys/net", *name.split("__")).write_text(str(value))

    def is_up(self, link: str) -> bool:
        """Whether the link carries traffic, which it does a moment after both ends are up."""
        with self.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            answer = fcntl.ioctl(asked, SIOCGIFFLAGS, struct.pack("16sH14x", link.encode(), 0))
        return bool(struct.unpack_from("16xH", answer)[0] & IFF_RUNNING)

    def socket(self, family: int, kind: int) -> socket.socket:
        with self.entered():
            return socket.socket(family, kind)

    def close(self) -> None:
        os.close(self._descriptor)
