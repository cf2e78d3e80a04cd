"""What can be wrong at a desk (mesh.desks.desk), as words:

  dead:HOST                  its link is down, and nobody reaches it
  block:HOST:HOST            a firewall drops what the first sends to the second, except replies
  port:HOST:udp/PORT         its own firewall drops what comes to this port (also tcp/PORT)
  host:HOST:PERCENT          its link loses so much, in each direction
  tor:RACK:PERCENT           the rack's router loses so much of what it passes on, also within the rack
  uplink:RACK:out:PERCENT    its uplinks lose so much of what leaves the rack (in: of what enters it)
  spine:NUMBER:PERCENT       this spine loses so much of what it passes on: a share of the source ports
  old:HOST                   old programs are on its PATH
"""

import random
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
NAMES_SHOWN = 8  # of those that there are, if one is wrong
# The kinds that lose packets, and how many percent are lost where a fault is hidden. The operator's sessions pass the
# first two: with 10 % a copy of 4 MB takes a second, and with 20 % minutes.
LOSSES = {"host": (3, 5, 10), "tor": (3, 5, 10), "uplink": (5, 10, 20, 30), "spine": (5, 10, 20, 30)}


class Fault(NamedTuple):
    """One thing that is wrong."""

    kind: str  # a key of FORMS
    at: str  # the name of a host, a rack or a spine
    other: str = ""  # block: who is not reached; port: the service; uplink: `out` or `in`
    percent: float = 0

    def __str__(self) -> str:
        """The word that means it."""
        at = self.at.removeprefix("spine-")
        percent = f"{self.percent:g}" if self.percent else ""
        return ":".join(word for word in (self.kind, at, self.other, percent) if word)


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
    if not 0 < percent <= 100:
        raise ArgumentTypeError(f"{word}: {text} is no loss: more than 0 and at most 100 percent, to 0.001")
    return percent


def check(fault: Fault, fleet: Sequence[Host], spines: Sequence[str]) -> None:
    """A ValueError that says what there is, if the fault is of something that a desk does not have."""
    if fault.kind in ("tor", "uplink"):
        what, known = "rack", list(_racks(fleet))
    elif fault.kind == "spine":
        what, known = "spine", list(spines)
    else:
        what, known = "host", [host.name for host in fleet]
    for name in (fault.at, fault.other) if fault.kind == "block" else (fault.at,):
        if name not in known:
            raise ValueError(f"{fault}: no {what} {name}: there are {_listed(known)}")


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= NAMES_SHOWN else [*names[:NAMES_SHOWN - 2], "...", names[-1]]
    return " ".join(shown)


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


def _racks(fleet: Sequence[Host]) -> dict[str, list[str]]:
    racks: dict[str, list[str]] = {}
    for host in fleet:
        racks.setdefault(str(host.rack), []).append(host.name)
    return racks


def standard(fleet: Sequence[Host]) -> list[Fault]:
    """What a desk shows if nothing is said: a blocked pair, a dead host, and an uplink that loses 10 %.

    As many of them as can be told apart: of 2 hosts a blocked pair alone, and an uplink only where it has two hosts,
    neither dead nor blocked.
    """
    racks = _racks(fleet)
    first, second = list(racks)[:2]
    found = [Fault("block", racks[first][0], racks[second][0])]
    if spare := racks[second][1:] or racks[first][1:]:
        found.append(Fault("dead", spare[-1]))
    others = [rack for rack in racks if rack not in (first, second) and len(racks[rack]) > 1]
    if others:
        found.append(Fault("uplink", others[-1], "out", 10))
    return found


def hidden(fleet: Sequence[Host], seed: int, how_many: int = 3,
           spines: Sequence[str] = ("spine-1", "spine-2")) -> list[Fault]:
    """Faults of different kinds, drawn by the seed, of which none hides another.

    One of them loses some packets. The others fail always, and are of other hosts than that one, each of its own. A
    ValueError if there are too few kinds or hosts for so many.
    """
    others = ("dead", "block", "port", "old")
    racks = _racks(fleet)
    largest = max(len(names) for names in racks.values())
    if not 1 <= how_many <= 1 + len(others):
        raise ValueError(f"1 to {1 + len(others)} faults can be told apart, not {how_many}")
    # With two racks, what leaves the one is what enters the other. A pair takes two hosts.
    if len(racks) < 3 or len(fleet) - largest < how_many:
        raise ValueError(f"{len(fleet)} hosts are too few to tell {how_many} faults apart")
    draw = random.Random(seed)
    kind, rack = draw.choice(list(LOSSES)), draw.choice([rack for rack in racks if len(racks[rack]) > 1])
    at = {"host": draw.choice(racks[rack]), "spine": draw.choice(spines)}.get(kind, rack)
    way = draw.choice(("out", "in")) if kind == "uplink" else ""
    found = [Fault(kind, at, way, draw.choice(LOSSES[kind]))]
    free = iter(draw.sample([host.name for host in fleet if host.rack != rack], how_many))
    for kind in draw.sample(others, how_many - 1):
        at, other = next(free), ""
        if kind == "block":
            other = next(free)
        elif kind == "port":
            other = draw.choice(("tcp/6666", "udp/6666"))
        found.append(Fault(kind, at, other))
    return draw.sample(found, len(found))
