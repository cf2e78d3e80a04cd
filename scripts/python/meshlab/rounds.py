"""Rounds that never happened: directories as a fleet would have written them (mesh.results), with faults of choice."""

import json
import math
import random
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

from mesh import results
from mesh.cells import Planned, Visit
from mesh.plan import MESH_PLAN

FIRST = results.minute_number("2026-11-27T0831Z")
FLOWS = 16
BOUNDS = [base * 10**power for power in range(-1, 4) for base in (1, 2.5, 5)] + [10_000]
VERDICTS = ("ok", "refused", "unreachable", "timeout", "no-reply", "reset", "wrong-reply", "wrong-source",
            "unresolved", "local")


class Fate(NamedTuple):
    """What happens to the probes of a cell."""

    verdict: str | None = None  # of those that fail; None: what silence is called over that protocol
    there: float = 0.0  # the shares that are lost, one way and the other
    back: float = 0.0
    millis: float = 0.2  # most replies take so long


Fates = Callable[[Planned], Fate | None]  # None: the host does not get to it


def fleet(racks: int, size: int) -> str:
    return "".join(f"r{r}-h{h}=10.{r}.0.{h} r{r}\n" for r in range(1, racks + 1) for h in range(1, size + 1))


def make(directory: Path, hosts: str, fates: Fates, chance: random.Random, minutes: int = 1, count: int = 4,
         policy: str | None = None, visits: list[Visit] | None = None) -> list[str]:
    """Fills a directory, and returns the names of its minutes. `count` probes leave from each source port."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "fleet").write_text(hosts)
    if policy is not None:
        (directory / "policy").write_text(policy)
    words = ["-p", str(directory / "policy")] if policy is not None else []
    names = [results.minute_name(number) for number in range(FIRST, FIRST + minutes)]
    for number, name in enumerate(names, FIRST):
        command = ["sh", str(MESH_PLAN), *words, str(directory / "fleet"), "--all", str(number)]
        plan = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        results.write_plan(directory, name, plan)
        results.write_visits(directory, name, visits or [])
        written: dict[str, list[str]] = {}
        for line in results.planned(plan, name, []):
            if fate := fates(line):
                written.setdefault(line.source, []).extend(objects(line, fate, count, number, chance))
        folder = directory / "results" / name
        folder.mkdir(parents=True)
        for host, lines in written.items():
            (folder / f"{host}.ndjson").write_text("".join(f"{each}\n" for each in lines))
    return names


def objects(line: Planned, fate: Fate, count: int, minute: int, chance: random.Random) -> Iterator[str]:
    """The lines of a cell: its summary, and a trace if a probe failed."""
    protocol = "udp" if line.service.startswith("udp/") else "tcp"
    failure = fate.verdict or ("no-reply" if protocol == "udp" else "timeout")
    there = back = 0
    flows: list[dict[str, int]] = []
    times: list[float] = []
    for port in range(line.port, line.port + FLOWS):
        failed = 0
        for _ in range(count):
            lost_there, lost_back = chance.random() < fate.there, chance.random() < fate.back
            there, back = there + lost_there, back + (lost_back and not lost_there)
            failed += lost_there or lost_back
            if not lost_there and not lost_back:
                times.append(fate.millis * (1 + len(times) % 16 / 16))
        flows.append({"port": port, "sent": count, "failed": failed})
    sent, lost = FLOWS * count, there + back
    unexpected = (lost if failure not in line.expect else 0) + (sent - lost if "ok" not in line.expect else 0)
    is_silence = failure in ("timeout", "no-reply")
    verdicts = {word: sent - lost if word == "ok" else lost if word == failure else 0 for word in VERDICTS}
    yield packed(summary(line, protocol, sent, lost if is_silence else 0, verdicts, minute, times) | {
        "failed": unexpected, "failed_percent": 100 * unexpected / sent, "flows": flows,
        "lost_there": there if is_silence and lost and protocol == "udp" else None,
        "lost_back": back if is_silence and lost and protocol == "udp" else None,
    })
    if unexpected:
        first = next((flow["port"] for flow in flows if flow["failed"]), line.port)
        yield packed({"schema": 1, "event": "trace", "protocol": protocol, "number": 1, "target": line.endpoint,
                      "address": line.endpoint, "local": f"10.9.9.9:{first}", "trace": {
                          "end": "silent", "reason": None, "local": f"10.9.9.9:{first}",
                          "hops": [{"hop": 1, "router": "10.0.0.1", "ms": 0.1}, {"hop": 2, "router": None, "ms": None}],
                          "last_hop": 1, "last_router": "10.0.0.1"}})


def summary(line: Planned, protocol: str, sent: int, lost: int, verdicts: dict[str, int], minute: int,
            times: list[float]) -> dict[str, Any]:
    """All fields of a summary, as docs/json.md has them."""
    begin = datetime.fromtimestamp(60 * minute, timezone.utc)
    of_times, is_connect = percentiles(times), line.service.startswith("connect/")
    reply = None if is_connect else of_times
    return {
        "schema": 1, "event": "summary", "protocol": protocol, "target": line.endpoint, "address": line.endpoint,
        "sent": sent, "ok": verdicts["ok"], "late": 0, "lost": lost, "lost_there": None, "lost_back": None,
        "unfinished": 0, "skipped": 0, "sent_late": 0, "held": 0, "left_port": 0, "duplicate": 0, "foreign": 0,
        "failed": 0, "loss_percent": math.ceil(100_000 * lost / sent) / 1000, "failed_percent": 0.0,
        "verdicts": verdicts, "causes": {cause: 0 for cause in (
            "no-such-name", "no-resolver", "silent-program", "unacknowledged", "mtu")},
        "elapsed_ms": 393.8, "resolve_ms": None, "connect_ms": of_times if protocol == "tcp" else None,
        "reply_ms": reply, "host_ms": reply, "total_ms": of_times if protocol == "tcp" else None,
        "from_due_ms": of_times, "jitter_ms": 0.016, "outage_count": 0, "outages": [], "longest_outage": None,
        "flows": [], "hosts": None if is_connect else [{"host": line.target, "replies": verdicts["ok"]}],
        "seen_as": None, "translated": None, "others": [], "local": f"10.9.9.9:{line.port}",
        "begin": stamp(begin), "end": stamp(begin + timedelta(seconds=1)),
        "buckets": [{"le_ms": bound, "count": sum(bound is None or time <= bound for time in times if not is_connect)}
                    for bound in (*BOUNDS, None)],
    }


def percentiles(times: list[float]) -> dict[str, float | None] | None:
    ordered = sorted(times)
    if not ordered:
        return None

    def at(thousandths: int) -> float | None:
        if len(ordered) * (1000 - thousandths) < 1000:
            return None
        return round(ordered[-(-len(ordered) * thousandths // 1000) - 1], 3)

    return {"samples": len(ordered), "min": round(ordered[0], 3), "mean": round(sum(ordered) / len(ordered), 3),
            "p50": at(500), "p90": at(900), "p99": at(990), "p99_9": at(999), "max": round(ordered[-1], 3)}


def stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def packed(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))
