"""How what is sent leaves the client: by which of two links (--interface), and marked with what (--dscp)."""

import json
import re
from typing import Any, Iterator

from lab.harness import Ended
from lab.hosts import Host
from lab.protocol import PORT
from netlab.play import Act, Play, play
from netlab.run import measure
from netlab.scene import Scene
from netlab.topology import RETRANSMISSION_MS, Network, add
from netlab.trial import SILENCE, each, verdict

SECOND = {4: ("10.0.5.1", "10.0.5.254"), 6: ("fd00:d::1", "fd00:d::fe")}  # the second link's ends, of a and of r
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
VRF = "blue"
MARK = 46  # EF
TABLE = 10  # the VRF's own routes


def plays() -> Iterator[Play]:
    for begin, protocol, _ in each():
        yield play(begin, "interface", verdict("ok", SILENCE[protocol]), two_links(dead="ra"), run=by_the_second)
        yield play(begin, "interface-missing", verdict("local"), serve, run=missing)
        yield play(begin, "interface-vrf", verdict("ok"), serve, run=by_vrf)
    for begin, _, plan in each("udp"):
        there, back = f"udp dport {PORT}", f"udp sport {PORT}"
        family = "ip" if plan.family == 4 else "ip6"
        for name, rules, seen, reply in (
                ("kept", (), MARK, MARK), ("there", (f"{there} {family} dscp set cs0",), 0, 0),
                ("back", (f"{back} {family} dscp set cs1",), MARK, 8),
                ("both", (f"{there} {family} dscp set af11", f"{back} {family} dscp set cs0"), 10, 0)):
            yield play(begin, f"dscp-{name}", verdict("ok"), rewrites(*rules), run=marked(seen, reply))
        yield play(begin, "dscp-plain", verdict("ok"), plain_server, run=marked(None, 0))
    for begin, _, plan in each("tcp"):
        yield play(begin, "dscp", verdict("ok"), counts_marked(plan.family), run=marked_segments)


def serve(scene: Scene) -> None:
    scene.start_server("--witness")


def two_links(dead: str = "") -> Act:
    """A second link from a to r, which a's routes prefer less. The router drops all that comes by the link `dead`."""

    def prepare(scene: Scene) -> None:
        serve(scene)
        connect(scene)
        near = SECOND[scene.plan.family][1]
        scene.a.ip(f"route add default via {near} dev a2 metric 9999")
        scene.filter(scene.r, "forward", f'iifname "{dead}" drop')

    return prepare


def connect(scene: Scene) -> None:
    """Two more ends of a link, with addresses; up."""
    network: Network = scene.network
    network.link(scene.a, "a2", scene.r, "ra2")
    own, near = SECOND[scene.plan.family]
    for host, link, address in ((scene.a, "a2", own), (scene.r, "ra2", near)):
        quick(host, link)
        add(host, link, address)


def quick(host: Host, link: str) -> None:
    host.set(**{f"{family}__neigh__{link}__retrans_time_ms": RETRANSMISSION_MS for family in ("ipv4", "ipv6")})


def said(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.output)
    return found


def check_seen(scene: Scene, ended: Ended, address: str) -> None:
    """The server was reached, and has seen this address, which the client names as its own."""
    check, found = scene.case.check, said(ended)
    check(ended.status == 0 and found["verdict"] == "ok", f"{ended}")
    seen = re.escape(scene.plan.endpoint(address, 0)[:-1]) + "[0-9]+"
    check(re.search(f" peer={seen} ", found["reply"] or ""), f"seen: {found['reply']}")
    check(re.fullmatch(seen, found["local"] or ""), f"local {found['local']}")


def by_the_second(scene: Scene) -> None:
    """The default route leads by the link that is dead. By the other one the server is reached, as any user."""
    own = SECOND[scene.plan.family][0]
    plain = said(scene.probe())
    scene.case.check(plain["verdict"] == SILENCE[scene.protocol], f"by the dead link: {plain['verdict']}")
    dead = said(scene.probe("--interface", "a"))
    scene.case.check(dead["verdict"] == SILENCE[scene.protocol], f"by the dead link, as asked: {dead['verdict']}")
    for wrapper in ((), NOBODY):
        check_seen(scene, scene.probe("--interface", "a2", timeout="2s", wrapper=wrapper), own)
        check_seen(scene, scene.probe("--interface", "a2", "--source", own, timeout="2s", wrapper=wrapper), own)
    scene.filter(scene.r, "input", before="chain late { type filter hook forward priority 1; iifname ra2 drop; }")
    silent = said(scene.probe("--interface", "a2"))
    began = str(silent["local"]).startswith(scene.plan.endpoint(own, 0)[:-1])
    scene.case.check(silent["verdict"] == SILENCE[scene.protocol] and began, f"in silence: {silent}")
    scene.came = f"{plain['verdict']}, ok by a2"


