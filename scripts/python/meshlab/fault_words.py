"""Faults as words: what is said of wrong ones, and which are chosen where nobody names any."""

from argparse import ArgumentTypeError
from typing import Callable, Sequence

from lab.case import Case
from lab.trial import Trial
from mesh.desks import faults
from mesh.desks.desk import Desk, fleet_of, spines_of
from meshlab.exchanges import rack

SEEDS = 300
SPINES = spines_of(2)
WORDS = ("dead:r2-h1", "block:r1-h1:r3-h2", "port:r1-h2:udp/6666", "port:r1-h2:tcp/65535", "host:r1-h2:99.999",
         "tor:r2:2.5", "uplink:r2:out:10", "uplink:r2:in:100", "spine:1:30", "spine:2:0.001", "old:r3-h1")

# Words that are no fault, or of nothing that a desk of 6 has, and what is said of them.
WRONG = {
    "": "no such fault: there are dead block port",
    "flood:r1": "no such fault: there are dead block port",
    "dead": "it is dead:HOST",
    "dead:": "it is dead:HOST",
    "dead:r1-h1:5": "it is dead:HOST",
    "dead:r4-h1": "no host r4-h1: there are r1-h1 r1-h2 r2-h1",
    "old:tor-r1": "no host tor-r1: there are",
    "block:r1-h1": "it is block:HOST:HOST",
    "block:r1-h1:r1-h1": "two hosts are needed",
    "block:r1-h1:r9-h1": "no host r9-h1: there are",
    "block:r9-h1:r1-h1": "no host r9-h1: there are",
    "port:r1-h1:6666": "6666 is no service: it is tcp/PORT or udp/PORT",
    "port:r1-h1:udp/0": "udp/0 is no service",
    "port:r1-h1:udp/65536": "udp/65536 is no service",
    "port:r1-h1:sctp/1": "sctp/1 is no service",
    "host:r1-h1:0": "0 is no loss",
    "host:r1-h1:101": "101 is no loss",
    "host:r1-h1:-1": "-1 is no loss",
    "host:r1-h1:5%": "5% is no loss",
    "host:r1-h1:nan": "nan is no loss",
    "host:r1-h1:0.0001": "0.0001 is no loss",
    "tor:r9:5": "no rack r9: there are r1 r2 r3",
    "tor:r1-h1:5": "no rack r1-h1: there are r1 r2 r3",
    "uplink:r1:5": "it is uplink:RACK:out:PERCENT or uplink:RACK:in:PERCENT",
    "uplink:r1:up:5": "it is uplink:RACK:out:PERCENT or uplink:RACK:in:PERCENT",
    "spine:3:5": "no spine spine-3: there are spine-1 spine-2",
    "spine:one:5": "one is no number of a spine",
    "spine:0:5": "0 is no number of a spine",
}


def trials() -> Sequence[Trial]:
    return Trial("desk-words", words), Trial("desk-standard", standard), Trial("desk-hidden", hidden)


def refusal(attempt: Callable[[], object]) -> str:
    """What is said of what is wrong."""
    try:
        attempt()
    except (ValueError, ArgumentTypeError) as error:
        return str(error)
    return ""


def words(case: Case) -> None:
    """A word that is no fault is answered with what there is; the others say what they mean."""
    with Desk(6) as desk:
        for word, wanted in WRONG.items():
            said = refusal(lambda: desk.apply(faults.parse(word)))
            case.check(f"{word}: {wanted}" in said and "\n" not in said, f"{word!r}: {said!r}")
        case.check(not desk.faults, f"{desk.faults}")
    sentences = set()
    for word in WORDS:
        fault = faults.parse(word)
        case.check(str(fault) == word, f"{word} comes back as {fault}")
        sentences.add(faults.words(fault))
        for part in word.replace("spine:", "spine-").replace("out", "leaves").replace("in:", "enters:").split(":")[1:]:
            case.check(part in faults.words(fault), f"{word}: {faults.words(fault)}")
    case.check(len(sentences) == len(WORDS), f"{sentences}")


def standard(case: Case) -> None:
    """What a desk shows if nothing is said fits its size, and can be told apart."""
    for count in range(2, 61):
        fleet = fleet_of(count)
        chosen = faults.standard(fleet)
        for fault in chosen:
            faults.check(fault, fleet, SPINES)
        kinds, how_many = [fault.kind for fault in chosen], 1 if count == 2 else 2 if count < 6 else 3
        case.check(kinds == ["block", "dead", "uplink"][:how_many], f"{count}: {kinds}")
        apart(case, f"{count} hosts", fleet_racks(count), chosen)
    case.check(str(faults.standard(fleet_of(6))[2]) == "uplink:r3:out:10", "the uplink of 6")


def fleet_racks(count: int) -> dict[str, int]:
    racks: dict[str, int] = {}
    for host in fleet_of(count):
        racks[str(host.rack)] = racks.get(str(host.rack), 0) + 1
    return racks


def apart(case: Case, what: str, racks: dict[str, int], chosen: list[faults.Fault]) -> None:
    """No host is in two faults, nor in a rack that has one; a rack that has one has several hosts."""
    hosts = [name for fault in chosen for name in (fault.at, fault.other) if "-h" in name]
    case.check(len(hosts) == len(set(hosts)), f"{what}: {list(map(str, chosen))}")
    for fault in chosen:
        if fault.kind in ("tor", "uplink"):
            case.check(racks[fault.at] > 1 and fault.at not in map(rack, hosts), f"{what}: {list(map(str, chosen))}")


def hidden(case: Case) -> None:
    """Hidden faults are of different kinds, do not hide each other, and follow from their seed."""
    for count, how_many in ((5, 3), (6, 3), (6, 4), (16, 3), (16, 5), (40, 5)):
        fleet, seen = fleet_of(count), set()
        for seed in range(SEEDS):
            chosen = faults.hidden(fleet, seed, how_many)
            for fault in chosen:
                faults.check(fault, fleet, SPINES)
                case.check(faults.parse(str(fault)) == fault, f"{fault}")
            kinds = {fault.kind for fault in chosen}
            seen |= kinds
            case.check(len(kinds) == how_many == len(chosen) and len(kinds & faults.LOSSES.keys()) == 1, f"{kinds}")
            apart(case, f"{count} hosts", fleet_racks(count), chosen)
            case.check(chosen == faults.hidden(fleet, seed, how_many), f"{seed}: another time, others")
        case.check(seen == set(faults.FORMS), f"of {count}, never: {set(faults.FORMS) - seen}")
    for count, how_many in ((4, 1), (5, 4), (6, 5), (16, 0), (16, 6)):
        case.check(refusal(lambda: faults.hidden(fleet_of(count), 1, how_many)), f"{how_many} in {count}: no error")
