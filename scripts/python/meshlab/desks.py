"""Desks: everybody reaches everybody, and a fault does what its words say and nothing else."""

import errno
import json
import os
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Sequence

from lab import harness
from lab.case import CLIENTS, PROGRAMS, Case
from lab.hosts import Host
from lab.protocol import PORT
from lab.trial import Trial
from mesh.desks import faults
from mesh.desks.desk import Desk
from meshlab import exchanges
from meshlab.exchanges import FIRST_PORT, rack
from meshlab.fault_words import refusal

MESSAGES = 400  # of each flow: of 40 %, 21 to 59 % are no surprise, and lost twice is 64 %
FLOWS = 48  # source ports: in one of 10^14 runs, all take the same spine
AGAIN = 4
SOON_S = 0.4  # in which a connection within this machine is refused


class Lost(NamedTuple):
    """How many percent are lost: of messages from one host to another, and of the replies to them."""

    there: float = 0
    back: float = 0


def leaves(one: str, other: str, which: str) -> bool:
    """Whether what goes from one host to the other leaves this rack."""
    return rack(one) == which != rack(other)


LOST: dict[str, Callable[[str, str], Lost]] = {
    "dead:r2-h1": lambda one, other: Lost(100 * ("r2-h1" in (one, other))),
    "block:r1-h1:r3-h2": lambda one, other: Lost(100 * ((one, other) == ("r1-h1", "r3-h2"))),
    "block:r1-h2:r1-h1": lambda one, other: Lost(100 * ((one, other) == ("r1-h2", "r1-h1"))),
    "port:r1-h2:udp/6666": lambda one, other: Lost(100 * (other == "r1-h2")),
    "port:r1-h2:udp/6667": lambda one, other: Lost(),
    "port:r1-h2:tcp/6666": lambda one, other: Lost(),
    "host:r1-h2:40": lambda one, other: Lost(*2 * (40 * ("r1-h2" in (one, other)),)),
    "tor:r2:40": lambda one, other: Lost(*2 * (40 * ("r2" in (rack(one), rack(other))),)),
    "uplink:r2:out:40": lambda one, other: Lost(40 * leaves(one, other, "r2"), 40 * leaves(other, one, "r2")),
    "uplink:r2:in:40": lambda one, other: Lost(40 * leaves(other, one, "r2"), 40 * leaves(one, other, "r2")),
    "uplink:r3:in:100": lambda one, other: Lost(100 * leaves(other, one, "r3"), 100 * leaves(one, other, "r3")),
    "old:r3-h1": lambda one, other: Lost(),
}

def trials() -> Sequence[Trial]:
    return (Trial("desk-sizes", sizes), Trial("desk-spines", spines), Trial("desk-traces", traces),
            Trial("desk-faults", one_by_one), Trial("desk-faults-together", together), Trial("desk-spine", of_a_spine),
            Trial("desk-tcp", over_tcp), Trial("desk-reachable", reachable), Trial("desk-old", old),
            Trial("desk-removed", removed))


def sizes(case: Case) -> None:
    """Without a fault everybody reaches everybody, and the operator all, at desks of 2 to 40 hosts."""
    for count, spine_count in ((2, 2), (3, 1), (6, 2), (16, 3), (40, 2)):
        begun = time.monotonic()
        with Desk(count, spine_count) as desk:
            case.note(f"{count} hosts up in {time.monotonic() - begun:.2f} s")
            counted = exchanges.exchange(desk, 1)
            wanted = {(one, other, FIRST_PORT): 1 for one, other in exchanges.pairs(desk)}
            case.check(len(desk.hosts) == count and counted.there == wanted == counted.back,
                       f"of {count}: {counted.there.total()} came, {counted.back.total()} replies")
            away = [name for name in desk.hosts if not desk.is_reachable(name)]
            case.check(not away, f"of {count}: the operator does not reach {away}")
    for count, spine_count in ((1, 2), (201, 2), (6, 0), (6, 9)):
        case.check(refusal(lambda: Desk(count, spine_count).close()), f"{count} hosts, {spine_count} spines: no error")


