"""A case while it runs: the wire, the ledger, the peers on it, and the client."""

import time
from pathlib import Path
from typing import Callable

from lab import harness
from lab.case import Case
from lab.harness import Word
from oracle import packets
from oracle.client import Client
from oracle.ledger import Entry, Ledger
from oracle.loop import Loop
from oracle.packets import Endpoint, Packet
from oracle.tun import Wire

Take = Callable[[Packet, Entry], None]
LONGEST = 30.0  # seconds that a client may run: no case needs half of that


class Stage:
    """What the functions of a case work with."""

    def __init__(self, case: Case) -> None:
        self.case, self.random = case, case.random
        self.loop, self.ledger, self.wire = Loop(), Ledger(), Wire()
        self._takers: dict[int, Take] = {}
        self.loop.watch(self.wire.fileno(), self._read)

    def take(self, protocol: int, take: Take) -> None:
        """Whatever comes by this protocol is for this peer."""
        self._takers[protocol] = take

    def _read(self) -> None:
        for raw in self.wire.packets():
            now = time.monotonic_ns()
            packet = packets.parse(raw)
            take = self._takers.get(packet.protocol) if packet else None
            if not packet or not take:
                continue  # the kernel's own: multicast listeners
            entry = Entry(self.ledger.next_number(), "other", packet.source, packet.target, now,
                          length=len(packet.payload), payload=packet.payload, flags=packets.flag_names(packet.flags),
                          sequence=packet.sequence)
            self.ledger.add(entry, raw)
            take(packet, entry)

    def write(self, what: str, raw: bytes, planned: int, source: Endpoint, target: Endpoint,
              answers: int | None = None, exchange: int | None = None, payload: bytes = b"",
              flags: str = "", icmp: tuple[int, int] | None = None) -> Entry:
        """Puts a packet on the wire, now, and into the ledger."""
        entry = Entry(self.ledger.next_number(), what, source, target, 0, planned, 0, answers, exchange,
                      len(payload), payload, flags, icmp=icmp)
        self.wire.write(raw)
        entry.handled = time.monotonic_ns()
        return self.ledger.add(entry, raw)

    def start(self, program: str, *words: Word, wrapper: tuple[Word, ...] = (),
              reads_after: float | None = None) -> Client:
        """Starts a client. If `reads_after` is given, nobody reads its standard output for so many seconds."""
        return Client([*wrapper, self.case.path(program), *words], self.case.scratch, self.loop, reads_after)

    def finish(self, client: Client, seconds: float = LONGEST) -> None:
        """Lets everything go on until the client has ended, and puts the ledger in order."""
        in_time = self.loop.run(client.has_ended, seconds)
        client.reap()
        self._read()
        self.ledger.settle(self.wire.seen())
        self.case.check(in_time, f"the client did not end within {seconds:g} s")

    def check_ledger(self) -> None:
        """The oracle's own faults: they would be taken for the client's."""
        self.case.check(self.wire.missed() == 0, "the ledger misses packets: the oracle's own fault")
        unstamped = self.ledger.unstamped()
        self.case.check(unstamped == 0, f"{unstamped} packets without a stamp: the oracle's own fault")

    def close(self) -> None:
        harness.end_all()
        self.ledger.write(self.case.scratch / "ledger.jsonl")
        self.wire.close()


def hosts_wrapper(scratch: Path, name: str, *addresses: str) -> tuple[Word, ...]:
    """Runs a command for which a name has these addresses, in a hosts file that only it sees.

    The file is mounted over the machine's in a mount namespace that ends with the
    command. Nothing in it is propagated: unshare(1) makes all mounts private.
    """
    path = scratch / "hosts"
    path.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for address in addresses))
    script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", path)


