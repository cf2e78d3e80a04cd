"""What a client said: its exit status, its JSON objects, its standard error."""

import json
from dataclasses import dataclass, field
from typing import Any

from lab.harness import Ended

Object = dict[str, Any]

PROBE_FIELDS = {"number", "verdict", "protocol", "target", "address", "local", "resolve_ms", "delay_ms", "connect_ms",
                "syn_retransmits", "reply_ms", "host_ms", "bytes", "reply", "reason", "icmp_type", "icmp_code",
                "router", "from", "others", "cause", "complete", "padding_bytes", "trace", "mtu", "largest_segment",
                "dscp_sent", "dscp_seen", "dscp_reply"}
SUMMARY_FIELDS = {"protocol", "target", "address", "sent", "ok", "late", "lost", "lost_there", "lost_back",
                  "unfinished", "skipped", "sent_late", "held", "duplicate", "foreign", "failed", "loss_percent",
                  "failed_percent", "verdicts", "causes", "elapsed_ms", "resolve_ms", "connect_ms", "reply_ms",
                  "host_ms", "total_ms", "from_due_ms", "jitter_ms", "outage_count", "outages", "longest_outage",
                  "flows", "hosts", "seen_as", "translated", "others", "local", "begin", "end", "buckets"}


@dataclass
class Said:
    status: int | None
    errors: str
    probes: dict[int, Object] = field(default_factory=dict)  # by number
    strays: list[Object] = field(default_factory=list)
    summary: Object = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)  # what is wrong with it already

    @property
    def probe(self) -> Object:
        """The one probe of a single exchange, which with --wait is the last attempt."""
        return self.probes[max(self.probes)] if self.probes else {}

    def __str__(self) -> str:
        if not self.summary:
            return f"{self.probe.get('verdict')}, exit {self.status}"
        names = ("ok", "late", "lost", "unfinished", "skipped", "duplicate", "foreign")
        counted = [f"{self.summary[name]} {name}" for name in names if self.summary.get(name)]
        return ", ".join(counted) + f", exit {self.status}"


def read(ended: Ended) -> Said:
    said = Said(ended.status, ended.errors.decode(errors="replace"))
    for line in ended.output.splitlines():
        try:
            each = json.loads(line)
        except ValueError:
            said.wrong.append(f"not JSON: {line[:200]!r}")
            continue
        if each["event"] == "probe":
            if each["number"] in said.probes:
                said.wrong.append(f"probe {each['number']} is said twice")
            said.probes[each["number"]] = each
        elif each["event"] == "stray":
            said.strays.append(each)
        elif each["event"] == "summary":
            said.wrong += ["a second summary"] if said.summary else []
            said.summary = each
        else:
            said.wrong.append(f"an event {each['event']}")
    if "panicked" in said.errors:
        said.wrong.append(f"it panicked: {said.errors[:300]}")
    return said


def fields_missing(said: Said) -> list[str]:
    """Which fields of the contract are not there."""
    wrong = []
    absent = {name for probe in said.probes.values() for name in PROBE_FIELDS - set(probe)}
    if absent:
        wrong.append(f"probes have no {', '.join(sorted(absent))}")
    if said.summary and (lacking := SUMMARY_FIELDS - set(said.summary)):
        wrong.append(f"the summary has no {', '.join(sorted(lacking))}")
    return wrong


def text(said: Said) -> str:
    """All that was said of a single exchange, wherever."""
    return f"{said.probe.get('verdict')} {said.errors}"
