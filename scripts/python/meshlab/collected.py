"""What deploy/kubernetes brings out of a cluster, by kubectl: the fleet, and the rounds from the pods' logs."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator, NamedTuple

from lab.case import Case
from lab.harness import PATIENCE
from lab.trial import Trial
from meshlab import api
from meshlab.api import Cluster, Pod
from meshlab.manifests import DIRECTORY, KUBECTL

MINUTE = "2026-11-27T0831Z"
ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"


class Said(NamedTuple):
    status: int
    output: str
    errors: str


def trials() -> Iterator[Trial]:
    for perform in (kubernetes_fleet, kubernetes_collect, kubernetes_collect_file, kubernetes_collect_nothing):
        yield Trial(perform.__name__.replace("_", "-"), perform, KUBECTL)


def run(cluster: Cluster, scratch: Path, script: str, *words: str | Path) -> Said:
    with api.serving(cluster, scratch) as environment:
        done = subprocess.run([DIRECTORY / script, *words], env=os.environ | environment, stdin=subprocess.DEVNULL,
                              text=True, capture_output=True, timeout=2 * PATIENCE)
    return Said(done.returncode, done.stdout, done.stderr)


def line(event: str, **fields: Any) -> str:
    return json.dumps({"schema": 1, "event": event, **fields}, separators=(",", ":")) + "\n"


def round_of(host: str, others: list[str], fleet: list[str] | None, minute: str = MINUTE, ends: bool = True) -> str:
    """What a pod prints in a round."""
    said = line("round", minute=minute, host=host, fleet=fleet, version="0.1.0")
    for other in others:
        said += line("planned", **{"from": host}, to=other, target=f"{other}:6666", service="tcp/6666", expect="ok",
                     source_port=20000)
    for other in others:
        said += line("summary", target=f"{other}:6666", sent=64, ok=64)
    return said + (line("round_ended", minute=minute, host=host, status=0, reason=None) if ends else "")


def visits(directory: Path, minute: str = MINUTE) -> dict[str, Any]:
    lines = (directory / "visits" / f"{minute}.ndjson").read_text().splitlines()
    return {each["host"]: each for each in map(json.loads, lines)}


def kubernetes_fleet(case: Case) -> None:
    """The fleet has each node that has a pod with an address, in its zone; who may not ask for zones gets none."""
    pods = [Pod("p-1", "node-b", "10.0.0.2", None), Pod("p-2", "node-a", "10.0.0.1", None),
            Pod("p-3", "node-c", None, None), Pod("p-4", "node-a", "10.0.0.9", None, leaves=True),
            Pod("p-5", "node-6", "fd00::6", None)]
    nodes = {"node-a": {ZONE: "z1", REGION: "here"}, "node-b": {ZONE: "z2", "example.com/rack": "r7"},
             "node-6": {REGION: "x"}}
    said = run(Cluster(pods, nodes), case.scratch, "fleet")
    case.check(said == Said(0, "node-6=fd00::6\nnode-a=10.0.0.1 z1 here\nnode-b=10.0.0.2 z2\n",
                            "fleet: node-c: its pod has no address yet\n"), f"{said}")
    said = run(Cluster(pods, nodes), case.scratch, "fleet", "-r", "example.com/rack", "-d", ZONE)
    case.check(said.output == "node-6=fd00::6\nnode-a=10.0.0.1\nnode-b=10.0.0.2 r7 z2\n", f"other labels: {said}")
    said = run(Cluster(pods), case.scratch, "fleet")
    case.check(said[:2] == (0, "node-6=fd00::6\nnode-a=10.0.0.1\nnode-b=10.0.0.2\n"), f"no right: {said}")
    for words in (("-n", "elsewhere"), ("-r", "a b"), ("-x",), ("more",)):
        said = run(Cluster(pods), case.scratch, "fleet", *words)
        status = 1 if words[0] == "-n" else 2
        case.check(said.status == status and not said.output and "fleet: " in said.errors, f"{words}: {said}")


def kubernetes_collect(case: Case) -> None:
    """Whole rounds come out under the nodes' names; who made none has a line that says why."""
    listed = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.7"]
    whole = round_of("10.0.0.1", ["10.0.0.2", "10.0.0.7"], listed)
    fails = line("failure", minute=MINUTE, host="10.0.0.3", thing="getthrough", reason='no "name"', exit_status=1)
    pods = [Pod("p-1", "node-a", "10.0.0.1", lambda _: "mesh-round: a word\n" + whole),
            Pod("p-2", "node-b", "10.0.0.2", lambda _: round_of("10.0.0.2", ["10.0.0.1"], listed, ends=False)),
            Pod("p-3", "node-c", "10.0.0.3", lambda _: fails),
            Pod("p-4", "node-d", "10.0.0.4", None)]
    out = case.scratch / "out"
    said = run(Cluster(pods, {"node-a": {ZONE: "z1"}}), case.scratch, "collect", out)
    case.check(said.status == 0, f"{said}")
    fleet = (out / "fleet").read_text()
    case.check(fleet == "node-a=10.0.0.1 z1\nnode-b=10.0.0.2\nnode-c=10.0.0.3\nnode-d=10.0.0.4\n10.0.0.7\n", fleet)
    plan = (out / "plans" / MINUTE).read_text()
    own = "node-a node-b 10.0.0.2:6666 tcp/6666 ok 20000\nnode-a 10.0.0.7 10.0.0.7:6666 tcp/6666 ok 20000\n"
    case.check(plan.startswith(own), f"plan: {plan}")
    # And for the four others what they would have said.
    others = plan.removeprefix(own).splitlines()
    case.check(len(others) == 4 * 4 * 2 and "node-b node-a 10.0.0.1:6666 udp/6666 ok 20048" in others
               and not any(each.startswith("node-a ") for each in others), f"their plans: {others}")
    results = {path.name: path.read_text() for path in (out / "results" / MINUTE).iterdir()}
    summaries = "".join(each + "\n" for each in whole.splitlines() if '"summary"' in each)
    case.check(results == {"node-a.ndjson": summaries}, f"results: {results}")
    case.check(not (out / "policy").exists(), "there is a policy")
    found = {host: (each["state"], each["version"], each["reason"]) for host, each in visits(out).items()}
    none = ("failed", None, "its log has no such round")
    reason = found.pop("node-d", ("", None, ""))
    case.check(found == {"node-a": ("ok", "0.1.0", None), "node-b": none, "10.0.0.7": none,
                         "node-c": ("failed", None, 'getthrough: no "name"')}, f"visits: {found}")
    case.check(reason[0] == "unreachable" and "no route to host" in reason[2], f"a log that cannot be read: {reason}")
    said = run(Cluster(pods), case.scratch, "collect", out)
    case.check(said.status == 2 and "there is something already" in said.errors, f"a second time: {said}")


