"""The matrix: a cell for each probe that the plan has, with what came of it."""

from typing import NamedTuple


class Flow(NamedTuple):
    """The probes of a cell that left from one source port."""

    port: int
    sent: int
    failed: int


class Way(NamedTuple):
    """A trace of one probe that failed: who answered, hop after hop (None: nobody did)."""

    port: int  # the source port
    end: str  # docs/json.md: `reached`, `stopped`, `silent` ...
    routers: tuple[str | None, ...]
    reason: str | None = None  # why it stopped, as the client words it


class Planned(NamedTuple):
    """A line of the plan."""

    source: str
    target: str
    endpoint: str  # ADDRESS:PORT
    service: str  # tcp/PORT, udp/PORT or connect/PORT
    expect: tuple[str, ...]  # verdicts
    port: int  # the first source port


class Figures(NamedTuple):
    """What a summary says of a cell's probes (docs/json.md)."""

    sent: int
    failed: int  # that had another verdict than expected
    verdicts: dict[str, int]  # those that are not 0
    lost: int
    lost_there: int | None  # of the lost; None where nobody knows
    lost_back: int | None
    skipped: int
    # Of the reply; with connect/, of the connection. In ms; None: there are too few samples to say it.
    p50: float | None
    p99: float | None
    flows: tuple[Flow, ...] = ()
    routers: tuple[str, ...] = ()  # who said, to a trace, that it goes no further
    slowest: float | None = None  # ms
    buckets: tuple[tuple[float, int], ...] = ()  # how many replies took so long in ms, or less


class Cell(NamedTuple):
    """What came of a line of the plan. Without figures, `missing` says why there are none."""

    planned: Planned
    figures: Figures | None
    ways: tuple[Way, ...] = ()
    missing: str | None = None  # `unreachable by ssh`, `no result` ...

    @property
    def failed(self) -> bool:
        """Whether any probe had another verdict than the policy's."""
        return self.figures is None or self.figures.failed > 0

    @property
    def verdict(self) -> str:
        """The most frequent verdict of the probes that failed; of none failed, of all."""
        if self.figures is None:
            return self.missing or "no result"
        counted = self.figures.verdicts
        among = {word: count for word, count in counted.items() if word not in self.planned.expect} \
            if self.figures.failed else counted
        return max(among or counted or {"nothing sent": 0}, key=lambda word: among.get(word, 0))


class Visit(NamedTuple):
    """What is known of a host itself in a round."""

    host: str
    state: str  # `ok`, `unreachable` (by the transport), or `failed` (reached, and it did not work there)
    by: str  # the transport: ssh, clush, desk, ansible
    reason: str | None = None
    version: str | None = None  # of the programs that it ran; with `brought`, ours
    brought: bool = False  # whether the programs were brought along
