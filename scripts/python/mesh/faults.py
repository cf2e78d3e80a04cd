"""What can be wrong at a desk (mesh.desk): faults as words, and what they mean."""

import re
from argparse import ArgumentTypeError
from typing import NamedTuple, Sequence

from mesh.fleet import Host

FORMS = {
    "dead": "dead:HOST",
    "block": "block:HOST:HOST",
    "port": "port:HOST:tcp/PORT or port:HOST:udp/PORT",
    "host": "host:HOST:PERCENT",
    "tor": "tor:RACK:PERCENT",
    "uplink": "uplink:RACK:out:PERCENT or uplink:RACK:in:PERCENT",
    "spine": "spine:NUMBER:PERCENT",
    "old": "old:HOST",
}
FINEST = 1000  # parts of a percent that a loss is told to
MOST_PERCENT = 100


class Fault(NamedTuple):
    """One thing that is wrong."""

    kind: str  # a key of FORMS
    at: str  # the name of a host, a rack or a spine
    other: str = ""  # block: who is not reached; port: the service; uplink: `out` or `in`
    percent: float = 0

    def __str__(self) -> str:
        """The word that means it."""
        at = self.at.removeprefix("spine-")
        return ":".join(word for word in (self.kind, at, self.other, f"{self.percent:g}" if self.percent else "") if word)


def parse(word: str) -> Fault:
    """A fault from its word. Whether a desk has such a host or rack is not looked at: see `check`."""
    kind, *words = word.split(":")
    if kind not in FORMS:
        raise ArgumentTypeError(f"{word}: no such fault: there are {' '.join(FORMS)}")
    wanted = FORMS[kind].split(" ")[0].count(":")
    if len(words) != wanted or not all(words):
        raise ArgumentTypeError(f"{word}: it is {FORMS[kind]}")
    if kind in ("dead", "old"):
        return Fault(kind, words[0])
    if kind == "block":
        if words[0] == words[1]:
            raise ArgumentTypeError(f"{word}: two hosts are needed")
        return Fault(kind, words[0], words[1])
    if kind == "port":
        return Fault(kind, words[0], _service(word, words[1]))
    if kind == "uplink" and words[1] not in ("out", "in"):
        raise ArgumentTypeError(f"{word}: it is {FORMS[kind]}")
    at = words[0]
    if kind == "spine":
        if not re.fullmatch("[1-9][0-9]?", at):
            raise ArgumentTypeError(f"{word}: {at} is no number of a spine")
        at = f"spine-{at}"
    return Fault(kind, at, words[1] if kind == "uplink" else "", _percent(word, words[-1]))


def _service(word: str, service: str) -> str:
    found = re.fullmatch("(tcp|udp)/([1-9][0-9]{0,4})", service)
    if not found or int(found[2]) > 65535:
        raise ArgumentTypeError(f"{word}: {service} is no service: it is tcp/PORT or udp/PORT")
    return service


def _percent(word: str, text: str) -> float:
    percent = float(text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text) else -1
    if not 0 < percent <= MOST_PERCENT:
        raise ArgumentTypeError(f"{word}: {text} is no loss: more than 0 and at most 100 percent, to 0.001")
    return percent


def check(fault: Fault, fleet: Sequence[Host], spines: int) -> None:
    """A ValueError that says what there is, if the fault is of something that a desk does not have."""
    hosts = {host.name: None for host in fleet}
    racks = {str(host.rack): None for host in fleet}
    if fault.kind in ("tor", "uplink"):
        wanted = [("rack", fault.at, list(racks))]
    elif fault.kind == "spine":
        wanted = [("spine", fault.at, [f"spine-{n}" for n in range(1, spines + 1)])]
    else:
        named = [fault.at, fault.other] if fault.kind == "block" else [fault.at]
        wanted = [("host", name, list(hosts)) for name in named]
    for what, name, known in wanted:
        if name not in known:
            raise ValueError(f"{fault}: no {what} {name}: there are {' '.join(known)}")


def words(fault: Fault) -> str:
    """What is wrong, in a sentence."""
    at, percent = fault.at, f"{fault.percent:g} %"
    rack = at.partition("-")[0]
    if fault.kind == "dead":
        return f"{at} is dead: its link is down, and nobody reaches it."
    if fault.kind == "block":
        return f"A firewall drops what {at} sends to {fault.other}, except its replies."
    if fault.kind == "port":
        return f"{at}'s own firewall drops what comes to {fault.other}."
    if fault.kind == "host":
        return f"The link of {at} loses {percent}, in each direction."
    if fault.kind == "tor":
        return f"The router of rack {rack}, tor-{rack}, loses {percent} of what it passes on."
    if fault.kind == "uplink":
        way = "leaves" if fault.other == "out" else "enters"
        return f"The uplinks of rack {rack} lose {percent} of what {way} the rack."
    if fault.kind == "spine":
        return f"{at} loses {percent} of what it passes on."
    return f"{at} has old programs on its PATH."


def standard(fleet: Sequence[Host]) -> list[Fault]:
    """What a desk shows if nothing is said: a blocked pair, a dead host, and an uplink that loses 10 %.

    As many of them as can be told apart: of 2 hosts a blocked pair alone, and an uplink only where it has two hosts,
    neither dead nor blocked.
    """
    racks: dict[str, list[str]] = {}
    for host in fleet:
        racks.setdefault(str(host.rack), []).append(host.name)
    first, second = list(racks)[:2]
    found = [Fault("block", racks[first][0], racks[second][0])]
    if spare := racks[second][1:] or racks[first][1:]:
        found.append(Fault("dead", spare[-1]))
    others = [rack for rack in racks if rack not in (first, second) and len(racks[rack]) > 1]
    if others:
        found.append(Fault("uplink", others[-1], "out", 10))
    return found
