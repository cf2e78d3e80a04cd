"""Checks what a client prints about a probe against what is expected."""

import json
import re
from typing import Any, NamedTuple

from lab.harness import Ended
from lab.protocol import PORT
from netlab.scene import Scene
from netlab.trial import ANY, Expected, describe

FIELDS = {"schema", "event", "verdict", "protocol", "target", "address", "local", "connect_ms", "reply_ms", "reply",
          "cause", "reason", "router", "from", "number", "resolve_ms", "delay_ms", "syn_retransmits", "icmp_type",
          "icmp_code", "complete", "others", "host_ms", "padding_bytes", "trace", "mtu", "largest_segment", "dscp_sent",
          "dscp_seen", "dscp_reply"}
CONNECTED = {"ok", "no-reply", "reset", "wrong-reply"}  # verdicts that TCP gives only after it has connected
ANSWERED = {"ok", "wrong-reply"}  # verdicts with a reply


class Said(NamedTuple):
    """What a client said of a probe: its verdict, and that with who sent it, for the table."""

    verdict: str | None
    text: str


def probe_twice(scene: Scene) -> None:
    """Probes without --expect, and again with it: the verdict that came is then a success."""
    expected = scene.trial.expected
    said = check_probe(scene, scene.probe(), expected)
    scene.came = said.text
    wanted = said.verdict if said.verdict in expected.verdicts else expected.verdicts[0]
    status = scene.probe("--expect", wanted).status
    scene.case.check(status == 0, f"exit status {status} with --expect {wanted}")


def check_probe(scene: Scene, ended: Ended, expected: Expected) -> Said:
    """Checks the exit status and the JSON of a probe without --expect."""
    check = scene.case.check
    said = parse(ended.output)
    check(said is not None, f"not one JSON object: {ended}")
    if said is None:
        return Said(None, f"exit {ended.status}")
    check(ended.is_quiet, f"standard error: {ended.errors[:300]!r}")
    found = said.get("verdict")
    check(found in expected.verdicts, f"verdict {found}, for {said.get('reason')}")
    status = {"ok": 0, "local": 2}.get(str(found), 1)
    check(ended.status == status, f"exit status {ended.status}, not {status}")
    if missing := FIELDS - set(said):
        check(False, f"fields are missing: {', '.join(sorted(missing))}")
        return Said(found, str(found))
    for wrong in (*addresses_wrong(scene, said, expected), *reply_wrong(scene, said, expected),
                  *cause_wrong(said, expected)):
        check(False, wrong)
    return Said(found, describe(str(found), said["router"], said["from"]))


def parse(output: bytes) -> dict[str, Any] | None:
    try:
        said: dict[str, Any] | None = json.loads(output) if output.count(b"\n") == 1 else None
    except ValueError:
        return None
    return said


def addresses_wrong(scene: Scene, said: dict[str, Any], expected: Expected) -> list[str]:
    """What is wrong with the addresses."""
    plan, trial = scene.plan, scene.trial
    target = plan.endpoint(trial.target, PORT)
    wrong = []
    if (said["schema"], said["event"], said["target"]) != (1, "probe", target):
        wrong.append(f"schema, event, target: {said['schema']}, {said['event']}, {said['target']}")
    if said["address"] != (target if expected.has_address else None) and said["verdict"] != "local":
        wrong.append(f"address {said['address']}")
    local = plan.endpoint(plan.client, 0)[:-1]
    if said["local"] is not None and not re.fullmatch(re.escape(local) + "[1-9][0-9]*", said["local"]):
        wrong.append(f"local {said['local']}")
    if said["local"] is None and said["verdict"] in CONNECTED:
        wrong.append("local is null")
    if said["router"] not in expected.router:
        wrong.append(f"router {said['router']}")
    # A client that names a router has received its error, and so knows the type and code.
    if said["router"] is not None and None in (said["icmp_type"], said["icmp_code"]):
        wrong.append(f"ICMP type {said['icmp_type']}, code {said['icmp_code']}")
    if said["from"] != expected.sender:
        wrong.append(f"from {said['from']}")
    return wrong


def reply_wrong(scene: Scene, said: dict[str, Any], expected: Expected) -> list[str]:
    """What is wrong with the reply and the times."""
    found, wrong = said["verdict"], []
    # The path may become unreachable before or after the connection stands: with or without a time.
    connected = None if found == "unreachable" else scene.protocol == "tcp" and found in CONNECTED
    wrong += time_wrong("connect_ms", said, connected)
    wrong += time_wrong("reply_ms", said, None if found == "wrong-source" else found in ANSWERED)
    if (said["syn_retransmits"] is not None) != (scene.protocol == "tcp" and said["local"] is not None):
        wrong.append(f"syn_retransmits {said['syn_retransmits']}")
    if (said["number"], said["delay_ms"]) != (1, None):
        wrong.append(f"number {said['number']}, delay_ms {said['delay_ms']}, of a single exchange")
    pattern = expected.reply if found in ANSWERED else None
    if (said["reply"] is None) != (pattern is None) or (pattern and not re.fullmatch(pattern, said["reply"])):
        wrong.append(f"reply {said['reply']!r}")
    if (said["reason"] is None) != (found == "ok"):
        wrong.append(f"reason {said['reason']!r}")
    took = (said["connect_ms"] or 0) + (said["reply_ms"] or 0)
    if took < expected.longer_than_ms:
        wrong.append(f"it took {took} ms, less than {expected.longer_than_ms}")
    return wrong


def cause_wrong(said: dict[str, Any], expected: Expected) -> list[str]:
    """What is wrong with what is known of the cause."""
    wrong = []
    if expected.cause not in (ANY, said["cause"]):
        wrong.append(f"cause {said['cause']}, for {said['reason']}")
    if not re.fullmatch(expected.reason, said["reason"] or ""):
        wrong.append(f"reason {said['reason']!r}")
    for name, value in (("largest_segment", expected.largest_segment), ("mtu", expected.mtu)):
        if said[name] != value:
            wrong.append(f"{name} {said[name]}, not {value}")
    return wrong


def time_wrong(name: str, said: dict[str, Any], is_there: bool | None) -> list[str]:
    """What is wrong with a time. It is to be there or not, or, if `is_there` is None, may be either."""
    value = said[name]
    if is_there is not None and (value is not None) != is_there:
        return [f"{name} is {value}"]
    return [f"{name} is {value}"] if value is not None and not 0 <= value < 10_000 else []
