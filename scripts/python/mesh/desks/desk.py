r"""A desk: a fleet of network namespaces on this machine, to try things on. Root needed, and Linux 5.14.

Six hosts and two spines:

          spine-1       spine-2           a link from each to each tor: a flow keeps to one spine, by its ports
         /   |   \     /   |   \
     tor-r1     tor-r2     tor-r3 ------ operator     has a link of its own to each tor
     /    \     /    \     /    \
  r1-h1 r1-h2 r2-h1 r2-h2 r3-h1 r3-h2

A host is 10.RACK.0.N, a tor 10.RACK.0.254, a spine 10.0.N.254, and the operator 10.0.0.1. A router answers from its
only address, and the hosts of a rack reach each other by its tor, too.

The operator reaches the hosts past the spines and the uplinks, as over a network for maintenance: what is wrong with
those keeps nobody from looking at a host. What is wrong with a rack's router, a host's link or the host itself does.
"""

import os
import socket
import struct
import tempfile
import time
from pathlib import Path
from types import TracebackType

from lab.harness import until
from lab.hosts import Host
from mesh import fleet
from mesh.desks import faults
from mesh.desks.faults import Fault

FEWEST, MOST = 2, 200  # hosts. IPv4 has 1024 neighbours in one kernel, all namespaces together
MOST_SPINES = 8
RETRANSMISSION_MS = 100  # after which a neighbour is asked for again, three times in all
PINGS = 20  # that a host may leave unanswered, before it counts as unreachable
PING_S = 0.1
ECHO_REQUEST = struct.pack("!BBHHH", 8, 0, 0, 0, 0)  # RFC 792. The kernel fills in the checksum and its own number
OPERATOR = "operator"
# By addresses, protocol and ports, as they are in the packet. Policy 1 would take the sending socket's hash where the
# kernel knows it, as it does of a TCP segment that comes by veth, and that is another one for each connection.
BY_PORTS = {"ipv4__fib_multipath_hash_policy": 3, "ipv4__fib_multipath_hash_fields": 0x37}
OLD = """#!/bin/sh
# An older program: it knows none of the options that came after it.
case ${1-} in
    -V | --version) echo "NAME 0.0.9" ;;
    *)
        echo "error: unexpected argument '${1-}' found" >&2
        exit 2
        ;;
esac
"""
PROGRAMS = ("tcp-server", "tcp-client", "udp-server", "udp-client")


