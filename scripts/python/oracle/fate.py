"""What became of each probe, by the ledger alone: the model that a client is held against."""

from dataclasses import dataclass, field

from oracle.ledger import MILLI, Entry
from oracle.packets import Endpoint

# A packet this near to the end of a probe's time is in time by one clock and late by
# the other: the client's timeout runs from its reading of the clock before the
# sending, the ledger's from the kernel's stamp. Cases keep away from it.
EDGE_MS = 3.0

# How long a client may take from the end of its run to its exit, and from its reading of
# the clock to its sending. A probe whose time was up in between has ended or is
# unfinished, as the client says.
EXIT_MS, SENDING_MS = 60.0, 20.0

# Which errors mean that nobody listens on the port: RFC 792, and RFC 4443, section 3.1.
PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}


@dataclass
class Fate:
    """One probe. Where the ledger does not decide, `verdicts` has several."""

    number: int  # from 1
    sent_at: int
    local: Endpoint
    target: Endpoint
    verdicts: set[str] = field(default_factory=set)
    reply_ms: float | None = None
    connect_ms: float | None = None
    bytes: int | None = None
    late_at: int | None = None  # when its first reply came, if that was after its end
    duplicate: int = 0
    foreign: int = 0
    unfinished: bool | None = False  # None: the client decides
    icmp: tuple[int, int] | None = None
    router: str | None = None
    sender: Endpoint | None = None  # who answered instead
    syn_retransmits: int | None = None
    complete: bool | None = None
    closed: bool = False  # the peer ended the connection without a reply

    def ms_after(self, entry: Entry) -> float:
        return (entry.at - self.sent_at) / MILLI


def under_way(sent_at: int, timeout_ms: float, over: int) -> bool | None:
    """Whether a probe without an answer still had time when the client ended. None if that is not sure."""
    left = sent_at / MILLI + timeout_ms - over / MILLI
    return None if -EXIT_MS < left < SENDING_MS else left > 0


def verdict_of_error(family: int, icmp: tuple[int, int]) -> str:
    return "refused" if icmp == PORT_UNREACHABLE[family] else "unreachable"


def family_of(endpoint: Endpoint) -> int:
    return 6 if ":" in endpoint.host else 4
