"""What scripts/mesh looks at, as its command line says: a fleet, and how its hosts are reached."""

import argparse
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple

from lab import command
from lab.command import ROOT
from mesh import fleet, inventory, plan
from mesh.desks import faults
from mesh.desks.desk import Desk
from mesh.desks.faults import Fault
from mesh.fleet import Host
from mesh.visits.programs import Programs
from mesh.visits.transports import Transport
from mesh.visits.transports.clush import Clush
from mesh.visits.transports.desk import AtDesk
from mesh.visits.transports.ssh import Ssh

RELEASED = ROOT / "dist" / "bin"


class Wrong(Exception):
    """It cannot be looked at: `thing: reason`."""


class Source(NamedTuple):
    name: str  # of the fleet, for people
    fleet: list[Host]
    transport: Transport
    plan: str  # of all hosts
    routers: dict[str, str] = {}  # the names of addresses
    faults: tuple[Fault, ...] = ()  # that a desk has

    def plan_of(self, host: str) -> str:
        """The lines of the plan of a host, or of everybody."""
        if host == plan.EVERYBODY:
            return self.plan
        if host not in {each.name for each in self.fleet}:
            raise Wrong(f"{self.name}: it has no host {host}")
        return "".join(line for line in self.plan.splitlines(True) if line.split(" ", 1)[0] == host)


@contextmanager
def opened(arguments: argparse.Namespace, minute: int) -> Iterator[Source]:
    """The fleet, for as long as the block lasts."""
    def planned(name: str, text: str) -> str:
        return plan_of(name, text, arguments.policy, minute)

    if arguments.desk:
        with Desk(arguments.desk) as desk:
            for fault in chosen_faults(arguments, desk.fleet):
                desk.apply(fault)
            lines = planned("the desk", fleet.file_of(desk.fleet))
            yield Source("the desk", desk.fleet, AtDesk(desk), lines, desk.routers, tuple(desk.faults))
        return
    destinations: dict[str, str] = {}
    if arguments.inventory:
        hosts, destinations = inventory.read(arguments.inventory)
        name, text = str(arguments.inventory), fleet.file_of(hosts)
    else:
        name = "standard input" if arguments.fleet == "-" else arguments.fleet
        text = read(arguments.fleet, name)
    lines = planned(name, text)
    transport = Ssh(arguments.ssh, destinations) if arguments.by == "ssh" else Clush(arguments.clush, destinations)
    yield Source(name, fleet.parse(text), transport, lines)


def chosen_faults(arguments: argparse.Namespace, hosts: list[Host]) -> list[Fault]:
    if arguments.fault:
        return [fault for fault in arguments.fault if fault]
    if arguments.hide is not None:
        return faults.hidden(hosts, arguments.hide)
    return faults.standard(hosts)


def read(file: str, name: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong(f"{name}: {getattr(error, 'strerror', None) or 'it is not text'}") from None


def plan_of(name: str, text: str, policy: Path | None, minute: int) -> str:
    """The plan of everybody in a fleet of this name. What may not be in the fleet or the policy is said here."""
    with tempfile.TemporaryDirectory(prefix="mesh-") as scratch:
        copy = Path(scratch, "fleet")
        copy.write_text(text)
        try:
            return plan.plan(copy, policy, minute)
        except plan.Wrong as wrong:
            raise Wrong(str(wrong).replace(str(copy), name)) from None


def programs(arguments: argparse.Namespace) -> Programs:
    """What is brought along: what was asked for, what was released, or what is built now."""
    directory = arguments.programs or (None if arguments.desk or not RELEASED.is_dir() else RELEASED) or command.build()
    if not directory:
        raise Wrong("the programs cannot be built: --programs DIR says where they are")
    try:
        return Programs.find(directory)
    except ValueError as error:
        raise Wrong(str(error)) from None
