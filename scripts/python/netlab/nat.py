"""Address translation on the router: it hides the client from the server, or the server from the client."""

import re
from typing import Iterator

from lab.protocol import PORT, REPLIES
from netlab.play import Act, Play, play
from netlab.scene import Scene
from netlab.topology import Plan
from netlab.trial import each, verdict


def plays() -> Iterator[Play]:
    for begin, protocol, plan in each():
        marked = " dscp=0" if protocol == "udp" else ""
        seen = re.escape(plan.endpoint(plan.far, 0)[:-1]) + "[0-9]+"
        yield play(begin, "masquerade", verdict("ok", reply=f"host=\\S+ peer={seen} n=1{marked}"),
                   translated(masquerade(), "--witness"))
        itself = re.escape(plan.endpoint(plan.client, 0)[:-1]) + "[0-9]+"
        yield play(begin, "witness", verdict("ok", reply=f"host=\\S+ peer={itself} n=1{marked}"),
                   lambda scene: scene.start_server("--witness"))
        yield play(begin, "forwarded-port", verdict("ok", reply=REPLIES[protocol]),
                   translated(forwarding(plan)), plan.near)


def translated(rules: tuple[str, ...], *options: str) -> Act:
    def prepare(scene: Scene) -> None:
        scene.r.nft("table inet nat {", *rules, "}")
        scene.start_server(*options)

    return prepare


def masquerade() -> tuple[str, ...]:
    """To the server, what comes from a seems to come from the router."""
    return ("chain post { type nat hook postrouting priority srcnat;", 'oifname "rb" masquerade', "}")


def forwarding(plan: Plan) -> tuple[str, ...]:
    """The router's port leads to the server."""
    family = "ip" if plan.family == 4 else "ip6"
    to = plan.endpoint(plan.server, PORT)
    rule = f"{family} daddr {plan.near} meta l4proto {{ tcp, udp }} th dport {PORT} dnat {family} to {to}"
    return ("chain pre { type nat hook prerouting priority dstnat;", rule, "}")
