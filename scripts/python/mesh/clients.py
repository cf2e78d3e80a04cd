"""What a host's clients printed in a round: their summaries, traces and failures, read with care.

The objects are those of docs/json.md. They come from hosts whose disks fill up, whose programs are older than ours, or
that were switched off while they wrote: whatever cannot be used is a Flaw, which says where and why.
"""

import ipaddress
import json
import re
from pathlib import Path
from typing import Any, Iterator, NamedTuple

from mesh.cells import Figures, Flow, Way

LONGEST_LINE = 1 << 20  # bytes; a summary has some 4,000, and one with all its outages less than 30,000
WORD = re.compile(r"[a-z][a-z-]{0,30}")  # of a verdict


class Unusable(Exception):
    """An object that does not have what docs/json.md says."""


def nonsense(reason: str) -> Any:
    raise Unusable(reason)


DECODER = json.JSONDecoder(parse_constant=lambda word: nonsense(f"{word} is no number"))


class Flaw(NamedTuple):
    """Something in the results that could not be used."""

    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.line and f"line {self.line}", self.reason) if part)


class Summary(NamedTuple):
    line: int
    target: str
    protocol: str | None  # None: of a program that is too old to say it
    figures: Figures | None  # None: no probe came to an end
    why: str | None  # there are no figures


class Trace(NamedTuple):
    line: int
    target: str
    protocol: str | None
    way: Way


class Failure(NamedTuple):
    """A client that could not run. It does not say which target it was to go to."""

    line: int
    reason: str


Object = Summary | Trace | Failure


def read(path: Path, name: str) -> Iterator[Object | Flaw]:
    """The objects in a file of results. `name` is what a Flaw calls the file."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
                if line.strip():
                    yield from one(line, number, name)
    except OSError as error:
        yield Flaw(name, None, f"cannot be read: {error.strerror or error}")


def one(line: bytes, number: int, name: str) -> Iterator[Object | Flaw]:
    try:
        found = interpreted(fields_of(line), number)
        if found:
            yield found
    except Unusable as fault:
        # Whole lines are written at once: only the last one can lack its end.
        cut = "" if line.endswith(b"\n") else "the file ends in the middle of this line: "
        yield Flaw(name, number, f"{cut}{fault}")


def fields_of(line: bytes) -> dict[str, Any]:
    """A line as a JSON object."""
    try:
        found = DECODER.decode(line.decode())
    except (ValueError, RecursionError):
        raise Unusable("this is no JSON object") from None
    return found if isinstance(found, dict) else nonsense("this is no JSON object")


def interpreted(fields: dict[str, Any], number: int) -> Object | None:
    """What the object says; None of an event that a matrix does not need."""
    match fields.get("event"):
        case "summary":
            figures, why = figures_of(fields)
            return Summary(number, endpoint(text(fields, "target")), protocol_of(fields), figures, why)
        case "trace":
            return Trace(number, endpoint(text(fields, "target")), protocol_of(fields), way_of(fields))
        case "failure":
            return Failure(number, f"{printable(text(fields, 'thing'))}: {printable(text(fields, 'reason'))}")
        case str():
            return None
        case _:
            raise Unusable("the object has no event")


def figures_of(fields: dict[str, Any]) -> tuple[Figures | None, str | None]:
    """The figures of a summary or, if no probe came to an end on the network, why there are none."""
    verdicts = counts(fields.get("verdicts"))
    if not any(count for verdict, count in verdicts.items() if verdict != "local"):
        if verdicts.get("local"):
            return None, "local"
        return None, "cut short" if count_of(fields, "sent") else "nothing sent"
    # A success without the time of a reply is one of --connect: that, too, took one round trip.
    times = fields.get("reply_ms") or verdicts.get("ok") and fields.get("connect_ms") or {}
    if not isinstance(times, dict):
        raise Unusable("reply_ms is no object")
    return Figures(
        sent=count_of(fields, "sent"), failed=count_of(fields, "failed"), verdicts=verdicts,
        lost=count_of(fields, "lost"), lost_there=maybe_count(fields, "lost_there"),
        lost_back=maybe_count(fields, "lost_back"), skipped=count_of(fields, "skipped"),
        p50=time_of(times, "p50"), p99=time_of(times, "p99"), flows=flows_of(fields),
        slowest=time_of(times, "max"), buckets=buckets_of(fields),
    ), None


def way_of(fields: dict[str, Any]) -> Way:
    trace = fields.get("trace")
    if not isinstance(trace, dict) or not isinstance(hops := trace.get("hops"), list):
        raise Unusable("the trace has no hops")
    routers = tuple(address_of(hop.get("router")) if isinstance(hop, dict) else nonsense("a hop is no object")
                    for hop in hops)
    # The probe's own port: the trace may have left from another one.
    port = text(fields, "local").rpartition(":")[2]
    if not port.isascii() or not port.isdigit() or len(port) > 5:
        raise Unusable("local has no port")
    reason = trace.get("reason")
    return Way(int(port), printable(text(trace, "end")), routers,
               printable(reason) if isinstance(reason, str) else None)


def flows_of(fields: dict[str, Any]) -> tuple[Flow, ...]:
    flows = fields.get("flows") or []
    if not isinstance(flows, list) or not all(isinstance(flow, dict) for flow in flows):
        raise Unusable("flows is no list of objects")
    return tuple(Flow(count_of(flow, "port"), count_of(flow, "sent"), count_of(flow, "failed")) for flow in flows)


def buckets_of(fields: dict[str, Any]) -> tuple[tuple[float, int], ...]:
    buckets = fields.get("buckets") or []
    if not isinstance(buckets, list) or not all(isinstance(bucket, dict) for bucket in buckets):
        raise Unusable("buckets is no list of objects")
    return tuple((float("inf") if bucket.get("le_ms") is None else time_of(bucket, "le_ms") or 0.0,
                  count_of(bucket, "count")) for bucket in buckets)


def counts(verdicts: Any) -> dict[str, int]:
    """Those of the verdicts that came."""
    if not isinstance(verdicts, dict) or not all(WORD.fullmatch(word) for word in verdicts):
        raise Unusable("there are no verdicts")
    return {word: count for word in verdicts if (count := count_of(verdicts, word))}


def protocol_of(fields: dict[str, Any]) -> str | None:
    protocol = fields.get("protocol")
    return protocol if protocol in ("tcp", "udp", None) else nonsense("protocol is neither tcp nor udp")


def text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else nonsense(f"there is no {name}")


def count_of(fields: dict[str, Any], name: str) -> int:
    count = maybe_count(fields, name)
    return nonsense(f"there is no {name}") if count is None else count


def maybe_count(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None or type(value) is int and 0 <= value < 1 << 64:
        return value
    raise Unusable(f"{name} is no count")


def time_of(times: dict[str, Any], name: str) -> float | None:
    value = times.get(name)
    if value is None or type(value) in (int, float) and 0 <= value < 1e12:
        return None if value is None else float(value)
    raise Unusable(f"{name} is no time")


def address_of(router: Any) -> str | None:
    try:
        return None if router is None else str(ipaddress.ip_address(router))
    except ValueError:
        raise Unusable("a router has no address") from None


def endpoint(words: str) -> str:
    """ADDRESS:PORT as the clients write it, who know that ::1 and 0:0::1 are the same."""
    host, _, port = words.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return printable(words)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def printable(words: str) -> str:
    """Words from another machine, without what would move a terminal's cursor."""
    return "".join(sign if sign.isprintable() else " " for sign in words)
