"""Whose silence it is: the program's, that of a path, or that of a path that swallows what is large.

The largest segment has to be the exact one: what the link takes, less the headers.
"""

import select
import socket
from typing import Iterator

from lab import harness
from lab.peers import PATIENCE, read_all
from lab.protocol import PORT, REPLIES
from netlab import judge, services
from netlab.firewall import served
from netlab.play import Act, Play, play
from netlab.routes import LONG, NARROW, narrow
from netlab.scene import Scene
from netlab.topology import Plan
from netlab.trial import Expected, each, verdict

HEADERS = {4: 20, 6: 40}  # bytes: RFC 791, RFC 8200
TCP = 32  # bytes of TCP's header, with timestamps
ETHERNET = 1500  # bytes that a link takes unless it is made narrow
IN_TIME = r"within 500ms"
BEFORE_DEFRAGMENTATION = -450  # linux/netfilter_ipv4.h: connection tracking puts fragments together at -400
TOO_BIG = {4: "icmp type destination-unreachable", 6: "icmpv6 type packet-too-big"}


def plays() -> Iterator[Play]:
    for begin, _, plan in each("tcp"):
        yield from of_programs(begin)
        yield from of_paths(begin, plan)
        yield from of_large_segments(begin, plan)
    for begin, _, plan in each("udp"):
        yield from of_large_datagrams(begin, plan)


def segment(plan: Plan, mtu: int) -> int:
    """How many bytes of a message a segment has at most on a link."""
    return mtu - HEADERS[plan.family] - TCP


def of_programs(begin: str) -> Iterator[Play]:
    """The target's system takes the message, and its program says nothing."""
    had = f"connected, its system acknowledged the message, then nothing {IN_TIME}"
    silent = verdict("no-reply", cause="silent-program", reason=had)
    yield play(begin, "silent-program", silent, serve(services.says_nothing))
    yield play(begin, "silent-not-accepting", silent, listens_only)
    part = f"connected, its system took a part of the message, and had no room for more, then nothing {IN_TIME}"
    full = verdict("no-reply", cause="silent-program", reason=part)
    yield play(begin, "silent-not-reading", full, serve(reads_nothing), options=("--size", "16000000"))


def of_paths(begin: str, plan: Plan) -> Iterator[Play]:
    """The message, or each acknowledgement of it, is dropped; or the whole reply."""
    data = f"tcp flags & psh != 0 tcp dport {PORT} drop"
    lost = (rf"connected, and then the message was not acknowledged {IN_TIME}, "
            r"in spite of (a|\d+) retransmissions?")
    unacknowledged = verdict("no-reply", cause="unacknowledged", reason=lost)
    yield play(begin, "silent-message-dropped", unacknowledged, served("r", "forward", data))
    no_acks = f"tcp sport {PORT} tcp flags & syn == 0 drop"
    yield play(begin, "silent-acks-dropped", unacknowledged, served("r", "forward", no_acks))
    # Nothing tells this from a program that says nothing.
    yield play(begin, "silent-reply-dropped", verdict("no-reply", cause="silent-program"),
               served("r", "forward", f"tcp sport {PORT} tcp flags & (fin|psh) != 0 drop"))
    dead = verdict("no-reply", cause="unacknowledged",
                   reason=rf"connected, and then 3 segments of up to {segment(plan, ETHERNET)} bytes were not "
                          rf"acknowledged {IN_TIME}, in spite of (a|\d+) retransmissions?")
    yield play(begin, "silent-dead-path", dead,
               served("r", "forward", f"tcp dport {PORT} meta length > 100 drop"), message=LONG)


def waits(scene: Scene) -> None:
    target = scene.plan.endpoint(scene.trial.target, PORT)
    words = (target, "--message", scene.trial.message, "--timeout", "1s", "--wait", "--deadline", "15s")
    with scene.a.entered():
        ended = harness.run([scene.case.path("tcp-client"), *words], scene.case.scratch)
    lines = ended.errors.decode().splitlines()
    is_once = len(lines) == 2 and lines[0].endswith("; trying again") and ": no-reply (mtu: " in lines[-1]
    scene.case.check(is_once and ended.status == 124, f"exit status {ended.status}: {lines}")
    scene.came = "once"