def spines(case: Case) -> None:
    """A source port keeps to its spine, over TCP as over UDP, there and back, and both spines are used."""
    with Desk(6) as desk:
        client, server = desk.hosts["r1-h1"], desk.fleet[2].address
        for spine in desk.spines:
            count_ports(desk.machines[spine], server)
        for port in [*range(FIRST_PORT, FIRST_PORT + FLOWS)] * AGAIN:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with client.socket(socket.AF_INET, kind) as each:
                    each.settimeout(SOON_S)
                    each.bind(("", port))
                    each.connect_ex((server, PORT))  # nobody listens: a reset comes back
                    if kind == socket.SOCK_DGRAM:
                        each.send(b"x")
        for name in ("tcp-daddr", "tcp-saddr", "udp-daddr"):
            one, other = (desk.machines[spine].counted(name) for spine in desk.spines)
            both = one.keys() & other.keys()
            case.check(one and other and not both, f"{name}: {len(one)} and {len(other)} ports, both: {sorted(both)}")
            case.check(len(one) + len(other) == FLOWS and {*one.values(), *other.values()} == {AGAIN},
                       f"{name}: {one}, {other}")


def count_ports(spine: Host, server: str) -> None:
    """Has a spine count what goes to a server, and what comes from it, by the client's ports."""
    for protocol in ("tcp", "udp"):
        for way, port in (("daddr", "sport"), ("saddr", "dport")):
            name = f"{protocol}-{way}"
            spine.nft("table inet netlab {", f"set {name} {{ type inet_service; flags dynamic; size 1024; }}",
                      f"chain {name} {{ type filter hook forward priority 0;",
                      f"ip {way} {server} add @{name} {{ {protocol} {port} counter }}", "}", "}")


@contextmanager
def served(case: Case, desk: Desk, name: str) -> Iterator[None]:
    """Both servers run on a host for as long as the block lasts."""
    with desk.hosts[name].entered(), case.server("tcp-server", listen=f"0.0.0.0:{PORT}"), \
            case.server("udp-server", listen=f"0.0.0.0:{PORT}"):
        yield


def traced(case: Case, desk: Desk, client: str, server: str) -> Iterator[tuple[str, list[str]]]:
    """The end of a trace of each client, and who answered it, by name."""
    names = desk.routers | {host.address: host.name for host in desk.fleet}
    target = next(host.address for host in desk.fleet if host.name == server)
    for program in CLIENTS:
        with desk.hosts[client].entered():
            ended = case.client(program, "--json", "--trace=always", "--timeout", "700ms", "--message", "x",
                                f"{target}:{PORT}")
        trace = json.loads(ended.output.splitlines()[-1])["trace"]
        yield trace["end"], [names.get(hop["router"], hop["router"]) for hop in trace["hops"] if hop["router"]]


def traces(case: Case) -> None:
    """Traces name the routers on the way, and the last one before a host that is dead or blocked."""

    def expect(client: str, server: str, end: str, *hops: str) -> None:
        for ended, came in traced(case, desk, client, server):
            # The last router may answer twice: that it was the last one to ask, and that the host does not answer it.
            said = dict.fromkeys("spine" if name in desk.spines else name for name in came)
            case.check(ended == end and list(said) == list(hops), f"{client} to {server}: {ended} {came}")

    with Desk(6) as desk, served(case, desk, "r2-h1"):
        expect("r1-h1", "r2-h1", "reached", "tor-r1", "spine", "tor-r2", "r2-h1")
        expect("r2-h2", "r2-h1", "reached", "tor-r2", "r2-h1")
        desk.apply(faults.parse("dead:r3-h1"))
        expect("r1-h1", "r3-h1", "stopped", "tor-r1", "spine", "tor-r3")
        desk.apply(faults.parse("block:r1-h1:r2-h1"))
        expect("r1-h1", "r2-h1", "silent", "tor-r1", "spine", "tor-r2")
        expect("r1-h2", "r2-h1", "reached", "tor-r1", "spine", "tor-r2", "r2-h1")


