"""Longer ways: three routers in a row between client a and server b, or two in parallel in the middle.

    a  10.0.0.1 ---- .254  r1  10.2.1.1 ---- .2  r2  10.2.2.1 ---- .2  r3  10.1.2.254 ---- 10.1.2.3  b
                           r1  10.2.3.1 ---- .2  r4  10.2.4.1 ---- .2  r3     (only of a fork)

The ends are those of the topology of three hosts, and so are the settings. Over IPv6 10.0.0, 10.1.2 and 10.2.N are
fd00:a::, fd00:b:: and fd00:2:N::.
"""

from lab.hosts import Host
from netlab.topology import PLANS, Network, add

# The routers as a sees them, in order: each answers from its address on the side of a.
ROUTERS = {4: ("10.0.0.254", "10.2.1.2", "10.2.2.2"), 6: ("fd00:a::fe", "fd00:2:1::2", "fd00:2:2::2")}
OTHER = {4: "10.2.3.2", 6: "fd00:2:3::2"}  # r4


class Chain(Network):
    """a, r1, r2, r3 and b, connected and up. `r` is r1."""

    names = "a r1 r2 r3 b"

    def _build(self) -> None:
        self.a, self.r1, self.r2, self.r3, self.b = (self._host(name) for name in self.names.split())
        self.r = self.r1
        self.link(self.a, "a", self.r1, "ra")
        self.link(self.r1, "r12", self.r2, "r21")
        self.link(self.r2, "r23", self.r3, "r32")
        self.link(self.r3, "rb", self.b, "b")
        for router in (self.r1, self.r2, self.r3):
            router.set(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)

    def _number(self) -> None:
        four, six = PLANS[4], PLANS[6]
        add(self.a, "a", four.client, six.client)
        add(self.r1, "ra", four.near, six.near)
        self._between(self.r1, "r12", self.r2, "r21", 1)
        self._between(self.r2, "r23", self.r3, "r32", 2)
        add(self.r3, "rb", four.far, six.far)
        add(self.b, "b", four.server, six.server, four.second, six.second)
        self.a.ip(f"route add default via {four.near}", f"route add default via {six.near}")
        self.b.ip(f"route add default via {four.far}", f"route add default via {six.far}")
        self.r1.ip("route add 10.1.2.0/24 via 10.2.1.2", "route add fd00:b::/64 via fd00:2:1::2")
        self.r2.ip("route add 10.1.2.0/24 via 10.2.2.2", "route add fd00:b::/64 via fd00:2:2::2")
        self.r2.ip("route add 10.0.0.0/24 via 10.2.1.1", "route add fd00:a::/64 via fd00:2:1::1")
        self.r3.ip("route add 10.0.0.0/24 via 10.2.2.1", "route add fd00:a::/64 via fd00:2:2::1")
        # What r1 translates comes back, too.
        self.r3.ip("route add 10.2.1.0/24 via 10.2.2.1", "route add fd00:2:1::/64 via fd00:2:2::1")

    @staticmethod
    def _between(one: Host, link: str, other: Host, peer: str, net: int) -> None:
        add(one, link, f"10.2.{net}.1", f"fd00:2:{net}::1")
        add(other, peer, f"10.2.{net}.2", f"fd00:2:{net}::2")


class Fork(Chain):
    """The same, with r4 beside r2. r1 chooses by addresses and ports; everything comes back by r2.

    Of a TCP segment that comes from another namespace by veth the kernel knows the sending socket's hash, which is
    random, and balances by that. So segments are balanced by a rule of the firewall.
    """

    def _build(self) -> None:
        super()._build()
        self.r4 = self._host("r4")
        self.r4.set(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        self.link(self.r1, "r14", self.r4, "r41")
        self.link(self.r4, "r43", self.r3, "r34")

    def _number(self) -> None:
        super()._number()
        self._between(self.r1, "r14", self.r4, "r41", 3)
        self._between(self.r4, "r43", self.r3, "r34", 4)
        self.r4.ip("route add 10.1.2.0/24 via 10.2.4.2", "route add fd00:b::/64 via fd00:2:4::2")
        self.r4.ip("route add 10.0.0.0/24 via 10.2.3.1", "route add fd00:a::/64 via fd00:2:3::1")
        self.r1.set(ipv4__fib_multipath_hash_policy=1, ipv6__fib_multipath_hash_policy=1)
        self.r1.ip("route replace 10.1.2.0/24 nexthop via 10.2.1.2 nexthop via 10.2.3.2",
                   "route del fd00:b::/64",
                   "route add fd00:b::/64 nexthop via fd00:2:1::2 nexthop via fd00:2:3::2")
        for family, target, nexthop in (("ip", "10.1.2.0/24", "10.2.3.2"), ("ip6", "fd00:b::/64", "fd00:2:3::2")):
            choose = f"meta l4proto tcp meta mark set jhash {family} saddr . tcp sport . tcp dport mod 2 seed 7"
            chain = "chain pre { type filter hook prerouting priority mangle;"
            self.r1.nft(f"table {family} balance {{", chain, choose, "}", "}")
            rules = self.r1.ip if family == "ip" else self.r1.ip6
            first = "10.2.1.2" if family == "ip" else "fd00:2:1::2"
            rules(f"route add {target} via {nexthop} table 101", f"route add {target} via {first} table 100",
                  "rule add pref 10 fwmark 1 table 101", "rule add pref 20 ipproto tcp table 100")
        for host, link in ((self.r3, "r34"), (self.r4, "r43")):
            host.set(ipv4__conf__all__rp_filter=0, **{f"ipv4__conf__{link}__rp_filter": 0})
