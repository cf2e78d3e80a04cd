"""Names that do not resolve: because the resolver says so, or because it does not answer."""

import json
import struct
from typing import Callable, Iterator

from lab.protocol import REPLIES
from netlab import judge, services
from netlab.play import Act, Play, nothing, play
from netlab.scene import Scene
from netlab.services import Datagram, Service
from netlab.topology import PLANS
from netlab.trial import verdict

NAME = "nowhere.example"
DNS = 53
RESPONSE = 0x8180  # the flags of a recursive server's response: RFC 1035, section 4.1.1
NO_ERROR, SERVER_FAILURE, NAME_ERROR, REFUSED = 0, 2, 3, 5


def plays() -> Iterator[Play]:
    for protocol in REPLIES:
        begin = f"{protocol}4"
        yield of_name(begin, "no-such-name", name_server(says(NAME_ERROR)), "no-such-name")
        yield of_name(begin, "no-address", name_server(says(NO_ERROR)), "no-such-name")
        yield of_name(begin, "resolver-fails", name_server(says(SERVER_FAILURE)), "no-resolver")
        yield of_name(begin, "resolver-refuses", name_server(says(REFUSED)), "no-resolver")
        yield of_name(begin, "resolver-silent", name_server(services.ignores), "no-resolver")
        yield of_name(begin, "no-resolver", nothing, "no-resolver")
        yield of_name(begin, "resolver-unreachable", no_route, "no-resolver")


def of_name(begin: str, name: str, prepare: Act, cause: str) -> Play:
    expected = verdict("unresolved", has_address=False)
    return play(begin, name, expected, prepare, NAME, run=lambda scene: probe_name(scene, cause))


def name_server(behave: Callable[[Service, Datagram], None]) -> Act:
    return lambda scene: scene.serve(services.udp(scene.b, [(PLANS[4].server, DNS)], behave))


def says(code: int) -> Callable[[Service, Datagram], None]:
    """Repeats the question, with this response code and without an answer."""

    def behave(service: Service, datagram: Datagram) -> None:
        asked, sender = datagram
        header = asked[:2] + struct.pack("!5H", RESPONSE | code, 1, 0, 0, 0)
        service.sockets[0].sendto(header + asked[len(header):], sender)

    return behave


def no_route(scene: Scene) -> None:
    """No question to a name server leaves the client."""
    scene.a.ip(*(f"route del default via {plan.near}" for plan in PLANS.values()))


def probe_name(scene: Scene, cause: str) -> None:
    """Only a resolver that answers proves that there is no such name."""
    wrapper = with_resolver(scene)
    ended = scene.probe(wrapper=wrapper)
    said = judge.check_probe(scene, ended, scene.trial.expected)
    found = (judge.parse(ended.output) or {}).get("cause")
    scene.came = f"{said.text}, {found}"
    scene.case.check(found == cause, f"the cause {found}, and not {cause}")
    status = scene.probe("--expect", "unresolved", wrapper=wrapper).status
    proves = cause == "no-such-name"
    scene.case.check(status == (0 if proves else 1), f"exit status {status} with --expect unresolved")
    run_of_name(scene, wrapper)


def run_of_name(scene: Scene, wrapper: tuple[str, ...]) -> None:
    """A run that sends nothing has its summary all the same, and with -qq nothing else."""
    for options, events in (((), ["probe", "summary"]), (("-qq",), ["summary"])):
        ended = scene.start_run(3, "--json", "--timeout", "500ms", *options, wrapper=wrapper).end()
        said = [json.loads(line) for line in ended.output.splitlines()]
        scene.case.check([each["event"] for each in said] == events, f"a run of the name says {said}")
        counts = [said[-1].get(name) for name in ("sent", "failed", "loss_percent")] if said else []
        scene.case.check(counts == [0, 1, None] and ended.status == 1, f"{counts}, exit status {ended.status}")


def with_resolver(scene: Scene) -> tuple[str, ...]:
    """The command before a program whose only name server is on b: resolv.conf(5), nsswitch.conf(5)."""
    files = {"resolv.conf": f"nameserver {PLANS[4].server}", "nsswitch.conf": "hosts: files dns"}
    for name, text in files.items():
        (scene.case.scratch / name).write_text(text + "\n")
    bound = " && ".join(f'mount --bind "$0"/{name} /etc/{name}' for name in files)
    return ("unshare", "--mount", "sh", "-c", f'{bound} && exec "$@"', str(scene.case.scratch))
