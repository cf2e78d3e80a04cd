"""A desk: a fleet of network namespaces on this machine, to try things on.

    spine-1   spine-2      routers between the racks: a flow keeps to one of them, by its addresses and ports
      |    \\ /    |
      |    / \\    |
    tor-r1    tor-r2  ...  a router for each rack, which also joins the rack's hosts, and the operator
     |  |      |  |
    r1-h1 ... r2-h1 ...    hosts"""

import os
import socket
import struct
import tempfile
import time
from pathlib import Path
from types import TracebackType

from lab.harness import until
from lab.hosts import Host
from mesh import faults, fleet
from mesh.faults import Fault

FEWEST, MOST = 2, 200  # hosts. IPv4 has 1024 neighbours in one kernel, all namespaces together
MOST_SPINES = 8
RETRANSMISSION_MS = 100  # after which a neighbour is asked for again, three times in all
PINGS = 20  # that a host may leave unanswered, before it counts as unreachable
PING_S = 0.1
ECHO_REQUEST = struct.pack("!BBHHH", 8, 0, 0, 0, 0)  # RFC 792. The kernel fills in the checksum and its own number
OPERATOR = "10.0.0.1"
# By addresses, protocol and ports, which every router reckons from the packet. Policy 1 would take the sending socket's
# hash where the kernel knows it, as it does of a TCP segment that comes by veth: that is another one for each connection.
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