def kubernetes_collect_file(case: Case) -> None:
    """With a fleet in the ConfigMap, its names and its policy count; a round is of the time that was asked for."""
    config = {"fleet": "# mine\na=10.0.0.1 r1\nb=10.0.0.2 r2\n", "policy": "* * tcp/6666 ok\n"}
    asked: list[int] = []

    def log(seconds: int) -> str:
        asked.append(seconds)
        return round_of("a", ["b"], None) + round_of("a", ["b"], None, "2026-11-27T0832Z")

    out = case.scratch / "out"
    pods = [Pod("p-1", "node-a", "10.0.0.1", log),
            Pod("p-2", "node-b", "10.0.0.2", lambda _: round_of("b", ["a"], None))]
    said = run(Cluster(pods, None, config), case.scratch, "collect", "-s", "90", out)
    case.check(said.status == 0 and asked == [90], f"{said}, asked for {asked} s")
    case.check((out / "fleet").read_text() == config["fleet"] and (out / "policy").read_text() == config["policy"],
               f"{(out / 'fleet').read_text()}")
    case.check({path.name for path in (out / "results").rglob("*.ndjson")} == {"a.ndjson", "b.ndjson"}, "hosts' files")
    states = {minute: {host: each["state"] for host, each in visits(out, minute).items()}
              for minute in (MINUTE, "2026-11-27T0832Z")}
    case.check(states == {MINUTE: {"a": "ok", "b": "ok"}, "2026-11-27T0832Z": {"a": "ok", "b": "failed"}}, f"{states}")


def kubernetes_collect_nothing(case: Case) -> None:
    """Without a round, without a cluster, or with words that make no sense it says so in a line, and leaves nothing."""
    idle = Cluster([Pod("p-1", "node-a", "10.0.0.1", lambda _: "")])
    forged = Cluster([Pod("p-1", "node-a", "10.0.0.1", lambda _: round_of("../../x", ["b"], None))])
    for cluster, words, status, reason in (
            (idle, (), 1, "no pod has made a round in the last 600 s"),
            (forged, (), 1, "no pod has made"),
            (Cluster([]), (), 1, "has no pod of the mesh"),
            (Cluster([Pod("p-1", "node-a", None, None)]), (), 1, "no pod of the mesh has an address yet"),
            (idle, ("-s", "0"), 2, "-s 0"), (idle, ("-z",), 2, "usage")):
        out = case.scratch / "out"
        said = run(cluster, case.scratch, "collect", *words, out)
        case.check(said.status == status and reason in said.errors and not out.exists(), f"{words}: {said}")
    with api.serving(idle, case.scratch) as environment:
        pass  # nobody listens there any more
    done = subprocess.run([DIRECTORY / "collect", case.scratch / "out"], env=os.environ | environment, text=True,
                          capture_output=True, timeout=2 * PATIENCE)
    case.check(done.returncode == 1 and not (case.scratch / "out").exists(), f"no cluster: {done}")
