"""What a scripted peer does in answer to a packet. Times are seconds after that packet."""

from dataclasses import dataclass

from lab.protocol import REPLY
from oracle.packets import Endpoint


@dataclass(frozen=True)
class Reply:
    """A datagram."""

    after: float = 0.0
    payload: bytes = REPLY
    source: Endpoint | None = None  # if somebody else sends it than who was asked


@dataclass(frozen=True)
class Icmp:
    """An ICMP error."""

    kind: int
    code: int
    after: float = 0.0
    router: str | None = None  # who sends it, if not who was asked


# What they mean, by family: RFC 792 and RFC 1812, section 5.2.7.1; RFC 4443, section 3.1.
ERRORS = {
    4: {"net": (3, 0), "host": (3, 1), "protocol": (3, 2), "port": (3, 3), "prohibited": (3, 13)},
    6: {"net": (1, 0), "prohibited": (1, 1), "host": (1, 3), "port": (1, 4), "policy": (1, 5)},
}
