"""What deploy/host/mesh-plan prints of a fleet without a policy, reckoned here because a simulation asks often.

`scripts/meshlab --only 'blame-plan'` holds the two against each other.
"""

from itertools import groupby
from typing import Iterator

from mesh.cells import Planned
from mesh.fleet import Host

SERVICES = ("tcp/6666", "udp/6666")
FIRST_PORT, FLOWS = 20000, 16
SLOTS, ALL_PAIRS = 16, 48


def plan(fleet: list[Host], minute: int, slots: int = SLOTS, most: int = ALL_PAIRS) -> Iterator[Planned]:
    """The lines for all hosts, which are sorted as fleet.parse does it."""
    racks = [list(hosts) for _, hosts in groupby(fleet, key=lambda host: host.place)]
    if len(fleet) > most and len(racks) == 1:
        racks = [[host] for host in fleet]
    if len(fleet) <= most:
        for own, source in enumerate(fleet):
            for slot in range(len(fleet) - 1):
                yield from probes(source, fleet[(own + slot + 1) % len(fleet)], slot)
        return
    for number, rack in enumerate(racks):
        for own, source in enumerate(rack):
            for slot in range(slots):
                others = len(racks) - 1
                turn = own * slots + slot + minute * len(rack) * slots
                other = racks[(number + 1 + turn % others) % len(racks)]
                # Slots that come to the same rack again find another host there, as long as there is one.
                again = slot // others
                if again < len(other):
                    yield from probes(source, other[(own + minute + slot % others + again) % len(other)], slot)
            if len(rack) > 1:
                yield from probes(source, rack[(own + 1 + minute % (len(rack) - 1)) % len(rack)], slots)


def probes(source: Host, target: Host, slot: int) -> Iterator[Planned]:
    for service in SERVICES:
        port = service.split("/")[1]
        address = f"[{target.address}]" if ":" in target.address else target.address
        yield Planned(source.name, target.name, f"{address}:{port}", service, ("ok",), FIRST_PORT + FLOWS * slot)
