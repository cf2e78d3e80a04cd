"""What a case asks of a client, and what is to come of it."""

from dataclasses import dataclass
from typing import Any, Iterator

from netlab.topology import PLANS, Plan

SILENCE = {"tcp": "timeout", "udp": "no-reply"}  # the verdict if nothing comes back at all

ANY = "any"  # of a cause that is not looked at


@dataclass(frozen=True)
class Expected:
    """What a probe is expected to print.

    `verdicts` has several if the kernel decides, or a race does: each of them will
    do. `router` is the same, and None in it stands for null. `reply` is a regular
    expression; it, `sender` (`from` in the JSON), `largest_segment` and `mtu` are
    null unless given.
    """

    verdicts: tuple[str, ...]
    router: tuple[str | None, ...] = (None,)
    reply: str | None = None
    sender: str | None = None
    has_address: bool = True
    longer_than_ms: float = 0.0  # the least that the whole exchange takes
    cause: str | None = ANY
    reason: str = ".*"  # a regular expression
    largest_segment: int | None = None
    mtu: int | None = None

    def __str__(self) -> str:
        return describe(" or ".join(self.verdicts), self.router[0], self.sender)


def describe(verdict: str, router: str | None, sender: str | None) -> str:
    return verdict + (f" by {router}" if router else "") + (f" from {sender}" if sender else "")


def verdict(*words: str, **more: Any) -> Expected:
    return Expected(words, **more)


@dataclass(frozen=True)
class Trial:
    """One probe of one program over one family."""

    name: str
    protocol: str
    family: int
    expected: Expected
    target: str  # an address, or a name
    options: tuple[str, ...]
    timeout: str
    message: str

    @property
    def plan(self) -> Plan:
        return PLANS[self.family]


def each(protocols: str = "tcp udp", families: str = "4 6") -> Iterator[tuple[str, str, Plan]]:
    """Each protocol over each family: what the names of its cases begin with, the protocol, and the addresses."""
    for protocol in protocols.split():
        for family in families.split():
            yield f"{protocol}{family}", protocol, PLANS[int(family)]