def compare(case: Case, desk: Desk, what: str, lost: Callable[[str, str], Lost]) -> None:
    """Holds what gets through between all hosts against what should."""
    partial = any(percent not in (0, 100) for pair in exchanges.pairs(desk) for percent in lost(*pair))
    count = MESSAGES if partial else AGAIN
    counted = exchanges.exchange(desk, count)
    for one, other in exchanges.pairs(desk):
        there, back = counted.there[one, other, FIRST_PORT], counted.back[one, other, FIRST_PORT]
        wanted = lost(one, other)
        fits = exchanges.fits(count - there, count, wanted.there) and exchanges.fits(there - back, there, wanted.back)
        case.check(fits, f"{what}: of {count} from {one} to {other} {there} came, and {back} replies")


def one_by_one(case: Case) -> None:
    """Each fault does what its words say, to each pair and in each direction, and nothing else."""
    for word, lost in LOST.items():
        with Desk(6) as desk:
            desk.apply(faults.parse(word))
            compare(case, desk, word, lost)
            case.check(refusal(lambda: desk.apply(faults.parse(word))), f"{word}: a second time, and no error")


def together(case: Case) -> None:
    """Faults add up, and what one loses another does not bring back."""
    together = ("dead:r2-h1", "block:r1-h1:r3-h2", "uplink:r3:in:100", "uplink:r2:out:40", "port:r1-h2:udp/6666")
    with Desk(6) as desk:
        for word in together:
            desk.apply(faults.parse(word))

        def lost(one: str, other: str) -> Lost:
            each = [LOST[word](one, other) for word in together]
            return Lost(max(lost.there for lost in each), max(lost.back for lost in each))

        compare(case, desk, "all", lost)


def of_a_spine(case: Case) -> None:
    """A spine loses its share of the flows between racks that take it, of no other, and of none within a rack."""
    ports = (FIRST_PORT, FIRST_PORT + 1)
    with Desk(6) as desk:
        desk.apply(faults.parse("spine:2:40"))
        server = desk.fleet[0]
        count_ports(desk.machines["spine-1"], server.address)
        counted = exchanges.exchange(desk, MESSAGES, ports)
        # What belongs to the server's own messages has another port there.
        past = {way: sum(n for port, n in desk.machines["spine-1"].counted(f"udp-{way}").items() if int(port) in ports)
                for way in ("daddr", "saddr")}
    sent = {(*pair, port): MESSAGES for pair in exchanges.pairs(desk) for port in ports}
    for way, before, after in (("daddr", sent, counted.there), ("saddr", counted.there, counted.back)):
        whole = {flow for flow in sent if before[flow] == after[flow]}
        between = {flow for flow in sent if rack(flow[0]) != rack(flow[1])}
        case.check(whole & between and between - whole and sent.keys() - between <= whole, f"{way}: {len(whole)} whole")
        wrong = [flow for flow in between - whole if not exchanges.fits(before[flow] - after[flow], before[flow], 40)]
        case.check(not wrong, f"{way}: {wrong}")
        spared = sum(after[flow] for flow in whole & between if flow[1] == server.name)
        case.check(past[way] == spared > 0, f"{way}: {spared} without a loss, {past[way]} by the other spine")


def over_tcp(case: Case) -> None:
    """A blocked pair and a closed port, over TCP: who is dropped, and who is refused as nobody listens."""
    with Desk(6) as desk:
        for word in ("block:r1-h1:r3-h2", "port:r2-h1:tcp/6666", "port:r2-h2:udp/6666"):
            desk.apply(faults.parse(word))
        dropped = {("r1-h1", "r3-h2", PORT), ("r1-h1", "r3-h2", 22), ("r1-h1", "r2-h1", PORT), ("r2-h2", "r2-h1", PORT)}
        refused = {("r3-h2", "r1-h1", PORT), ("r1-h2", "r3-h2", PORT), ("r1-h1", "r2-h1", 22), ("r2-h1", "r3-h1", PORT),
                   ("r2-h1", "r2-h1", PORT), ("r1-h1", "r2-h2", PORT)}
        addresses = {host.name: host.address for host in desk.fleet}
        for flow in dropped | refused:
            one, other, port = flow
            with desk.hosts[one].socket(socket.AF_INET, socket.SOCK_STREAM) as client:
                client.settimeout(SOON_S)
                came = client.connect_ex((addresses[other], port))
            wanted = errno.EAGAIN if flow in dropped else errno.ECONNREFUSED
            case.check(came == wanted, f"{one} to {other}, {port}: {os.strerror(came)}")


