"""Servers that answer, or not, in every way; and failures on the client's own machine."""

import socket
from typing import Callable, Iterator

from lab.harness import Address
from lab.protocol import PORT, REPLIES
from netlab import services
from netlab.play import Act, Play, nothing, play
from netlab.scene import Scene
from netlab.services import Datagram, Service
from netlab.topology import Plan
from netlab.trial import Expected, each, verdict

OTHER = "NOPE"  # what none of our servers replies
LATE = 0.6  # seconds, which is after the client's timeout of 500 ms


def plays() -> Iterator[Play]:
    for begin, protocol, plan in each():
        yield from of_replies(begin, protocol, plan)
        yield from of_this_machine(begin, protocol, plan)
    for begin, _, _ in each("tcp"):
        yield from of_connections(begin)
    for begin, _, plan in each("udp"):
        yield from of_sources(begin, plan)


def tcp(behave: Callable[[socket.socket], None]) -> Act:
    return lambda scene: scene.serve(services.tcp(scene.b, scene.plan.server, behave))


def udp(behave: Callable[[Service, Datagram], None], *others: Address) -> Act:
    return lambda scene: scene.serve(services.udp(scene.b, [(scene.plan.server, PORT), *others], behave))


def reply(text: str, after: float = 0.0) -> Act:
    return lambda scene: scene.serve_reply(text, after)


def of_replies(begin: str, protocol: str, plan: Plan) -> Iterator[Play]:
    """No reply, a late one, the right one, and another one."""
    silent = tcp(services.says_nothing) if protocol == "tcp" else udp(services.ignores)
    wanted = ("--expect-reply", REPLIES[protocol])
    yield play(begin, "silent", verdict("no-reply"), silent)
    yield play(begin, "late", verdict("no-reply"), reply(REPLIES[protocol], after=LATE))
    yield play(begin, "any-reply", verdict("ok", reply=OTHER), reply(OTHER))
    yield play(begin, "right-reply", verdict("ok", reply=REPLIES[protocol]), reply(REPLIES[protocol]),
               options=wanted)
    yield play(begin, "wrong-reply", verdict("wrong-reply", reply=OTHER), reply(OTHER), options=wanted)
    yield play(begin, "second-address", verdict("ok", reply=REPLIES[protocol]),
               lambda scene: scene.start_server(address="::" if plan.family == 6 else "0.0.0.0"), plan.second)


def of_connections(begin: str) -> Iterator[Play]:
    """A server that ends the connection instead of answering."""
    yield play(begin, "closes", verdict("no-reply"), tcp(services.closes))
    yield play(begin, "half-closes", verdict("no-reply"), tcp(services.half_closes))
    yield play(begin, "closes-unread", verdict("reset"), tcp(services.leaves_unread))
    yield play(begin, "resets", verdict("reset"), tcp(services.resets))


def of_sources(begin: str, plan: Plan) -> Iterator[Play]:
    """A reply from another address or port does not count, however right it looks."""
    for name, other in (("address", (plan.second, PORT)), ("port", (plan.server, PORT + 1))):
        wrong = Expected(("wrong-source",), sender=plan.endpoint(*other))
        yield play(begin, f"other-{name}", wrong, udp(services.answers(REPLIES["udp"], 1), other))
        yield play(begin, f"other-{name}-first", verdict("ok", reply=REPLIES["udp"]),
                   udp(services.answers(REPLIES["udp"], 1, 0), other))


def of_this_machine(begin: str, protocol: str, plan: Plan) -> Iterator[Play]:
    """A source address that this machine does not have, and a source port that is taken."""

    def take_port(scene: Scene) -> None:
        if protocol == "tcp":
            scene.serve(services.tcp(scene.a, plan.client, services.closes))
        else:
            scene.serve(services.udp(scene.a, [(plan.client, PORT)], services.ignores))

    local = verdict("local")
    yield play(begin, "not-our-address", local, nothing, options=("--source", plan.nobody_near))
    yield play(begin, "port-taken", local, take_port,
               options=("--source", plan.client, "--source-port", str(PORT)))
