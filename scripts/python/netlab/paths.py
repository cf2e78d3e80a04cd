"""Runs over several ways of which some fail, and to servers that reply with the address that they see."""

import json
from typing import Any, Iterator

from lab.harness import Server, until
from lab.protocol import PORT
from netlab import account, nat, services
from netlab.account import Account, Connections
from netlab.run import Run, finish, measure
from netlab.play import Act, Play, nothing, play
from netlab.scene import Scene
from netlab.topology import add
from netlab.trial import SILENCE, each, verdict

FLOWS = 24  # random source ports: in one of eight million runs, all are odd or all are even
COUNT = 10
BRISK = ("--interval", "20ms")
HOSTS = ("one", "two")


def plays() -> Iterator[Play]:
    for begin, protocol, plan in each():
        yield play(begin, "run-flows", verdict("ok", SILENCE[protocol]), drop_odd, run=flows)
        yield play(begin, "run-witness", verdict("ok"), nothing, run=seen_as_it_is)
        yield play(begin, "run-masquerade", verdict("ok"), masquerade, run=seen_as_the_router)
        yield play(begin, "run-balanced", verdict("ok"), balance, plan.near, run=two_servers)
    for begin, _, _ in each("udp"):
        yield play(begin, "run-source-changes", verdict("ok"), add_source, run=source_changes)
    for begin, _, _ in each("tcp"):
        yield play(begin, "run-port-waited-for", verdict("ok"), drop_ends("numgen inc mod 2 == 0"), run=one_port)
        yield play(begin, "run-port-left", verdict("ok"), drop_ends(), run=two_ports)


def drop_odd(scene: Scene) -> None:
    """The router drops what comes from odd ports, as if one of two links were broken, and counts it by port."""
    source = f"{scene.protocol} sport"
    account.count(scene, "odd", "inet_service", f"{scene.protocol} dport {PORT} {source} & 1 == 1", source, "drop")


def flows(scene: Scene) -> None:
    """Exactly the odd ports fail, each time."""
    check, per_flow = scene.case.check, 2
    served: Account | Connections
    if scene.protocol == "udp":
        served, interval = account.serve(scene), "100ms"
    else:
        # The timeout is shorter than the interval, so a flow has one connection at a time, and keeps its port.
        served, interval = Connections(), "800ms"
        scene.serve(services.tcp(scene.b, scene.plan.server, served))
    run = measure(scene, per_flow, "--flows", str(FLOWS), "--interval", interval, "--timeout", "700ms")
    said, dropped = run.summary["flows"], {int(port): n for port, n in scene.r.counted("odd").items()}
    answered = {port: len(came) for port, came in served.by_port().items()}
    check(run.summary["sent"] == FLOWS * per_flow == sum(flow["sent"] for flow in said), f"sent {run.summary}")
    check(len(said) >= FLOWS and len({flow["port"] for flow in said}) == len(said), f"flows {said}")
    failing = {flow["port"]: flow["failed"] for flow in said if flow["failed"]}
    working = {flow["port"]: flow["sent"] for flow in said if not flow["failed"]}
    odd = sum(flow["port"] % 2 for flow in said)
    check(0 < odd < len(said), f"{odd} of {len(said)} source ports are odd: half of the ways are not seen")
    check(failing.keys() == dropped.keys(), f"failing {failing}, dropped {dropped}")
    check(failing == {flow["port"]: flow["sent"] for flow in said if flow["port"] % 2}, f"of odd ports: {said}")
    check(working == answered, f"working {working}, answered {answered}")
    if scene.protocol == "udp":
        check(failing == dropped, f"failing {failing}, dropped {dropped}")


def drop_ends(which: str = "") -> Act:
    """The router drops the client's FINs, or some of them: the connection holds its port until one gets through."""
    return lambda scene: scene.filter(scene.r, "forward", f"tcp dport {PORT} tcp flags & fin != 0 {which} drop")


def one_flow(scene: Scene, count: int) -> Run:
    scene.serve(services.tcp(scene.b, scene.plan.server, Connections()))
    return measure(scene, count, "--flows", "1", "--interval", "0")


def one_port(scene: Scene) -> None:
    """A flow waits until its port is free again, and keeps it."""
    run = one_flow(scene, COUNT)
    flows, held = run.summary["flows"], run.summary["held"]
    scene.case.check((len(flows), held) == (1, COUNT - 1), f"flows {flows}, held {held}")