def reachable(case: Case) -> None:
    """The operator reaches a host whose link is up, whatever the fabric loses, and not a dead one."""
    with Desk(6) as desk:
        for word in ("dead:r2-h1", "block:r1-h1:r1-h2", "port:r1-h2:tcp/6666", "uplink:r3:out:100", "uplink:r3:in:100",
                     "spine:1:100", "spine:2:100"):
            desk.apply(faults.parse(word))
        desk.machines["tor-r1"].nft("table inet netlab {", "chain forward { type filter hook forward priority 0;",
                                    "icmp type echo-request numgen inc mod 8 < 7 drop", "}", "}")
        reached = {name: desk.is_reachable(name) for name in desk.hosts}
        case.check(reached == {name: name != "r2-h1" for name in desk.hosts}, f"{reached}")
        desk.apply(faults.parse("tor:r3:100"))
        case.check(not desk.is_reachable("r3-h1"), "r3-h1 is reached by a router that loses everything")
        case.check(desk.is_reachable("r1-h1"), "r1-h1 is not reached")


def old(case: Case) -> None:
    """A host has old programs on its PATH, and the others have not."""
    with Desk(4) as desk:
        desk.apply(faults.parse("old:r2-h1"))
        desk.apply(faults.parse("old:r2-h2"))
        own = {name for name in desk.hosts if desk.path(name) == os.environ["PATH"]}
        case.check(own == {"r1-h1", "r1-h2"}, f"those with our PATH are {own}")
        for program in PROGRAMS:
            found = "env", f"PATH={desk.path('r2-h1')}", program
            version, used = (harness.run([*found, option], case.scratch) for option in ("--version", "--json"))
            case.check(version == (0, f"{program} 0.0.9\n".encode(), b""), f"{program}: {version}")
            case.check((used.status, used.output) == (2, b"") and used.errors, f"{program}: {used}")


def removed(case: Case) -> None:
    """A desk that is closed, or could not be built, leaves no namespace, process, link or file."""
    before = what_there_is()
    with Desk(6) as desk:
        desk.apply(faults.parse("old:r1-h1"))
        programs = Path(desk.path("r1-h1").partition(":")[0])
        numbers = {os.stat(machine.path).st_ino for machine in desk.machines.values()}
        case.check(len(numbers) == len(desk.machines) > 6, f"{len(numbers)} namespaces")
        case.check(what_there_is() != before and programs.is_dir(), "a desk is not seen")
    case.check(not programs.exists(), f"{programs} is left")
    case.check(what_there_is() == before, f"{what_there_is()} after it, {before} before")
    left = [f"{path}" for path in Path("/proc").glob("[0-9]*/ns/net") if namespace_of(path) in numbers]
    case.check(not left, f"in its namespaces: {left}")
    with_path = os.environ["PATH"]
    os.environ["PATH"] = str(case.scratch)
    try:
        Desk(6).close()
        case.check(False, "a desk without ip")
    except FileNotFoundError:
        pass
    finally:
        os.environ["PATH"] = with_path
    case.check(what_there_is() == before, f"{what_there_is()} after one that failed, {before} before")


def what_there_is() -> tuple[list[str], list[str], list[str], list[str]]:
    """Links of this machine, descriptors of namespaces, children of this process, and mounted namespaces."""
    links = [name for _, name in socket.if_nameindex()]
    descriptors = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    mounted = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "nsfs" in line]
    return links, sorted(each for each in descriptors if each.startswith("net:")), children, mounted


def namespace_of(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0  # it has ended
