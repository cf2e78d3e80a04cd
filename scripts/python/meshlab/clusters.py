"""deploy/kubernetes without a cluster: would Kubernetes take it, and do the programs take what it says?"""

import copy
import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Iterator

from lab import harness, kubernetes
from lab.case import Case
from lab.harness import until
from lab.hosts import Host
from lab.kubernetes import Object, templates
from lab.protocol import PORT
from lab.trial import Trial
from meshlab import manifests
from meshlab.manifests import DIRECTORY, KUBECTL, KUSTOMIZATIONS, Place, containers, forbidden, handlers

ACCEPTED = 0.5  # seconds within which a program has read its command line
IMAGES = {"getthrough": "getthrough", "tcp-server": "getthrough", "udp-server": "getthrough", "tcp": "getthrough",
          "udp": "getthrough", "mesh": "getthrough-mesh"}


def trials() -> Iterator[Trial]:
    for perform in (kubernetes_schemas, kubernetes_restricted, kubernetes_commands, kubernetes_fits, kubernetes_policy):
        yield Trial(perform.__name__.replace("_", "-"), perform, KUBECTL, manifests.lacks)
    yield Trial("kubernetes-pod", kubernetes_pod, {"busybox": "busybox-static", "dash": "dash"})


def kubernetes_schemas(case: Case) -> None:
    """Kubernetes takes every object, as the files have it and as kubectl puts them together."""
    environment = kubernetes.install()
    files = sorted(path for path in DIRECTORY.rglob("*.yaml") if path.name != "kustomization.yaml")
    for kustomization in KUSTOMIZATIONS:
        rendered = case.scratch / f"{kustomization}.yaml"
        rendered.write_text(manifests.render(kustomization))
        files.append(rendered)
    wrong = list(kubernetes.not_taken(environment, *files))
    case.check(not wrong, f"{wrong}")
    written = {name(each) for file in files for each in kubernetes.parse(file.read_text(), environment)}
    built = {name(each) for each in manifests.objects()}
    case.check(written == built and len(built) == 9, f"not in both: {written ^ built}; {len(built)} objects")
    # Who checks has to see what is wrong.
    text = manifests.render("base")
    for right, slip in (("terminationGracePeriodSeconds", "terminationGraceSeconds"), ("protocol: UDP", "protocol: 17"),
                        ("failureThreshold: 30", "failureThreshold: many")):
        broken = case.scratch / "broken.yaml"
        broken.write_text(text.replace(right, slip))
        case.check(right in text and list(kubernetes.not_taken(environment, broken)), f"{slip} was taken")
    case.note(f"{len(built)} objects, Kubernetes {' and '.join(kubernetes.RELEASES)}")


def name(each: Object) -> tuple[str, str, str]:
    return each["kind"], each["metadata"].get("namespace", "-"), each["metadata"]["name"]


def kubernetes_restricted(case: Case) -> None:
    """Every pod keeps to the restricted profile, which every namespace asks for; and who breaks it is found out."""
    found = manifests.objects()
    for pod, template in templates(found).items():
        wrong = list(forbidden(template))
        case.check(not wrong, f"{pod}: {wrong}")
        for what, spoil in SPOILS.items():
            spoilt = copy.deepcopy(template)
            spoil(spoilt["spec"])
            case.check(list(forbidden(spoilt)), f"{pod} with {what} goes unnoticed")
        # Beyond the profile: nothing is written, nothing of Kubernetes is handed in, and memory has a limit.
        case.check(template["spec"]["automountServiceAccountToken"] is False, f"{pod} has a token")
        for container in containers(template):
            case.check(container["securityContext"]["readOnlyRootFilesystem"], f"{pod} {container['name']} may write")
            case.check("memory" in container["resources"]["limits"] and "cpu" not in container["resources"]["limits"],
                       f"{pod} {container['name']}: {container['resources']}")
    spaces = {each["metadata"]["name"]: each["metadata"]["labels"] for each in found if each["kind"] == "Namespace"}
    for space, labels in spaces.items():
        case.check(labels["pod-security.kubernetes.io/enforce"] == "restricted", f"{space}: {labels}")
    used = {each["metadata"]["namespace"] for each in found if each["kind"] != "Namespace"}
    case.check(used == set(spaces), f"not made: {used - set(spaces)}; not used: {set(spaces) - used}")


def first(spec: Any) -> Any:
    return spec["containers"][0]["securityContext"]