class Desk:
    """The hosts, the routers and the operator's machine, connected and up."""

    def __init__(self, count: int, spines: int = 2) -> None:
        if not 1 <= spines <= MOST_SPINES:
            raise ValueError(f"a desk has 1 to {MOST_SPINES} spines, not {spines}")
        self.fleet = fleet_of(count)
        self.racks = list(dict.fromkeys(str(host.rack) for host in self.fleet))
        self.spines = [f"spine-{n}" for n in range(1, spines + 1)]
        self.faults: list[Fault] = []
        self._old: dict[str, str] = {}
        self._machines: dict[str, Host] = {}
        self._addresses = {host.name: host.address for host in self.fleet}
        self.routers = {f"10.{rack[1:]}.0.254": f"tor-{rack}" for rack in self.racks}
        self.routers |= {f"10.0.{n}.254": spine for n, spine in enumerate(self.spines, 1)}
        self._addresses |= {name: address for address, name in self.routers.items()} | {"operator": OPERATOR}
        self._scratch = tempfile.TemporaryDirectory(prefix="desk-")
        try:
            for name in self._addresses:
                self._machines[name] = _machine(name, routes=name in self.routers.values())
            self.hosts = {host.name: self._machines[host.name] for host in self.fleet}
            self.operator = self._machines["operator"]
            self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        links: list[tuple[Host, str]] = []
        for rack in self.racks:
            links += self._make_rack(rack)
        for n, spine in enumerate(self.spines, 1):
            self._join_racks(spine, f"10.0.{n}.254")
        self._join_racks("operator", OPERATOR)
        self.operator.set(ipv4__ping_group_range="0 0")
        for machine, link in links:
            machine.set(**{f"ipv4__neigh__{link}__retrans_time_ms": RETRANSMISSION_MS})
        if not until(lambda: all(machine.is_up(link) for machine, link in links)):
            raise RuntimeError("the links do not come up")

    def _make_rack(self, rack: str) -> list[tuple[Host, str]]:
        """A rack's router, and its links to everybody, each of which is called as who is at its end."""
        tor, own = self._machines[f"tor-{rack}"], self._addresses[f"tor-{rack}"]
        inside = [host.name for host in self.fleet if host.rack == rack]
        commands, links = _begin(own), []
        for peer in (*inside, *self.spines, "operator"):
            link = "eth0" if peer in inside else tor.name
            commands += [f"link add name {peer} type veth peer name {link} netns {self._machines[peer].path}",
                         f"link set dev {peer} up", f"route add {self._addresses[peer]} dev {peer} src {own}"]
            links += [(tor, peer), (self._machines[peer], link)]
        hops = " ".join(f"nexthop via {self._addresses[spine]} dev {spine} onlink" for spine in self.spines)
        commands += [f"route add 10.{other[1:]}.0.0/24 src {own} {hops}" for other in self.racks if other != rack]
        tor.ip(*commands)
        for name in inside:
            self._machines[name].ip("link set lo up", f"address add {self._addresses[name]}/32 dev eth0",
                                    "link set dev eth0 up", f"route add default via {own} dev eth0 onlink")
        return links

    def _join_racks(self, name: str, own: str) -> None:
        """A machine with a link to each rack's router."""
        commands = _begin(own)
        for rack in self.racks:
            tor = f"tor-{rack}"
            commands += [f"link set dev {tor} up",
                         f"route add 10.{rack[1:]}.0.0/24 via {self._addresses[tor]} dev {tor} onlink src {own}"]
        self._machines[name].ip(*commands)

    def apply(self, fault: Fault) -> None:
        """Makes something wrong, until the desk is removed. A ValueError if the desk does not have it."""
        faults.check(fault, self.fleet, len(self.spines))
        if fault.kind == "dead":
            self._machines[fault.at].ip("link set dev eth0 down")
        elif fault.kind == "old":
            self._old[fault.at] = self._old_programs()
        else:
            self._filter(fault)
        self.faults.append(fault)

    def _filter(self, fault: Fault) -> None:
        """What a firewall does that stands for the fault."""
        lose = "drop" if fault.percent == 100 else f"numgen random mod 100000 < {round(fault.percent * 1000)} drop"
        uplinks = "{ " + ", ".join(self.spines) + " }"
        rack = fault.at.split("-")[0]
        if fault.kind == "port":
            protocol, port = fault.other.split("/")
            self._rules(fault.at, {"input": f'iifname != "lo" {protocol} dport {port} drop'})
        elif fault.kind == "block":
            pair = f"ip saddr {self._addresses[fault.at]} ip daddr {self._addresses[fault.other]}"
            self._rules(f"tor-{fault.other.split('-')[0]}", {"forward": f"{pair} ct direction original drop"})
        elif fault.kind == "host":
            # Not on the host itself: there a program would be told that its datagram did not leave.
            self._rules(f"tor-{rack}", {"prerouting": f"iifname {fault.at} {lose}", "postrouting": f"oifname {fault.at} {lose}"})
        elif fault.kind == "uplink" and fault.other == "out":
            self._rules(f"tor-{rack}", {"postrouting": f"oifname {uplinks} {lose}"})
        elif fault.kind == "uplink":
            self._rules(f"tor-{rack}", {"prerouting": f"iifname {uplinks} {lose}"})
        else:
            self._rules(fault.at if fault.kind == "spine" else f"tor-{rack}", {"forward": lose})

    def _rules(self, machine: str, rules: dict[str, str]) -> None:
        chains = (f"chain {hook} {{ type filter hook {hook} priority 0; policy accept; {rule}; }}"
                  for hook, rule in rules.items())
        self._machines[machine].nft(f"table inet fault-{len(self.faults)} {{", *chains, "}")

    def _old_programs(self) -> str:
        directory = Path(self._scratch.name, "old")
        directory.mkdir(exist_ok=True)
        for name in PROGRAMS:
            program = directory / name
            program.write_text(OLD.replace("NAME", name))
            program.chmod(0o755)
        return str(directory)

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
        for machine in self._machines.values():
            machine.close()
        self._machines.clear()
        self._scratch.cleanup()

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _machine(name: str, routes: bool) -> Host:
    """A namespace with settings that differ from the kernel's defaults, or from this machine's.

    ICMP errors are not limited, links have no addresses of their own, and there is no IPv6.
    """
    machine = Host(name)
    own = {f"ipv4__conf__{which}__{setting}": 0 for which in ("all", "default") for setting in ("rp_filter", "arp_ignore")}
    machine.set(ipv4__icmp_ratelimit=0, ipv4__icmp_ratemask=0, ipv4__icmp_msgs_per_sec=100_000, **own)
    if Path("/proc/sys/net/ipv6").exists():
        machine.set(ipv6__conf__default__disable_ipv6=1)
    if routes:
        machine.set(ipv4__ip_forward=1, **BY_PORTS)
    return machine


def _begin(address: str) -> list[str]:
    return ["link set lo up", f"address add {address}/32 dev lo"]
