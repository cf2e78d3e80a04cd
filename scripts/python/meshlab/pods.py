"""The pods of deploy/kubernetes, run by docker's engine with the commands and rights that the objects give them."""

import json
import subprocess
from contextlib import ExitStack
from typing import Any, Iterator

from lab import engine, harness
from lab.case import Case
from lab.command import ROOT
from lab.engine import Container, docker
from lab.harness import until
from lab.kubernetes import templates
from lab.trial import Trial
from mesh import results
from mesh.plan import HOST_SCRIPTS
from meshlab import api, collected, manifests, sandbox
from meshlab.manifests import KUBECTL, containers, handlers
from meshlab.sandbox import Pod, execute, image

FIREWALL = "add table inet t; add chain inet t input { type filter hook input priority 0; }"
ROUND = "90"  # seconds within which a round begins and ends
NONE = "0" * 16


def trials() -> Iterator[Trial]:
    for perform in (kubernetes_mesh, kubernetes_mesh_file, kubernetes_probes, kubernetes_jobs, kubernetes_image):
        yield Trial(perform.__name__.replace("_", "-"), perform, KUBECTL | sandbox.TOOLS, lacks)


def lacks() -> str | None:
    return manifests.lacks() or sandbox.lacks()


def pod(name: str, network: str, of: str = "getthrough", alias: str | None = "getthrough") -> Pod:
    return Pod(f"{network}-{name}", templates(manifests.objects())[of], network, alias)


def servers(case: Case, each: Pod) -> list[Container]:
    """Starts both, and waits until their startup probes succeed."""
    started = []
    for template in containers(each.template)[:2]:
        server = each.start(template["name"])
        probe = template["startupProbe"]
        if not until(lambda: execute(server, probe["exec"]["command"], case.scratch, probe["timeoutSeconds"]) == 0):
            raise RuntimeError(f"{server.name} does not answer: {server.logs()}")
        started.append(server)
    return started


def soon(command: list[str]) -> list[str]:
    """The same, but a round every 3 s, and not every minute."""
    return [{"60": "3"}.get(word, word) for word in command]


def events(container: Container) -> list[Any]:
    """What it has printed, as far as it is JSON: kubectl logs has standard error, too."""
    return [json.loads(line) for line in container.logs().splitlines() if line.startswith("{")]


def rounds(container: Container) -> list[list[Any]]:
    """The events of each round that has ended."""
    whole: list[list[Any]] = []
    current: list[Any] = []
    for each in events(container):
        current = [each] if each["event"] == "round" else [*current, each]
        if each["event"] == "round_ended":
            whole.append(current)
    return whole