SPOILS: dict[str, Callable[[Any], Any]] = {
    "the node's network": lambda spec: spec.update(hostNetwork=True),
    "the node's processes": lambda spec: spec.update(hostPID=True),
    "a directory of the node": lambda spec: spec.setdefault("volumes", []).append(
        {"name": "x", "hostPath": {"path": "/"}}),
    "a sysctl": lambda spec: spec["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    "root": lambda spec: spec["securityContext"].update(runAsUser=0),
    "any user": lambda spec: spec["securityContext"].pop("runAsNonRoot"),
    "no seccomp": lambda spec: spec["securityContext"].pop("seccompProfile"),
    "seccomp unconfined": lambda spec: first(spec).update(seccompProfile={"type": "Unconfined"}),
    "all rights": lambda spec: first(spec).update(privileged=True),
    "escalation": lambda spec: first(spec).pop("allowPrivilegeEscalation"),
    "all capabilities": lambda spec: first(spec)["capabilities"].pop("drop"),
    "a capability": lambda spec: first(spec)["capabilities"].update(add=["NET_RAW"]),
    "an unmasked /proc": lambda spec: first(spec).update(procMount="Unmasked"),
    "a port of the node": lambda spec: spec["containers"][0].update(ports=[{"containerPort": 1, "hostPort": 1}]),
    "a probe of another host": lambda spec: spec["containers"][0].update(
        livenessProbe={"tcpSocket": {"host": "10.0.0.1", "port": 1}}),
}


def kubernetes_commands(case: Case) -> None:
    """The programs take every command that the objects have, those of the probes too."""
    commands: dict[tuple[str, ...], None] = {}
    for template in templates(manifests.objects()).values():
        for container in containers(template):
            commands[tuple(container["command"])] = None
            for handler in handlers(container):
                commands[tuple(handler["exec"]["command"])] = None
    wrong = refused(case, list(commands))
    case.check(len(commands) == 9 and not wrong, f"of {len(commands)} commands: {wrong}")
    slips = [("tcp-server", "--witnes"), ("tcp-client", "box", "--expect", "silence"),
             ("mesh-pod", "-e", "never", "a", "b")]
    case.check(len(refused(case, slips)) == len(slips), "a command line that is wrong was taken")


def refused(case: Case, commands: list[tuple[str, ...]]) -> list[str]:
    """Which of them the programs cannot even read. They run on hosts of their own, which lead nowhere."""
    path = f"PATH={Path(case.path('tcp-client')).parent}:{DIRECTORY}:{DIRECTORY.parent / 'host'}:/usr/bin:/bin"
    with ExitStack() as stack:
        running = []
        for number, command in enumerate(commands):
            errors = stack.enter_context(open(case.scratch / f"errors-{number}", "wb"))
            host = Host(f"pod-{number}")
            host.ip("link set lo up")
            with host.entered():
                words = [word.replace("$(POD_IP)", "10.0.0.1") for word in command]
                running.append(harness.start(["env", path, *words], stdout=errors, stderr=errors))
        until(lambda: all(process.poll() is not None for process in running), ACCEPTED)
        said = [(process.poll(), command, Path(case.scratch / f"errors-{number}").read_text())
                for number, (process, command) in enumerate(zip(running, commands))]
        for process in running:
            process.terminate()
            harness.reap(process)
    return [f"{' '.join(command)}: {text.strip()}" for status, command, text in said if status in (2, 126, 127)]


def kubernetes_fits(case: Case) -> None:
    """Images, ports, names and selectors say the same everywhere, and a probe's client has less time than the probe."""
    found = manifests.objects()
    own = templates(found)
    for pod, template in own.items():
        for container in containers(template):
            expected = f"{IMAGES[container['name']]}:{kubernetes.version()}"
            case.check(container["image"] == expected, f"{pod}: {container['image']}, not {expected}")
            for probe in handlers(container):
                command = probe["exec"]["command"]
                limit = float(command[command.index("--timeout") + 1].removesuffix("s"))
                case.check(limit < probe["timeoutSeconds"] <= probe["periodSeconds"] or probe["periodSeconds"] == 1,
                           f"{container['name']}: {limit} s of {probe['timeoutSeconds']} of {probe['periodSeconds']}")
    ports = re.findall(r"(?:port|containerPort): (\d+)", "".join(map(manifests.render, KUSTOMIZATIONS)))
    case.check(set(ports) == {str(PORT)}, f"ports: {set(ports)}")
    service = next(each for each in found if each["kind"] == "Service")
    mesh = own["getthrough"]["metadata"]["labels"]
    selector = service["spec"]["selector"]
    case.check(selector.items() <= mesh.items(), f"the Service selects {selector}")
    fleet = (DIRECTORY / "fleet").read_text() + (DIRECTORY / "collect").read_text()
    case.check(fleet.count(",".join(f"{key}={value}" for key, value in sorted(mesh.items(), reverse=True))) == 2,
               "the scripts ask for pods of other labels")
    names = {word for pod in ("allowed", "denied") for container in containers(own[pod])
             for word in container["command"] if word.endswith(".svc")}
    full = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    case.check(names == {full}, f"the Jobs go to {names}, and the Service is {full}")
    command = containers(own["getthrough"])[2]["command"]
    case.check(command[-2] == service["metadata"]["name"], f"the mesh is that of {command[-2]}")


def kubernetes_policy(case: Case) -> None:
    """The policies let the mesh and the allowed namespace in, at the programs' port, and nobody else."""
    found = manifests.objects()
    spaces = {each["metadata"]["name"]: each["metadata"]["labels"] for each in found if each["kind"] == "Namespace"}
    labels = {pod: template.get("metadata", {}).get("labels", {}) for pod, template in templates(found).items()}
    mesh = Place("getthrough", spaces["getthrough"], labels["getthrough"])
    sources = {"mesh": (mesh, True), "stranger": (Place("getthrough", spaces["getthrough"], {}), False),
               "allowed": (Place("getthrough-allowed", spaces["getthrough-allowed"], labels["allowed"]), True),
               "denied": (Place("getthrough-denied", spaces["getthrough-denied"], labels["denied"]), False),
               "pretender": (Place("getthrough-denied", spaces["getthrough-denied"], labels["getthrough"]), False)}
    for who, (source, may) in sources.items():
        for protocol in ("TCP", "UDP"):
            case.check(manifests.lets_in(found, source, mesh, protocol, PORT) is may, f"{who}, {protocol}: not {may}")
        case.check(not manifests.lets_in(found, source, mesh, "TCP", PORT + 1), f"{who} reaches another port")
        other = Place("getthrough", spaces["getthrough"], {})
        case.check(not manifests.lets_in(found, source, other, "TCP", PORT), f"{who} reaches another pod")


def kubernetes_pod(case: Case) -> None:
    """mesh-pod takes 47 addresses of DNS, and with 48 says that it cannot know all; its own may be missing there."""
    tools = case.scratch / "tools"
    tools.mkdir()
    for tool in ("mesh-plan", "mesh-pod"):
        (tools / tool).symlink_to((DIRECTORY if tool == "mesh-pod" else DIRECTORY.parent / "host") / tool)
    stub(tools / "mesh-round", "grep -c . >&2; exit 1")
    path = f"PATH={tools}:/usr/bin:/bin"
    once: list[str | Path] = [tools / "mesh-pod", "-e", "1", "-n", "1", "mesh"]
    for number, count in enumerate((47, 48, 3, 2)):
        addresses = [f"10.0.0.{last}" for last in range(1, count + 1)]
        own = addresses.pop() if number == 2 else addresses[0]
        stub(tools / "tcp-client", f"""[ "$1" != --version ] || {{ echo tcp-client 9.9; exit; }}
            echo '[*] Going to: mesh:6666: {", ".join(addresses)}'; exit 1""")
        for shell in (["dash"], ["busybox", "sh"]):
            said = harness.run(["env", path, *shell, *once, own], case.scratch)
            events = [json.loads(line) for line in said.output.decode().splitlines()]
            kinds = [each["event"] for each in events]
            if len(addresses) == 48:
                case.check(kinds == ["failure"] and "more than 47" in events[0]["reason"], f"{shell}: {said}")
            else:
                hosts = sorted({*addresses, own})
                planned = 2 * (len(hosts) - 1)
                case.check(kinds == ["round", *["planned"] * planned, "round_ended"], f"{shell}, {count}: {said}")
                case.check((events[0]["fleet"], events[0]["version"]) == (hosts, "9.9"), f"{shell}: {events[0]}")
                case.check((events[-1]["status"], events[-1]["reason"]) == (1, str(planned)), f"{shell}: {events[-1]}")
            case.check(said.status == 0 and not said.errors, f"{shell}: {said.status}, {said.errors!r}")
    stub(tools / "tcp-client", """[ "$1" != --version ] || { echo tcp-client 9.9; exit; }
        printf '%s\\n' 'tcp-client: mesh:6666: unresolved (a "name\\")' >&2; exit 1""")
    said = harness.run(["env", path, *once, "10.0.0.1"], case.scratch)
    reason = json.loads(said.output)["reason"]
    case.check(reason == 'unresolved (a "name\\")', f"no name: {reason}")
    for words in ((), ("mesh",), ("-e", "0", "mesh", "own"), ("-e", "1m", "mesh", "own"), ("-x", "mesh", "own")):
        said = harness.run([DIRECTORY / "mesh-pod", *words], case.scratch)
        case.check(said.status == 2 and said.is_quiet or words[:1] == ("-x",), f"{words}: {said}")


def stub(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
