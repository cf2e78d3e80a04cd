"""Three hosts in a row: client a, router r, server b, in both families.

    a  10.0.0.1, fd00:a::1 ---- 10.0.0.254, fd00:a::fe  r
    r  10.1.2.254, fd00:b::fe ---- 10.1.2.3 and .4, fd00:b::3 and ::4  b

These settings differ from the kernel's defaults: ICMP errors are not limited, a
neighbour that does not answer is given up after 0.3 s instead of 3 s, and IPv6
addresses are neither checked for duplicates nor taken from advertisements.
"""

from typing import NamedTuple

from lab.harness import until
from lab.hosts import Host

RETRANSMISSION_MS = 100  # after which a neighbour is asked for again, three times in all


class Plan(NamedTuple):
    """The addresses of one family."""

    family: int
    client: str
    near: str  # the router, seen from a
    far: str  # the router, seen from b
    server: str
    second: str  # the server's other address
    nobody: str  # an address on the server's link that nobody has
    nobody_near: str  # such an address on the client's link
    elsewhere: str  # an address to which only a's default route leads
    everything: str

    def endpoint(self, host: str, port: int) -> str:
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


PLANS = {
    4: Plan(4, "10.0.0.1", "10.0.0.254", "10.1.2.254", "10.1.2.3", "10.1.2.4", "10.1.2.77", "10.0.0.77",
            "10.9.9.9", "0.0.0.0/0"),
    6: Plan(6, "fd00:a::1", "fd00:a::fe", "fd00:b::fe", "fd00:b::3", "fd00:b::4", "fd00:b::77", "fd00:a::77",
            "fd00:c::9", "::/0"),
}


class Network:
    """The three hosts, connected and up."""

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self.links: list[tuple[Host, str]] = []
        try:
            self._build()
            self._hasten_neighbours()
            self._number()
            if not until(lambda: all(host.is_up(link) for host, link in self.links)):
                raise RuntimeError("the links do not come up")
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        self.a, self.r, self.b = (self._host(name) for name in "arb")
        self.link(self.a, "a", self.r, "ra")
        self.link(self.r, "rb", self.b, "b")
        self.r.set(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)

    def _host(self, name: str) -> Host:
        host = Host(name)
        self.hosts.append(host)
        host.set(
            ipv4__icmp_ratelimit=0, ipv4__icmp_ratemask=0, ipv4__icmp_msgs_per_sec=100_000, ipv6__icmp__ratelimit=0,
            ipv6__conf__default__accept_dad=0, ipv6__conf__default__accept_ra=0,
        )
        return host

    def link(self, one: Host, link: str, other: Host, peer: str) -> None:
        """Connects two hosts."""
        self.links.extend(((one, link), (other, peer)))
        pair = f"link add name {link} type veth peer name {peer} netns {other.path}"
        one.ip("link set lo up", pair, f"link set dev {link} up")
        other.ip("link set lo up", f"link set dev {peer} up")

    def _hasten_neighbours(self) -> None:
        for host, link in self.links:
            host.set(**{f"{family}__neigh__{link}__retrans_time_ms": RETRANSMISSION_MS for family in ("ipv4", "ipv6")})

    def _number(self) -> None:
        four, six = PLANS[4], PLANS[6]
        add(self.a, "a", four.client, six.client)
        add(self.r, "ra", four.near, six.near)
        add(self.r, "rb", four.far, six.far)
        add(self.b, "b", four.server, six.server, four.second, six.second)
        self.a.ip(f"route add default via {four.near}", f"route add default via {six.near}")
        self.b.ip(f"route add default via {four.far}", f"route add default via {six.far}")

    def close(self) -> None:
        for host in self.hosts:
            host.close()


def add(host: Host, link: str, *addresses: str) -> None:
    """Adds static addresses. Without duplicate address detection, which would take a second."""
    host.ip(*(f"address add {address}/64 dev {link} nodad" if ":" in address else
              f"address add {address}/24 dev {link}" for address in addresses))
