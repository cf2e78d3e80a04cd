"""Firewalls on the router, on the server, and on the client itself."""

from typing import Iterator

from lab.protocol import PORT, REPLIES
from netlab.play import Act, Play, play
from netlab.scene import Scene
from netlab.topology import Plan
from netlab.trial import SILENCE, each, verdict

# As nft calls them: ICMP types 3 (RFC 792, RFC 1812 section 5.2.7.1) and
# ICMPv6 type 1 (RFC 4443 section 3.1).
REJECTIONS = {
    4: ("port-unreachable", "host-unreachable", "net-unreachable", "admin-prohibited", "host-prohibited",
        "net-prohibited", "prot-unreachable"),
    6: ("port-unreachable", "addr-unreachable", "no-route", "admin-prohibited", "policy-fail", "reject-route"),
}
FIRST_SYN_MS = 900  # Linux sends the second one after a second, RFC 6298 section 2.1


def plays() -> Iterator[Play]:
    for begin, protocol, plan in each():
        yield from of_silence(begin, protocol, plan)
        yield from of_rejection(begin, plan)
        yield from of_the_client(begin, protocol, plan)
    for begin, _, plan in each("tcp"):
        yield from of_connections(begin, plan)


def to_server(rule: str) -> str:
    return f"meta l4proto {{ tcp, udp }} th dport {PORT} {rule}"


def from_server(rule: str) -> str:
    return f"meta l4proto {{ tcp, udp }} th sport {PORT} {rule}"


def reject(plan: Plan, kind: str) -> str:
    return f"reject with {'icmp' if plan.family == 4 else 'icmpv6'} type {kind}"


def on(host: str, hook: str, *rules: str) -> Act:
    """Rules on a host, and no server."""
    return lambda scene: scene.filter(getattr(scene, host), hook, *rules)


def served(host: str, hook: str, *rules: str, before: str = "") -> Act:
    """Rules on a host, and a server that replies."""

    def prepare(scene: Scene) -> None:
        scene.filter(getattr(scene, host), hook, *rules, before=before)
        scene.serve_reply(REPLIES[scene.protocol])

    return prepare


def of_silence(begin: str, protocol: str, plan: Plan) -> Iterator[Play]:
    """Datagrams and segments that are dropped on the way there or back; and the control, which is let through."""

    def accept(scene: Scene) -> None:
        scene.filter(scene.b, "input", to_server("accept"), "meta l4proto { tcp, udp } drop")
        scene.start_server()

    silence = verdict(SILENCE[protocol])
    yield play(begin, "accept", verdict("ok", reply=REPLIES[protocol]), accept)
    yield play(begin, "drop-on-router", silence, served("r", "forward", to_server("drop")))
    yield play(begin, "drop-on-server", silence, served("b", "input", to_server("drop")))
    yield play(begin, "drop-replies", silence, served("r", "forward", from_server("drop")))


def of_rejection(begin: str, plan: Plan) -> Iterator[Play]:
    """Each ICMP error from the router, and some from the server. The client names who sent it."""
    for kind in REJECTIONS[plan.family]:
        word = "refused" if kind == "port-unreachable" else "unreachable"
        yield play(begin, f"reject-{kind}", verdict(word, router=(plan.near,)),
                   on("r", "forward", to_server(reject(plan, kind))))
        if kind in ("port-unreachable", "admin-prohibited"):
            yield play(begin, f"server-{kind}", verdict(word, router=(plan.server,)),
                       on("b", "input", to_server(reject(plan, kind))))


def of_the_client(begin: str, protocol: str, plan: Plan) -> Iterator[Play]:
    """The client's own firewall. On a drop, UDP's send fails with EPERM, and TCP learns nothing."""
    own = (plan.client, None)
    yield play(begin, "own-drop", verdict("local" if protocol == "udp" else "timeout"),
               on("a", "output", to_server("drop")))
    # This machine sends the ICMP error to itself. UDP's send fails, too.
    words = ("local", "refused") if protocol == "udp" else ("refused",)
    yield play(begin, "own-reject", verdict(*words, router=own), on("a", "output", to_server("reject")))


def of_connections(begin: str, plan: Plan) -> Iterator[Play]:
    """What only TCP can meet: resets, and connections that fail after they stood."""
    reset, data = "reject with tcp reset", f"tcp flags & psh != 0 tcp dport {PORT}"
    yield play(begin, "reset-by-router", verdict("refused"), on("r", "forward", f"tcp dport {PORT} {reset}"))
    yield play(begin, "reset-by-server", verdict("refused"), on("b", "input", f"tcp dport {PORT} {reset}"))
    yield play(begin, "message-reset", verdict("reset"), served("r", "forward", f"{data} {reset}"))
    yield play(begin, "message-dropped", verdict("no-reply"), served("r", "forward", f"{data} drop"))
    # An ICMP error does not end a connection that stands: the client sends the message again. The
    # error to the first segment comes within the send call, where it ends nothing anyway.
    kind = "host-unreachable" if plan.family == 4 else "addr-unreachable"
    yield play(begin, "message-rejected", verdict("no-reply"), served("r", "forward", f"{data} {reject(plan, kind)}"))
    yield play(begin, "message-rejected-twice", verdict("ok", reply=REPLIES["tcp"]),
               served("r", "forward", f"{data} numgen inc mod 1000 < 2 {reject(plan, kind)}"), timeout="3s")
    yield play(begin, "reply-dropped", verdict("no-reply"),
               served("r", "forward", f"tcp flags & (fin|psh) != 0 tcp sport {PORT} drop"))
    first = f"tcp dport {PORT} tcp flags & (syn|ack) == syn numgen inc mod 2 == 0 drop"
    yield play(begin, "first-syn-dropped", verdict("ok", reply=REPLIES["tcp"], longer_than_ms=FIRST_SYN_MS),
               served("r", "forward", first), timeout="3s")
    # The error to the second SYN comes while the client is not in connect(2), as
    # over a real network. The answer to the first one would come within the call,
    # because veth delivers at once.
    yield play(begin, "second-syn-rejected", verdict("unreachable", router=(plan.near,)),
               on("r", "forward", first, to_server(reject(plan, kind))), timeout="3s")
