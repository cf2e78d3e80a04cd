"""The networks of the recipes: boxes around a router, or two ways between two boxes.

    box-a  10.0.0.1 ---- 10.0.0.254 eth0  router  eth1 10.1.2.254 ---- 10.1.2.3  box-b
                                                  eth2 10.1.3.254 ---- 10.1.3.3  box-c
                                                  eth3 10.1.4.254 ---- 10.1.4.3  box-d
"""

from netlab.chain import Fork
from netlab.topology import Network, add

BOXES = {"box-b": "10.1.2", "box-c": "10.1.3", "box-d": "10.1.4"}
NEAR, CLIENT = "10.0.0.254", "10.0.0.1"
SEED = 6  # by which four of the ports 20000 to 20015 go by r4, and no two neighbours


class Star(Network):
    """box-a on one side of the router, the others on the other one, each on a link of its own."""

    def _build(self) -> None:
        self.a, self.r, self.b, self.c, self.d = (self._host(name) for name in "arbcd")
        self.link(self.a, "eth0", self.r, "eth0")
        for number, host in enumerate((self.b, self.c, self.d), 1):
            self.link(host, "eth0", self.r, f"eth{number}")
        self.r.set(ipv4__ip_forward=1)

    def _number(self) -> None:
        add(self.a, "eth0", CLIENT)
        add(self.r, "eth0", NEAR)
        for number, (host, net) in enumerate(zip((self.b, self.c, self.d), BOXES.values()), 1):
            add(host, "eth0", f"{net}.3")
            add(self.r, f"eth{number}", f"{net}.254")
            host.ip(f"route add default via {net}.254")
        self.a.ip(f"route add default via {NEAR}")


class Ways(Fork):
    """Two ways from box-a to box-b: the first router chooses by the ports. A quarter of all flows go by r4.

    It does so by a rule of the firewall, whose choice is the same on every kernel: that of the routes has a seed.
    """

    def _number(self) -> None:
        super()._number()
        quarter = "map { 0 : 0, 1 : 0, 2 : 0, 3 : 1 }"
        choose = f"udp dport 6666 meta mark set jhash ip saddr . udp sport . udp dport mod 4 seed {SEED} {quarter}"
        chain = "chain pre { type filter hook prerouting priority mangle;"
        self.r1.nft("table ip balance_udp {", chain, choose, "}", "}")
        self.r1.ip("rule add pref 21 ipproto udp table 100")