def two_ports(scene: Scene) -> None:
    """A flow does not wait for ever."""
    run = one_flow(scene, 2)
    flows, took = run.summary["flows"], run.summary["elapsed_ms"]
    scene.case.check(len(flows) == 2 and 1000 <= took < 2000, f"flows {flows}, took {took} ms")


def masquerade(scene: Scene) -> None:
    scene.r.nft("table inet nat {", *nat.masquerade(), "}")


def seen_as_it_is(scene: Scene) -> None:
    check_witness(scene, scene.plan.client, translated=False)


def seen_as_the_router(scene: Scene) -> None:
    check_witness(scene, scene.plan.far, translated=True)


def check_witness(scene: Scene, address: str, translated: bool) -> None:
    server = scene.start_server("--witness", "--json")
    run = measure(scene, COUNT, *BRISK)
    check, said = scene.case.check, run.summary
    answered, peers = account_of(server)
    check(said["sent"] == said["ok"] == answered == COUNT, f"{run}; the server answered {answered}")
    check(said["translated"] == (answered if translated else 0), f"translated {said['translated']}")
    seen = said["seen_as"]
    check(seen in peers and seen.startswith(scene.plan.endpoint(address, 0)[:-1]), f"seen as {seen}, was {peers}")
    check(sum(host["replies"] for host in said["hosts"]) == answered and len(said["hosts"]) == 1, f"{said['hosts']}")


def add_source(scene: Scene) -> None:
    """The client has one more address, from which it does not send."""
    add(scene.a, "a", scene.plan.nobody_near)
    scene.a.ip(f"route replace default via {scene.plan.near} src {scene.plan.client}")


def source_changes(scene: Scene) -> None:
    """In the middle of a run the route gets another source address. That is no translation."""
    server, check, plan = scene.start_server("--witness", "--json"), scene.case.check, scene.plan
    running = scene.start_run(COUNT, "--json", "--interval", "100ms")
    check(until(lambda: server.output.read_bytes().count(b'"received"') >= 3), "too few probes, in all that time")
    scene.a.ip(f"route replace default via {plan.near} src {plan.nobody_near}")
    run = finish(scene, running)
    answered, peers = account_of(server)
    said, local = run.summary, [probe["local"] for probe in run.probes]
    check(said["ok"] == answered == COUNT and said["translated"] == 0, f"{run}; translated {said['translated']}")
    check(local == peers and len({peer.rpartition(":")[0] for peer in peers}) == 2, f"from {local}, seen {peers}")


def account_of(server: Server) -> tuple[int, list[str]]:
    """Ends a server. Returns how many it has answered, and whom it has seen."""
    server.stop()
    said: list[dict[str, Any]] = [json.loads(line) for line in server.output.read_bytes().splitlines()]
    return server.totals()["exchanges"], [each["peer"] for each in said if each["event"] == "received"]


def balance(scene: Scene) -> None:
    """The router's port leads to each of the server's addresses in turn."""
    plan = scene.plan
    family = "ip" if plan.family == 4 else "ip6"
    turns = f"numgen inc mod 2 map {{ 0 : {plan.server}, 1 : {plan.second} }}"
    rule = f"{family} daddr {plan.near} {scene.protocol} dport {PORT} dnat {family} to {turns}"
    scene.r.nft("table inet nat {", "chain pre { type nat hook prerouting priority dstnat;", rule, "}", "}")


def named(host: str) -> tuple[str, ...]:
    """The command before a program that gives it a host name of its own."""
    return ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', host)


def two_servers(scene: Scene) -> None:
    """Two servers with different names stand behind one address. The client says how many each answered."""
    addresses = (scene.plan.server, scene.plan.second)
    servers = {host: scene.start_server("--witness", "--json", address=address, wrapper=named(host))
               for host, address in zip(HOSTS, addresses)}
    # The servers take turns at connections and, of UDP, at flows.
    run = measure(scene, COUNT, *BRISK, *(("--flows", "4") if scene.protocol == "udp" else ()))
    answered = {host: account_of(server)[0] for host, server in servers.items()}
    said = {host["host"]: host["replies"] for host in run.summary["hosts"]}
    scene.case.check(said == answered, f"hosts {said}, answered {answered}")
    scene.case.check(all(answered.values()), f"one was not asked: {answered}")
    scene.case.check(run.summary["translated"] == 0, f"translated {run.summary['translated']}")