def missing(scene: Scene) -> None:
    ended = scene.probe("--interface", "nosuch")
    check, found = scene.case.check, said(ended)
    check((ended.status, found["verdict"]) == (2, "local"), f"{ended}")
    check("interface nosuch: no such device" in found["reason"], f"reason {found['reason']}")
    check(said(scene.probe("--interface", "a"))["verdict"] == "ok", "the interface that there is does not work")
    scene.came = f"{found['verdict']}"


def by_vrf(scene: Scene) -> None:
    """The second link belongs to a VRF, which alone has a way to the server."""
    plan, (own, near) = scene.plan, SECOND[scene.plan.family]
    try:
        scene.a.ip(f"link add name {VRF} type vrf table {TABLE}", f"link set dev {VRF} up")
    except RuntimeError as error:
        scene.came = "SKIPPED: this kernel has no VRF"
        print(f"skipped: {scene.trial.name}: {error}", flush=True)
        return
    network: Network = scene.network
    network.link(scene.a, "a2", scene.r, "ra2")
    scene.a.ip(f"link set dev a2 master {VRF}")
    for host, link, address in ((scene.a, "a2", own), (scene.r, "ra2", near)):
        quick(host, link)
        add(host, link, address)
    scene.a.ip(f"route add default via {near} dev a2 table {TABLE}", f"route del default via {plan.near}")
    plain = said(scene.probe())
    scene.case.check(plain["verdict"] == "unreachable", f"outside the VRF: {plain['verdict']}")
    for options in ((), ("--source", own)):
        check_seen(scene, scene.probe("--interface", VRF, *options, timeout="2s"), own)
    scene.came = "ok by the VRF"


def rewrites(*rules: str) -> Act:
    """A witness; and a router that rewrites the DSCP."""

    def prepare(scene: Scene) -> None:
        serve(scene)
        if rules:
            scene.filter(scene.r, "forward", *rules)

    return prepare


def plain_server(scene: Scene) -> None:
    scene.start_server()


def marked(seen: int | None, reply: int) -> Act:
    """The client says with which DSCP a probe came, and with which the reply did; in words only where that differs."""

    def run(scene: Scene) -> None:
        check, want = scene.case.check, {"dscp_sent": MARK, "dscp_seen": seen, "dscp_reply": reply}
        there = f"the path rewrites DSCP {MARK} to {seen} on the way there" if seen not in (MARK, None) else ""
        back = f"the path rewrites DSCP {seen} to {reply} on the way back" if seen not in (reply, None) else ""
        one = scene.probe("--dscp", "EF")
        found = said(one)
        scene.came = f"seen {found['dscp_seen']}, reply {found['dscp_reply']}"
        check({name: found[name] for name in want} == want, f"{scene.came}, not {want}")
        check([line.split(": ")[-1] for line in one.errors.decode().splitlines()] == [w for w in (there, back) if w],
              f"standard error: {one.errors!r}")
        unmarked = said(scene.probe())
        check([unmarked[name] for name in want] == [None] * 3, f"without --dscp: {unmarked}")
        probes = measure(scene, 5, "--interval", "20ms", "--dscp", str(MARK)).probes
        check(all(probe[name] == want[name] for probe in probes for name in want), f"in a run: {probes}")
        text = scene.start_run(5, "--interval", "20ms", "--dscp", str(MARK)).end().output.decode()
        for words in ("there", "back"):
            line = there if words == "there" else back
            check(("on the way " + words in text) == bool(line), f"the summary: {text}")
            check(not line or f"For 5 of 5 probes {line}.\n" in text, f"the summary: {text}")

    return run


def counts_marked(family: int) -> Act:
    def prepare(scene: Scene) -> None:
        serve(scene)
        field = "ip dscp" if family == 4 else "ip6 dscp"
        rules = (f"tcp dport {PORT} add @every {{ tcp dport counter }}",
                 f"tcp dport {PORT} {field} af41 add @marked {{ tcp dport counter }}")
        sets = (f"set {name} {{ type inet_service; flags dynamic; size 64; }}" for name in ("every", "marked"))
        scene.filter(scene.r, "forward", *rules, before="\n".join(sets))

    return prepare


def marked_segments(scene: Scene) -> None:
    """Every segment of a connection is marked, from the SYN on."""
    found = said(scene.probe("--dscp", "AF41"))
    every, marks = (sum(scene.r.counted(name).values()) for name in ("every", "marked"))
    scene.came = f"{found['verdict']}, {marks} of {every} marked"
    scene.case.check(every == marks >= 4, scene.came)
    scene.case.check((found["dscp_sent"], found["dscp_seen"], found["dscp_reply"]) == (34, None, None), f"{found}")
