"""What was on the wire: each packet in and out with its time, by the kernel's stamp.

The stamps are on the wall clock, and are put on the clock that is never set by
the distance of the two, measured once.
"""

import dataclasses
import json
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

from oracle.packets import Endpoint
from oracle.tun import Seen

MILLI = 1_000_000  # nanoseconds
SLIPPED = 0.2  # milliseconds after its planned time from which a packet counts as having left late


@dataclass
class Entry:
    """One packet. Times are nanoseconds of time.monotonic_ns()."""

    number: int
    what: str  # request, reply, foreign, icmp; syn, syn-ack, ack, data, fin, rst; other
    source: Endpoint
    target: Endpoint
    handled: int  # when this process read it, or had written it
    planned: int | None = None  # when it was to be written; the client's have none
    at: int = 0  # when the kernel had it
    answers: int | None = None  # the number of the entry that it answers
    exchange: int | None = None  # the number of the request, or of the connection
    length: int = 0  # of the payload
    payload: bytes = b""
    flags: str = ""
    sequence: int = 0
    icmp: tuple[int, int] | None = None

    @property
    def sent(self) -> bool:
        """Whether the client's kernel sent it."""
        return self.planned is None

    @property
    def slip_ms(self) -> float:
        return (self.at - self.planned) / MILLI if self.planned is not None else 0.0


class Ledger:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._unstamped: dict[tuple[bool, bytes], deque[Entry]] = defaultdict(deque)
        self._distance = distance()

    def add(self, entry: Entry, raw: bytes) -> Entry:
        self.entries.append(entry)
        self._unstamped[entry.sent, raw].append(entry)
        entry.at = entry.handled
        return entry

    def next_number(self) -> int:
        return len(self.entries)

    def settle(self, seen: Iterable[Seen]) -> None:
        """Gives each entry the kernel's stamp. Equal packets passed in the order in which they stand here."""
        for stamp in seen:
            waiting = self._unstamped.get((stamp.sent, stamp.raw))
            if waiting:
                waiting.popleft().at = stamp.at + self._distance

    def wall(self, at: int) -> float:
        """The time of an entry on the wall clock, in seconds."""
        return (at - self._distance) / 1e9

    def unstamped(self) -> int:
        return sum(len(waiting) for waiting in self._unstamped.values())

    def worst_slip_ms(self) -> float:
        return max((entry.slip_ms for entry in self.entries), default=0.0)

    def noise(self) -> str:
        """How long this process took to read what came, and how late it wrote what it had planned."""
        reading = sorted((entry.handled - entry.at) / MILLI for entry in self.entries if entry.sent)
        writing = sorted(entry.slip_ms for entry in self.entries if not entry.sent)
        parts = [f"{name} {share(times, 50):.3f}/{share(times, 99):.3f}/{times[-1]:.3f}"
                 for name, times in (("read", reading), ("written", writing)) if times]
        slipped = sum(time > SLIPPED for time in writing)
        return f"{', '.join(parts)} ms late (p50/p99/max), {slipped} of {len(writing)} slipped"

    def write(self, path: Path) -> None:
        with open(path, "w") as lines:
            for entry in self.entries:
                fields = dataclasses.asdict(entry)
                fields |= {"source": str(entry.source), "target": str(entry.target), "sent": entry.sent,
                           "payload": entry.payload[:64].decode("latin-1")}
                print(json.dumps(fields), file=lines)


def share(ordered: list[float], percent: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def distance() -> int:
    """What turns the wall clock's nanoseconds into the monotonic clock's.

    Of several tries the one with the least time between its readings, as another
    process may run between them.
    """
    tries = []
    for _ in range(20):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        tries.append((after - before, (before + after) // 2 - wall))
    return min(tries)[1]