def of_large_segments(begin: str, plan: Plan) -> Iterator[Play]:
    """A link that full segments do not fit through, and a router that may not say so."""
    largest = segment(plan, NARROW)
    there = f"connected, and then segments of {largest + 1} bytes vanish on the way there, those of {largest} pass"
    yield play(begin, "mtu-black-hole", vanishes(there, largest), black_hole, message=LONG)
    # With --wait a line says so once, however often the segments of each attempt were sent.
    yield play(begin, "mtu-black-hole-wait", verdict("no-reply"), black_hole, message=LONG, run=waits)
    yield play(begin, "mtu-black-hole-harmless", vanishes(there, largest), swallow_there, message=LONG,
               run=leaves_programs_alone)
    # A message that fits into a segment, and that into no packet of the link.
    yield play(begin, "mtu-black-hole-short", vanishes(there, largest), black_hole, message="x" * (largest + 60))
    back = (f"connected, and then the reply vanishes on its way back in segments of up to {largest + 1} bytes, "
            f"and comes in those of up to {largest}")
    yield play(begin, "mtu-black-hole-back", vanishes(back, largest), black_hole_back(replies_and_closes))
    # No later part of it comes: only whoever asks for it has the message sent again.
    hidden = black_hole_back(replies_and_waits)
    yield play(begin, "mtu-black-hole-silent", verdict("no-reply", cause="silent-program"), hidden)
    yield play(begin, "mtu-black-hole-traced", vanishes(back, largest), hidden, options=("--trace",), timeout="1s")
    # A path that drops three of four large segments: the size is not it.
    most = f"tcp dport {PORT} meta length > 1000 numgen inc mod 4 != 3 drop"
    yield play(begin, "mtu-lossy", verdict("no-reply", "ok", reply=".*"), served("r", "forward", most), message=LONG,
               run=probe_once)


def of_large_datagrams(begin: str, plan: Plan) -> Iterator[Play]:
    """A narrow link whose router says so, and fragments that get through or do not; and one that is silent."""
    size, silence = ("--size", "1400"), "nothing came back within 500ms"
    answered = verdict("ok", reply=REPLIES["udp"], mtu=NARROW)
    yield play(begin, "mtu-narrow", answered, narrow, options=size)
    drop = {4: "ip frag-off & 0x3fff != 0 drop", 6: "exthdr frag exists drop"}[plan.family]

    def drop_fragments(scene: Scene) -> None:
        narrow(scene)
        scene.filter(scene.b, "prerouting", drop, priority=BEFORE_DEFRAGMENTATION)

    reason = f"{silence}; {plan.near} says that a link takes {NARROW} bytes at most, and it was sent again in fragments"
    yield play(begin, "mtu-fragments-dropped", verdict("no-reply", cause="mtu", reason=reason, mtu=NARROW),
               drop_fragments, options=size)
    # Nobody says so, and nobody can know.
    yield play(begin, "mtu-black-hole", verdict("no-reply", cause=None, reason=silence), black_hole, options=size)
    yield play(begin, "mtu-small", verdict("ok", reply=REPLIES["udp"]), black_hole)


def probe_once(scene: Scene) -> None:
    """Probes without --expect alone: the next probe may come out otherwise."""
    scene.came = judge.check_probe(scene, scene.probe(), scene.trial.expected).text


def vanishes(reason: str, largest: int) -> Expected:
    return verdict("no-reply", cause="mtu", reason=reason, largest_segment=largest)


def serve(behave: services.Behaviour) -> Act:
    return lambda scene: scene.serve(services.tcp(scene.b, scene.plan.server, behave))


def listens_only(scene: Scene) -> None:
    """A program that listens, and does not accept."""
    listener = services.open_socket(scene.b, socket.SOCK_STREAM, scene.plan.server, PORT)
    scene.serve(services.Service([], lambda _, __: None)).sockets.append(listener)


def reads_nothing(connection: socket.socket) -> None:
    """Until the peer has gone."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    poll.poll(PATIENCE * 1000)


def replies_and_closes(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.sendall(LONG.encode())


def replies_and_waits(connection: socket.socket) -> None:
    """Replies by one segment, and nothing after it, not even an end."""
    connection.recv(1024)
    connection.sendall(b"x" * 1300)
    read_all(connection)


def swallow(scene: Scene, link: str) -> None:
    """The router's link takes no more than that, and the router does not say so."""
    scene.r.ip(f"link set dev {link} mtu {NARROW}")
    scene.filter(scene.r, "output", f"{TOO_BIG[scene.plan.family]} drop")


def swallow_there(scene: Scene) -> None:
    swallow(scene, "rb")


def black_hole(scene: Scene) -> None:
    swallow_there(scene)
    scene.start_server()


class Seen:
    """What a program has read of each connection, and whether the connection was reset."""

    def __init__(self) -> None:
        self.connections: list[tuple[int, bool]] = []

    def __call__(self, connection: socket.socket) -> None:
        was_reset, count = False, 0
        try:
            while piece := connection.recv(65_536):
                count += len(piece)
        except ConnectionResetError:
            was_reset = True
        self.connections.append((count, was_reset))


def leaves_programs_alone(scene: Scene) -> None:
    """No program gets more than a segment of the message by the search, or takes what it gets for the message."""
    seen = Seen()
    with services.tcp(scene.b, scene.plan.server, seen):
        probe_once(scene)
    most, tries = max(count for count, _ in seen.connections), len(seen.connections)
    scene.case.check(most <= segment(scene.plan, ETHERNET), f"a program got {most} bytes of the message")
    scene.case.check(all(was_reset for _, was_reset in seen.connections), f"not reset: {seen.connections}")
    scene.case.check(5 < tries < 15, f"{tries} connections")


def black_hole_back(behave: services.Behaviour) -> Act:
    def prepare(scene: Scene) -> None:
        swallow(scene, "ra")
        serve(behave)(scene)

    return prepare