def fleet_of(count: int) -> list[fleet.Host]:
    """The hosts of a desk: two racks up to 4 hosts, three up to 12, and then racks of 3 or 4."""
    if not FEWEST <= count <= MOST:
        raise ValueError(f"a desk has {FEWEST} to {MOST} hosts, not {count}")
    racks = 2 if count <= 4 else max(3, -(-count // 4))
    fewest, more = divmod(count, racks)
    return [fleet.Host(f"r{rack}-h{n}", f"10.{rack}.0.{n}", f"r{rack}")
            for rack in range(1, racks + 1) for n in range(1, fewest + (rack <= more) + 1)]


def spines_of(count: int) -> list[str]:
    if not 1 <= count <= MOST_SPINES:
        raise ValueError(f"a desk has 1 to {MOST_SPINES} spines, not {count}")
    return [f"spine-{n}" for n in range(1, count + 1)]


class Desk:
    """The hosts, the routers and the operator's machine, connected and up.

    `machines` has all of them by name, `hosts` those of the fleet, and `routers` says whose an address in a trace is.
    """

    def __init__(self, count: int, spines: int = 2) -> None:
        self.fleet, self.spines = fleet_of(count), spines_of(spines)
        self.racks = list(dict.fromkeys(str(host.rack) for host in self.fleet))
        self.routers = {f"10.{rack.removeprefix('r')}.0.254": _tor(rack) for rack in self.racks}
        self.routers |= {f"10.0.{n}.254": spine for n, spine in enumerate(self.spines, 1)}
        self.faults: list[Fault] = []
        self._addresses = {name: address for address, name in self.routers.items()} | {OPERATOR: "10.0.0.1"}
        self._addresses |= {host.name: host.address for host in self.fleet}
        self.machines: dict[str, Host] = {}
        self._old: dict[str, str] = {}
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        try:
            for name in self._addresses:
                self.machines[name] = _machine(name, routes=name in self.routers.values())
            self._connect()
        except BaseException:
            self.close()
            raise
        self.hosts = {host.name: self.machines[host.name] for host in self.fleet}
        self.operator = self.machines[OPERATOR]

    def _connect(self) -> None:
        links = [link for rack in self.racks for link in self._make_rack(rack)]
        for name in (*self.spines, OPERATOR):
            self._join_racks(name)
        self.machines[OPERATOR].set(ipv4__ping_group_range="0 0")
        for machine, link in links:
            machine.set(**{f"ipv4__neigh__{link}__retrans_time_ms": RETRANSMISSION_MS})
        if not until(lambda: all(machine.is_up(link) for machine, link in links)):
            raise RuntimeError("the links do not come up")

    def _make_rack(self, rack: str) -> list[tuple[Host, str]]:
        """Makes a rack's links, all of which its router has, and its hosts. A link is called as who is at its end."""
        name = _tor(rack)
        tor, own = self.machines[name], self._addresses[name]
        inside = [host.name for host in self.fleet if host.rack == rack]
        commands, links = _begin(own), []
        for peer in (*inside, *self.spines, OPERATOR):
            link = "eth0" if peer in inside else name
            commands += [f"link add name {peer} type veth peer name {link} netns {self.machines[peer].path}",
                         f"link set dev {peer} up", f"route add {self._addresses[peer]} dev {peer}"]
            links += [(tor, peer), (self.machines[peer], link)]
        ways = " ".join(f"nexthop via {self._addresses[spine]} dev {spine} onlink" for spine in self.spines)
        tor.ip(*commands, *(f"route add {_net(other)} {ways}" for other in self.racks if other != rack))
        for host in inside:
            self.machines[host].ip("link set dev lo up", f"address add {self._addresses[host]}/32 dev eth0",
                                    "link set dev eth0 up", f"route add default via {own} dev eth0 onlink")
        return links

    def _join_racks(self, name: str) -> None:
        """Takes a machine's links to all racks into use."""
        self.machines[name].ip(*_begin(self._addresses[name]), *(
            command for rack in self.racks for command in (
                f"link set dev {_tor(rack)} up",
                f"route add {_net(rack)} via {self._addresses[_tor(rack)]} dev {_tor(rack)} onlink")))

    def apply(self, fault: Fault) -> None:
        """Makes something wrong, until the desk is removed. A ValueError if the desk does not have it."""
        faults.check(fault, self.fleet, self.spines)
        if fault in self.faults:
            raise ValueError(f"{fault}: it is so already")
        if fault.kind == "dead":
            self.machines[fault.at].ip("link set dev eth0 down")
        elif fault.kind == "old":
            self._old[fault.at] = self._old_programs()
        else:
            self._filter(fault)
        self.faults.append(fault)

    def _filter(self, fault: Fault) -> None:
        """Adds the rules that stand for a fault, on a router or on the host."""
        lose = "drop" if fault.percent == 100 else f"numgen random mod 100000 < {round(fault.percent * 1000)} drop"
        uplinks = "{ " + ", ".join(self.spines) + " }"
        tor = _tor(fault.at.partition("-")[0])
        if fault.kind == "port":
            self._add_rules(fault.at, input=f'iifname != "lo" {fault.other.replace("/", " dport ")} drop')
        elif fault.kind == "block":
            pair = f"ip saddr {self._addresses[fault.at]} ip daddr {self._addresses[fault.other]}"
            self._add_rules(_tor(fault.other.partition("-")[0]), forward=f"{pair} ct direction original drop")
        elif fault.kind == "host":
            # Not on the host itself: a program there would be told that its datagram did not leave.
            self._add_rules(tor, prerouting=f"iifname {fault.at} {lose}", postrouting=f"oifname {fault.at} {lose}")
        elif fault.kind == "uplink" and fault.other == "out":
            self._add_rules(tor, postrouting=f"oifname {uplinks} {lose}")
        elif fault.kind == "uplink":
            self._add_rules(tor, prerouting=f"iifname {uplinks} {lose}")
        else:
            self._add_rules(fault.at if fault.kind == "spine" else tor, forward=lose)

    def _add_rules(self, machine: str, **rules: str) -> None:
        """Adds a rule to hooks of a machine's firewall."""
        chains = (f"chain {hook} {{ type filter hook {hook} priority 0; policy accept; {rule}; }}"
                  for hook, rule in rules.items())
        self.machines[machine].nft(f"table inet fault-{len(self.faults)} {{", *chains, "}")

    def _old_programs(self) -> str:
        """Makes the programs once. Returns their directory."""
        if self._scratch:
            return self._scratch.name
        self._scratch = tempfile.TemporaryDirectory(prefix="desk-")
        directory = Path(self._scratch.name)
        for name in PROGRAMS:
            program = directory / name
            program.write_text(OLD.replace("NAME", name))
            program.chmod(0o755)
        return self._scratch.name

    def path(self, name: str) -> str:
        """What PATH is on a host."""
        own = os.environ.get("PATH", os.defpath)
        return f"{self._old[name]}:{own}" if name in self._old else own

    def is_reachable(self, name: str) -> bool:
        """Whether the operator's pings of a host are answered."""
        with self.operator.entered():
            ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
        with ping:
            ping.settimeout(PING_S)
            ping.connect((self._addresses[name], 0))
            for _ in range(PINGS):
                begun = time.monotonic()
                try:
                    ping.send(ECHO_REQUEST)
                    ping.recv(1024)
                    return True
                except OSError:  # nothing in time, or a router says that it does not get there
                    time.sleep(max(0.0, begun + PING_S - time.monotonic()))
        return False

    def close(self) -> None:
        """Removes it all, once what was started on the hosts has ended."""
        for machine in self.machines.values():
            machine.close()
        self.machines.clear()
        if self._scratch:
            self._scratch.cleanup()

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def _machine(name: str, routes: bool) -> Host:
    """A namespace with settings that differ from the kernel's defaults, or from this machine's.

    ICMP errors are not limited, links have no addresses of their own, and there is no IPv6.
    """
    machine = Host(name)
    machine.set(ipv4__icmp_ratelimit=0, ipv4__icmp_ratemask=0)
    for links in ("all", "default"):
        machine.set(**{f"ipv4__conf__{links}__rp_filter": 0, f"ipv4__conf__{links}__arp_ignore": 0})
    if Path("/proc/sys/net/ipv6").exists():
        machine.set(ipv6__conf__default__disable_ipv6=1)
    if routes:
        machine.set(ipv4__ip_forward=1, **BY_PORTS)
    return machine


def _begin(address: str) -> list[str]:
    """What a machine with several links does first. Its address is on none of them, and so all that it sends has it."""
    return ["link set dev lo up", f"address add {address}/32 dev lo"]


def _tor(rack: str) -> str:
    return f"tor-{rack}"


def _net(rack: str) -> str:
    return f"10.{rack.removeprefix('r')}.0.0/24"