def says(container: Container, event: str) -> bool:
    """Waits until a container has printed an event. False: it did not within the time."""
    process = harness.start(["timeout", ROUND, "docker", "logs", "--follow", container.name],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    try:
        return any(f'"event":"{event}"'.encode() in line for line in process.stdout)
    finally:
        process.terminate()
        harness.reap(process)
        process.stdout.close()


def drop(target: Pod, source: Pod, protocols: str = "tcp, udp") -> None:
    """What the one sends to the other's servers is dropped, and nothing in the other direction."""
    what = f"ip saddr {source.address} meta l4proto {{ {protocols} }} th dport 6666"
    target.nft(FIREWALL, f"add rule inet t input {what} drop")


def check_rights(case: Case, container: Container) -> None:
    """It is nobody, has no capability, gets none, and can write nowhere but in what is mounted."""
    process = container.process()
    rights = {field: process[field] for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    case.check(set(rights.values()) == {NONE} and process["NoNewPrivs"] == "1", f"{container.name}: {rights}")
    case.check(set(process["Uid"].split() + process["Gid"].split()) == {"65534"}, f"{container.name}: {process['Uid']}")
    case.check(container.inspect()["HostConfig"]["ReadonlyRootfs"], f"{container.name}: the root can be written to")


def check_stop(case: Case, container: Container) -> None:
    """It ends in order within its pod's grace, which is docker's too: then it would be killed, with another status."""
    container.stop()
    status = container.state("ExitCode")
    case.check(status == 0, f"{container.name}: stopped with {status}: {container.logs()[-200:]}")


def kubernetes_mesh(case: Case) -> None:
    """Three pods find each other by DNS, every pair is in their logs, and one that is blocked over TCP is seen."""
    with sandbox.network() as network:
        pods = [pod(str(number), network) for number in range(3)]
        running = [server for each in pods for server in servers(case, each)]
        drop(pods[2], pods[0], "tcp")  # over UDP a round would take twice as long
        probers = [each.start("mesh", soon) for each in pods]
        for prober in probers:
            case.check(says(prober, "round_ended"), f"{prober.name} makes no round: {prober.logs()}")
        cells = 0
        for source, prober in zip(pods, probers):
            last = rounds(prober)[-1]
            fleet_of = sorted(each.address for each in pods)
            case.check((last[0]["host"], last[0]["fleet"]) == (source.address, fleet_of), f"{last[0]}")
            case.check(last[-1]["status"] == 0, f"{last[-1]}")
            planned = [(each["to"], each["service"]) for each in last if each["event"] == "planned"]
            others = [other for other in pods if other is not source]
            case.check(sorted(planned) == sorted((other.address, service) for other in others
                                                 for service in ("tcp/6666", "udp/6666")), f"planned: {planned}")
            for target in others:
                summaries = [each for each in last
                             if each["event"] == "summary" and each["target"] == f"{target.address}:6666"]
                verdicts = [each["verdicts"] for each in summaries]
                cells += len(verdicts)
                blocked = (source, target) == (pods[0], pods[2])
                got = sorted(max(each, key=lambda word: each[word]) for each in verdicts)
                case.check(got == (["ok", "timeout"] if blocked else ["ok", "ok"]),
                           f"{source.name} to {target.name}: {verdicts}")
                case.check(all(each["hosts"] for each in summaries if each["ok"]),
                           f"{target.name} is no witness: {summaries}")
        case.note(f"{cells} cells")
        check_collected(case, pods, probers)
        for container in (*running, *probers):
            check_rights(case, container)
        for container in (*probers, *running):
            check_stop(case, container)


def log_of(container: Container) -> api.Log:
    return lambda _: container.logs() + "\n"


def check_collected(case: Case, pods: list[Pod], probers: list[Container]) -> None:
    """What kubectl brings has a whole round, under the names of the nodes, with the blocked pair in it."""
    listed = [api.Pod(f"getthrough-{number}", f"node-{number}", each.address, log_of(prober))
              for number, (each, prober) in enumerate(zip(pods, probers))]
    nodes = {f"node-{number}": {collected.ZONE: f"zone-{number % 2}"} for number in range(len(pods))}
    out = case.scratch / "collected"
    said = collected.run(api.Cluster(listed, nodes), case.scratch, "collect", out)
    case.check(said.status == 0, f"collect: {said}")
    # A minute in which all have begun a round, if one came at the very end of a minute.
    minute = max(results.minutes(out), key=lambda name: len(list((out / "results" / name).iterdir())))
    found = results.read(out, minute)
    hosts = {host.name: (host.address, host.rack) for host in found.fleet}
    case.check(hosts == {f"node-{number}": (each.address, f"zone-{number % 2}") for number, each in enumerate(pods)},
               f"{hosts}")
    case.check(not found.flaws, f"flaws: {found.flaws}")
    states = {name: visit.state for name, visit in found.visits.items()}
    case.check(states == dict.fromkeys(nodes, "ok"), f"{found.visits}")
    failing = {(cell.planned.source, cell.planned.target, cell.planned.service, cell.verdict)
               for cell in found.cells if cell.failed}
    case.check(len(found.cells) == 12 and failing == {("node-0", "node-2", "tcp/6666", "timeout")},
               f"failing: {failing}")


def kubernetes_mesh_file(case: Case) -> None:
    """A fleet and a policy of the ConfigMap count; who is not in it, or has no list, says so and makes no round."""
    with sandbox.network() as network:
        a, b, stranger, lonely = (pod(name, network, alias=None) for name in ("a", "b", "stranger", "lonely"))
        for each in (a, b):
            servers(case, each)
        config = case.scratch / "config"
        config.mkdir()
        (config / "fleet").write_text(f"# two\na={a.address} r1\nb={b.address} r2\n")
        (config / "policy").write_text("* * tcp/6666 ok\nb a tcp/6666 timeout\n* * connect/7777 refused\n")
        case.scratch.chmod(0o755)
        drop(a, b)
        probers = {each: each.start("mesh", soon, config) for each in (a, b, stranger)}
        probers[lonely] = lonely.start("mesh", soon)
        for each in (a, b):
            case.check(says(probers[each], "round_ended"), f"{each.name} makes no round: {probers[each].logs()}")
        for own, name, other in ((a, "a", "b"), (b, "b", "a")):
            found = rounds(probers[own])[-1] if rounds(probers[own]) else []
            plan = [(each["from"], each["to"], each["service"], each["expect"])
                    for each in found if each["event"] == "planned"]
            expect = "timeout" if own is b else "ok"
            case.check(plan == [(name, other, "tcp/6666", expect), (name, other, "connect/7777", "refused")], f"{plan}")
            failed = [each["failed"] for each in found if each["event"] == "summary"]
            case.check(failed == [0, 0] and found[0]["fleet"] is None, f"{name}: {failed} failed of {found[:1]}")
        for who, reason in ((stranger, "older than this pod"), (lonely, "unresolved")):
            case.check(says(probers[who], "failure"), f"{who.name} does not say what is wrong")
            said = events(probers[who])
            case.check(said and all(each["event"] == "failure" and reason in each["reason"] for each in said),
                       f"{said}")


def kubernetes_probes(case: Case) -> None:
    """The kubelet's probes succeed while a server answers, fail when it hangs, and succeed when it goes on."""
    with sandbox.network() as network:
        one = pod("one", network)
        for template, server in zip(containers(one.template), servers(case, one)):
            for signal, expected in (("CONT", 0), ("STOP", 1), ("CONT", 0)):
                server.kill(signal)
                for probe in handlers(template):
                    # The client ends by itself: kubernetes-fits has seen that the kubelet lets it.
                    status = execute(server, probe["exec"]["command"], case.scratch, engine.PATIENCE)
                    case.check(status == expected, f"{server.name} after SIG{signal}: status {status}, not {expected}")


def kubernetes_jobs(case: Case) -> None:
    """The Jobs hold where a policy is enforced, and fail where it is not, where all is denied, or DNS knows no name."""
    with sandbox.network() as network:
        target = pod("target", network, alias="getthrough.getthrough.svc")
        servers(case, target)
        allowed, denied = (pod(name, network, name, None) for name in ("allowed", "denied"))
        drop(target, denied)
        impatient = {"60s": "3s"}
        for turn, expected in (("enforced", {"allowed": 0, "denied": 0}), ("reversed", {"allowed": 124, "denied": 1})):
            if turn == "reversed":
                target.nft("flush chain inet t input")
                drop(target, allowed)
            check_jobs(case, {allowed: expected["allowed"], denied: expected["denied"]}, impatient, turn)
        # Without a name that DNS knows nothing is known, so nothing is proved.
        check_jobs(case, {denied: 1}, {"getthrough.getthrough.svc": "nobody.invalid"}, "unresolved")


def check_jobs(case: Case, expected: dict[Pod, int], changed: dict[str, str], turn: str) -> None:
    """Runs the containers of these Jobs at the same time, with some words changed. Each has to end with its status."""
    with ExitStack() as stack:
        running = []
        for each, status in expected.items():
            for protocol in ("tcp", "udp"):
                path = case.scratch / f"{each.name}-{protocol}"
                out = stack.enter_context(open(path, "wb"))
                process = each.run(protocol, lambda command: [changed.get(word, word) for word in command],
                                   stdout=out, stderr=out)
                running.append((process, path, status))
        for process, path, status in running:
            got = harness.reap(process, engine.PATIENCE)
            said = path.read_text()
            case.check(got == status and (turn != "unresolved" or turn in said),
                       f"{turn}: {path.name}: {got}, not {status}: {said[-300:]}")


def kubernetes_image(case: Case) -> None:
    """The mesh's image has the scripts of this tree, one layer, nobody as its user, and says busybox's licence."""
    name = image("getthrough-mesh")
    found = json.loads(docker("inspect", name))[0]
    case.note(f"{found['Size']:,} bytes")
    case.check(found["Config"]["User"] == sandbox.NOBODY and len(found["RootFS"]["Layers"]) == 1, f"{found['Config']}")
    licences = found["Config"]["Labels"]["org.opencontainers.image.licenses"]
    case.check(licences == "(MIT OR Apache-2.0) AND GPL-2.0-only", licences)
    for script in (*HOST_SCRIPTS.iterdir(), manifests.DIRECTORY / "mesh-pod"):
        text = docker("run", "--rm", "--network", "none", name, "cat", f"/usr/bin/{script.name}")
        case.check(text == script.read_text().strip(), f"{script.name} is another one")
        said = docker("run", "--rm", "--network", "none", name, script.name, "--help")
        case.check("usage: " in said, f"{script.name} --help: {said}")
    for words, reason in ((("--busybox", "/bin/sh"), "no static program"),
                          (("--busybox", "/etc/passwd"), "no static program"),
                          (("--arch", "arm64"), "needs --busybox"),
                          (("--arch", "arm64", "--busybox", "/bin/busybox"), "for arm64")):
        ended = harness.run([ROOT / "scripts" / "image", "--mesh", "--dist", sandbox.DIST, *words], case.scratch)
        case.check(ended.status == 2 and reason in ended.errors.decode(), f"{words}: {ended}")
