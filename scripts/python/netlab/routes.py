"""Routes and neighbours: there is no way there, nobody is there, or there is no way back."""

from typing import Iterator

from lab.protocol import REPLIES
from netlab.play import Act, Play, nothing, play
from netlab.scene import Scene
from netlab.topology import Plan
from netlab.trial import SILENCE, each, verdict

NARROW = 1280  # bytes, the least that IPv6 allows
LONG = "x" * 4000  # more bytes than fit into a segment


def plays() -> Iterator[Play]:
    for begin, protocol, plan in each():
        yield from on_the_router(begin, protocol, plan)
        yield from of_neighbours(begin, plan)
        yield from on_the_client(begin, plan)
        yield play(begin, "no-way-back", verdict(SILENCE[protocol]), no_way_back)
    for begin, _, _ in each("tcp"):
        yield from of_a_narrow_link(begin)


def route(host: str, *words: str) -> Act:
    return lambda scene: getattr(scene, host).ip(*words)


def on_the_router(begin: str, protocol: str, plan: Plan) -> Iterator[Play]:
    by_router = verdict("unreachable", router=(plan.near,))
    # Nobody listens: the server's machine answers TCP with a reset, and UDP with an ICMP error.
    closed = verdict("refused", router=(plan.server,) if protocol == "udp" else (None,))
    yield play(begin, "closed-port", closed, nothing)
    yield play(begin, "blackhole", verdict(SILENCE[protocol]), route("r", f"route add blackhole {plan.server}"))
    for kind in ("unreachable", "prohibit"):
        yield play(begin, f"route-{kind}", by_router, route("r", f"route add {kind} {plan.server}"))
    yield play(begin, "no-route-on-router", by_router, nothing, plan.elsewhere)
    # The time to live may end on r or on b, which may answer from any of its addresses there.
    ends = (plan.server, plan.second, plan.far, plan.near)
    yield play(begin, "routing-loop", verdict("unreachable", router=ends), routing_loop, plan.elsewhere)


def routing_loop(scene: Scene) -> None:
    """r sends a packet on to b, and b sends it back, until its time to live ends."""
    scene.r.ip(f"route add {scene.plan.elsewhere} via {scene.plan.server} dev rb")
    scene.b.set(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)


def of_neighbours(begin: str, plan: Plan) -> Iterator[Play]:
    """Nobody has the address. The last router says so; on its own link, the client itself does."""
    yield play(begin, "nobody", verdict("unreachable", router=(plan.near,)), nothing, plan.nobody, timeout="3s")
    own = verdict("unreachable", router=(None, plan.client))
    yield play(begin, "nobody-near", own, nothing, plan.nobody_near, timeout="3s")


def on_the_client(begin: str, plan: Plan) -> Iterator[Play]:
    """Nothing leaves the client, and so no router answers."""
    unreachable = verdict("unreachable")
    yield play(begin, "no-route", unreachable, route("a", f"route del default via {plan.near}"))
    for kind in ("unreachable", "prohibit"):
        yield play(begin, f"own-route-{kind}", unreachable, route("a", f"route add {kind} {plan.server}"))


def of_a_narrow_link(begin: str) -> Iterator[Play]:
    """A link that whole segments do not fit through.

    TCP makes segments smaller when the router says so: RFC 1191 and RFC 8201. This
    ICMP error is no failure. Of one that a firewall drops, silence has more.
    """
    yield play(begin, "narrow-link", verdict("ok", reply=REPLIES["tcp"]), narrow, message=LONG, timeout="3s")


def narrow(scene: Scene) -> None:
    scene.r.ip(f"link set dev rb mtu {NARROW}")
    scene.start_server()


def no_way_back(scene: Scene) -> None:
    scene.b.ip(f"route del default via {scene.plan.far}")
    scene.serve_reply(REPLIES[scene.protocol])
