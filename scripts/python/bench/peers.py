"""The servers that the servers' half compares: plain C and careful C, ours, and what else one would take."""

import shutil
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from bench.figures import Setting
from bench.programs import SCRIPTS, Server, Words

PLAIN, CAREFUL, OURS, QUIET = "plain C", "careful C", "ours", "ours -q"
REPLY_ONCE = "head -c 22 >/dev/null; printf ACK!"  # a shell's part of socat and ncat: the message has 22 bytes
# The receive buffer of each UDP socket that is passed, in bytes, as a socket unit's ReceiveBuffer= sets it. The
# default holds some 280 datagrams, and 64 sockets with 16 outstanding messages send 1,024. The kernel doubles
# it, and grants at most net.core.rmem_max, unless root asks.
RECEIVE_BUFFER = 1 << 20
SO_RCVBUFFORCE = 33  # asm-generic/socket.h, for root


class Peer(NamedTuple):
    """A server: what tables call it, how it is started, and what it can bear."""

    side: str
    command: Words
    # Only for the table: few turns, and its switches are not told, because its threads or processes end.
    is_guest: bool = False
    takes_socket: bool = False  # it takes the socket that a service manager passes
    most_at_once: int | None = None

    def bears(self, at_once: int) -> bool:
        return self.most_at_once is None or at_once <= self.most_at_once

    def start(self, protocol: str, output: Path) -> Server:
        if not self.takes_socket:
            return Server(self.command, protocol, output)
        with udp_socket() as passed:
            return Server(self.command, protocol, output, passed)


def udp_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    made.bind(("127.0.0.1", 0))
    return made


def peers(setting: Setting, protocol: str) -> list[Peer]:
    """All of a protocol that this machine has, plain C first."""
    plain = _c(setting, protocol, PLAIN)
    if setting.is_control:
        return [plain, plain._replace(side="plain C too")]
    program: Words = [setting.programs / f"{protocol}-server", "--listen", "127.0.0.1:0"]
    ours = Peer(OURS, program, takes_socket=protocol == "udp")
    quiet = ours._replace(side=QUIET, command=[*program, "--quiet"])
    return [plain, _c(setting, protocol, CAREFUL), ours, quiet, *guests(setting, protocol)]


def _c(setting: Setting, protocol: str, side: str) -> Peer:
    command: Words = [setting.scratch / f"{protocol}-server", side.removesuffix(" C")]
    return Peer(side, command, takes_socket=protocol == "udp")


def guests(setting: Setting, protocol: str) -> list[Peer]:
    script = SCRIPTS / "tutorial" / f"{protocol}_server.py"
    python = Peer("Python", [sys.executable, script, "127.0.0.1", 0], is_guest=True)
    if protocol == "udp":
        return [python]
    threads = Peer("Rust threads", [setting.scratch / "threads"], is_guest=True)
    socat = Peer("socat", ["socat", "TCP-LISTEN:0,bind=127.0.0.1,fork", f"SYSTEM:{REPLY_ONCE}"], True, most_at_once=1)
    ncat = Peer("ncat", ["ncat", "-l", "-k", "127.0.0.1", 0, "-c", REPLY_ONCE], True, most_at_once=1)
    return [python, *(peer for peer in (threads, socat, ncat) if shutil.which(str(peer.command[0])))]
