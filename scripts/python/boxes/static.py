"""The static programs, where nothing else is: an empty directory is their whole file system.

There they resolve names by musl. What they say of names is held against the dynamic programs in the same place, which
have glibc: the verdict, its cause and the words are the same.
"""

import json
import re
from typing import Iterable, NamedTuple

from boxes import emulated, files, name_server
from boxes.box import TOOLS, Box, lonely_host
from boxes.dist import Dist
from boxes.name_server import Answer, Names
from lab.trial import Trial
from lab.case import CLIENTS, SERVERS, Case
from lab.harness import Ended
from lab.protocol import MESSAGE, PORT, REPLIES

STATIC, DYNAMIC = "x86_64-musl", "x86_64-gnu"
SELF = "127.0.0.1"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "  # of --timestamps

RESOLV_CONF = b"nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
IDLE = 1_500_000  # bytes that a server keeps resident
NO_SUCH_NAME, NO_RESOLVER = "no-such-name", "no-resolver"
MANY = 40  # addresses, which do not fit into a datagram
ANSWERS = {
    "here.example": Answer(addresses=(SELF,)),
    "large.example": Answer(addresses=tuple(f"127.0.1.{n}" for n in range(1, MANY + 1))),
    "empty.example": Answer(),
    "fails.example": Answer(name_server.SERVER_FAILURE),
    "silent.example": Answer(is_silent=True),
    "refused.example": Answer(name_server.REFUSED),
}


class Said(NamedTuple):
    """What a client says of a name."""

    verdict: str | None
    cause: str | None = None
    reason: str | None = None


UNKNOWN = Said("unresolved", NO_SUCH_NAME, "name or service not known")
AGAIN = Said("unresolved", NO_RESOLVER, "temporary failure in name resolution")
EXPECTED = {
    "here.example": Said("ok"),
    "nowhere.example": UNKNOWN,
    "empty.example": Said("unresolved", NO_SUCH_NAME, "no address associated with hostname"),
    "fails.example": AGAIN,
    "silent.example": AGAIN,
}


def trials() -> Iterable[Trial]:
    yield Trial("static-box", box, TOOLS)
    yield Trial("static-names-answered", names_answered, TOOLS)
    yield Trial("static-names-large", names_large, TOOLS)
    yield Trial("static-names-hosts", names_hosts, TOOLS)
    yield Trial("static-names-no-server", names_no_server, TOOLS)
    yield from emulated.trials()
    yield from files.trials()


def box(case: Case, dist: Dist) -> None:
    """In an empty directory, as nobody: no /proc, no /dev, no libraries"""
    with lonely_host() as host:
        alone = Box(case, dist, STATIC, host)
        for server, client in zip(SERVERS, CLIENTS):
            with case.part(server):
                exchanges(case, alone, server, client)


def exchanges(case: Case, alone: Box, server: str, client: str) -> None:
    reply = REPLIES[client[:3]]
    with alone.server(server, "--timestamps") as text, alone.server(server, "--json", listen="127.0.0.1:0") as objects:
        case.note(f"{server} {text.rss() / 1e6:.1f} MB resident")
        case.check(text.rss() <= IDLE, f"{server} keeps {text.rss()} bytes resident")
        said = alone.client(client, "--message", MESSAGE)
        case.check(said == Ended(0, f"{reply}\n".encode(), b""), f"{client} in text: {said}")
        timed = alone.client(client, "--message", MESSAGE, "--timestamps", "--count", "1", "--verbose")
        lines = [*timed.output.decode().splitlines()[:1], *timed.errors.decode().splitlines()]
        case.check(timed.status == 0 and len(lines) > 1 and all(re.match(TIME, line) for line in lines),
                   f"{client} with times: {timed}")
        port = str(objects.address[1])
        probe = alone.client(client, SELF, port, "--message", MESSAGE, "--json")
        said_of = json.loads(probe.output)
        case.check(probe.status == 0 and (said_of["verdict"], said_of["reply"]) == ("ok", reply),
                   f"{client} in JSON: {probe}")
        refused = alone.client(client, SELF, "1", "--message", MESSAGE)
        case.check(refused.status == 1 and b"refused" in refused.errors, f"{client} to a closed port: {refused}")
    transcript = text.output.read_text()
    case.check(MESSAGE in transcript and all(re.match(TIME, line) for line in transcript.splitlines()),
               f"{server} in text: {transcript[:300]}")
    case.check(objects.totals()["exchanges"] == 1, f"{server} in JSON: {objects.output.read_text()[:300]}")


