"""Which probe of the client is which one of the ledger.

Both have the port that it left from, and the ports agree or the client is wrong. If a
probe had to wait for its port, others may have been sent before it, though they have
higher numbers. Otherwise the numbers are in the order of sending.
"""

from collections import defaultdict

from oracle.fate import Fate
from oracle.said import Said


def by_port(fates: list[Fate], said: Said) -> list[Fate]:
    """Gives each fate the number that the client gave to this use of its port.

    If the ports do not agree, the fates keep the order in which they were sent.
    """
    named: dict[str, list[int]] = defaultdict(list)
    for number in sorted(said.probes):
        named[said.probes[number]["local"]].append(number)
    found: dict[str, list[Fate]] = defaultdict(list)
    for fate in fates:
        found[str(fate.local)].append(fate)
    # Unfinished probes have no object, and so no port to go by.
    if {local: len(numbers) for local, numbers in named.items()} != {local: len(of) for local, of in found.items()}:
        return fates
    for local, numbers in named.items():
        for number, fate in zip(numbers, found[local]):
            fate.number = number
    return sorted(fates, key=lambda fate: fate.number)


def out_of_order(fates: list[Fate], said: Said) -> list[str]:
    """Which numbers are not in the order of sending, although no probe had to wait for its port."""
    if said.summary.get("held"):
        return []
    return [f"probe {later.number} was sent before probe {earlier.number}"
            for earlier, later in zip(fates, fates[1:]) if later.sent_at < earlier.sent_at]
