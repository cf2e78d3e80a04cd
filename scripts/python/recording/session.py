"""What is typed on box-a, in a network whose second router drops UDP to box-b, and what is printed there.

    box-a ---- r1 ---- r2 ---- r3 ---- box-b
"""

import os
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from lab import harness
from lab.protocol import PORT
from netlab.chain import Chain
from netlab.topology import PLANS

TYPED = (
    f"nc -zu -v box-b {PORT}",
    "udp-client box-b -m hello -W 2s --trace",
    "udp-client box-b -m hello -W 1s --expect no-reply && echo the rule holds",
    "tcp-client box-b",
    "tcp-client box-b -c 4 -i 250ms",
)
RULE = f"table inet filter {{ chain forward {{ type filter hook forward priority 0; udp dport {PORT} drop; }}; }}"
# The names, which only what is typed sees: each command has a mount namespace of its own.
SHELL = 'mount --bind "$1" /etc/hosts && PATH=$2:$PATH && eval "$3"'


class Line(NamedTuple):
    """A line on the terminal, and how many seconds after its command it came. A command has no time."""

    text: str
    after: float | None

    @property
    def shape(self) -> str:
        """The line, but for the figures that differ from one recording to the next, and for a busy machine's delay."""
        words = " ".join(re.sub(r" delay=\S+ ms", "", self.text).split())
        return re.sub(r"\d+(\.\d+)?( %)?", "0", words)

    @property
    def is_of_a_busy_machine(self) -> bool:
        """Whether a run has this line only where the machine itself has delayed it."""
        return bool(re.match(r"(total|from due|host) +\d", self.text))


def record(programs: Path, scratch: Path) -> list[Line]:
    """Types everything, and records what comes."""
    hosts = scratch / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{PLANS[4].server} box-b\n")
    network = Chain()
    try:
        network.r2.nft(RULE)
        with network.b.entered():
            for program in ("tcp-server", "udp-server"):
                harness.Server(program, [programs / program], scratch)
        with network.a.entered():
            return [line for typed in TYPED for line in type_in(typed, programs, hosts)]
    finally:
        harness.end_all()
        network.close()


def type_in(typed: str, programs: Path, hosts: Path) -> list[Line]:
    """Runs one command, as a shell would."""
    lines = [Line(f"box-a$ {typed}", None)]
    words: list[harness.Word] = ["unshare", "--mount", "bash", "-c", SHELL, "bash", hosts, programs.resolve(), typed]
    begun = time.monotonic()
    process = harness.start(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout
    for printed in process.stdout:
        lines.append(Line(printed.decode().rstrip("\n"), time.monotonic() - begun))
    if harness.reap(process) is None or len(lines) == 1:
        raise RuntimeError(f"{shlex.quote(typed)} has printed nothing, or has not ended")
    return lines


def what_is_missing() -> str | None:
    """Why nothing can be recorded here, if so."""
    if "OpenBSD" not in subprocess.run(["nc", "-h"], capture_output=True, text=True).stderr:
        return "nc is not OpenBSD's: apt-get install netcat-openbsd"
    return None if os.path.exists("/etc/hosts") else "there is no /etc/hosts"