def names_answered(case: Case, dist: Dist) -> None:
    """A resolv.conf, and a name server that answers, fails, or is silent"""
    names = Names(ANSWERS)
    with lonely_host() as host, names.serving(host, SELF):
        for kind in (STATIC, DYNAMIC):
            alone = Box(case, dist, kind, host)
            alone.write("/etc/resolv.conf", RESOLV_CONF)
            with alone.server("tcp-server"), alone.server("udp-server"):
                for client in CLIENTS:
                    for name, expected in EXPECTED.items():
                        said = of_name(alone, client, name)
                        case.check(said == expected, f"{kind}, {client} {name}: {said}")
            # Whether a server that refuses has failed for now or for good, each C library sees in its own way.
            said = of_name(alone, "tcp-client", "refused.example")
            case.check(said.cause == NO_RESOLVER, f"{kind}: refused.example: {said}")
            proof = alone.client("tcp-client", "nowhere.example", "--expect", "unresolved")
            case.check(proof.status == 0, f"{kind}: no proof that there is no such name: {proof}")


def names_large(case: Case, dist: Dist) -> None:
    """An answer too large for a datagram: the name server is asked again, by TCP"""
    with lonely_host() as host:
        for kind in (STATIC, DYNAMIC):
            names = Names(ANSWERS)
            alone = Box(case, dist, kind, host)
            alone.write("/etc/resolv.conf", RESOLV_CONF)
            with names.serving(host, SELF), alone.server("tcp-server", listen=f"0.0.0.0:{PORT}"):
                said = of_name(alone, "tcp-client", "large.example")
            case.check(said == Said("ok") and names.asked_by_tcp, f"{kind}: {said}, {names.asked_by_tcp} times by TCP")


def names_hosts(case: Case, dist: Dist) -> None:
    """/etc/hosts and nothing else; and the name of a service, without /etc/services"""
    with lonely_host() as host:
        for kind in (STATIC, DYNAMIC):
            alone = Box(case, dist, kind, host)
            alone.write("/etc/hosts", b"127.0.0.1 localhost box-b\n")
            with alone.server("tcp-server"), alone.server("udp-server"):
                for client in CLIENTS:
                    for name in ("localhost", "box-b"):
                        said = of_name(alone, client, name)
                        case.check(said == Said("ok"), f"{kind}, {client} {name}: {said}")
            service = alone.client("tcp-client", "box-b:ssh")
            case.check(service.status == 2 and b"neither a port nor a TCP service" in service.errors,
                       f"{kind}: a service: {service}")


def names_no_server(case: Case, dist: Dist) -> None:
    """Without resolv.conf: the resolver is this machine, where none answers"""
    with lonely_host() as host:
        for kind in (STATIC, DYNAMIC):
            alone = Box(case, dist, kind, host)
            for client in CLIENTS:
                # Without /etc/hosts, localhost is a name like any other.
                for name in ("nowhere.example", "localhost"):
                    said = of_name(alone, client, name, "--timeout", "300ms")
                    case.check(said[:2] == AGAIN[:2], f"{kind}, {client} {name}: {said}")
            proof = alone.client("tcp-client", "nowhere.example", "--expect", "unresolved", "--timeout", "300ms")
            case.check(proof.status == 1 and b"says nothing about the name" in proof.errors,
                       f"{kind}: taken for a proof: {proof}")
        # musl does not hear that the port is closed, and waits for 5 s.
        said = of_name(Box(case, dist, STATIC, host), "tcp-client", "nowhere.example", "--timeout", "15s")
        case.check(said == AGAIN, f"{STATIC}, with patience: {said}")


def of_name(alone: Box, client: str, name: str, *options: str) -> Said:
    ended = alone.client(client, name, "--message", MESSAGE, "--json", *options)
    probe = json.loads(ended.output)
    return Said(probe["verdict"], probe["cause"], probe["reason"])
