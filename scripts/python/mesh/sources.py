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
    routers: dict[str, str] = {}  # the names of addresses
    faults: tuple[Fault, ...] = ()  # that a desk has


@contextmanager
def opened(arguments: argparse.Namespace, minute: int) -> Iterator[Source]:
    """The fleet, for as long as the block lasts."""
    if arguments.desk:
        with Desk(arguments.desk) as desk:
            for fault in chosen_faults(arguments, desk.fleet):
                desk.apply(fault)
            yield Source("the desk", desk.fleet, AtDesk(desk), desk.routers, tuple(desk.faults))
        return
    if arguments.inventory:
        name, (hosts, destinations) = str(arguments.inventory), inventory.read(arguments.inventory)
    else:
        name = "standard input" if arguments.fleet == "-" else arguments.fleet
        hosts, destinations = read_fleet(arguments.fleet, name), {}
    by_ssh = arguments.by == "ssh"
    yield Source(name, hosts, Ssh(arguments.ssh, destinations) if by_ssh else Clush(arguments.clush, destinations))


def chosen_faults(arguments: argparse.Namespace, hosts: list[Host]) -> list[Fault]:
    if arguments.fault:
        return [fault for fault in arguments.fault if fault]
    if arguments.hide is not None:
        return faults.hidden(hosts, arguments.hide)
    return faults.standard(hosts)


def read_fleet(file: str, name: str) -> list[Host]:
    """The hosts of a file, which mesh-plan has found to be well-formed."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong(f"{name}: {getattr(error, 'strerror', None) or 'it is not text'}") from None
    with tempfile.TemporaryDirectory(prefix="mesh-") as scratch:
        copy = Path(scratch, "fleet")
        copy.write_text(text)
        try:
            plan.plan(copy, None, 0)
        except plan.Wrong as wrong:
            raise Wrong(str(wrong).replace(str(copy), name)) from None
    return fleet.parse(text)


def planned(source: Source, policy: Path | None, minute: int, who: str = plan.EVERYBODY) -> str:
    """The plan of a host, or of everybody."""
    with tempfile.TemporaryDirectory(prefix="mesh-") as scratch:
        copy = Path(scratch, "fleet")
        copy.write_text("".join(f"{host.line}\n" for host in source.fleet))
        try:
            return plan.plan(copy, policy, minute, who)
        except plan.Wrong as wrong:
            raise Wrong(str(wrong).replace(str(copy), source.name)) from None


def programs(arguments: argparse.Namespace) -> Programs:
    """What is brought along: what was asked for, what was released, or what is built now."""
    directory = arguments.programs or (None if arguments.desk or not RELEASED.is_dir() else RELEASED) or command.build()
    if not directory:
        raise Wrong("the programs cannot be built: --programs DIR says where they are")
    try:
        return Programs.find(directory)
    except ValueError as error:
        raise Wrong(str(error)) from None
