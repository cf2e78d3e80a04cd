"""The container image, run by docker's engine: with a read-only root, and without capabilities."""

import json
import subprocess
import tarfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

from boxes import engine
from boxes.apk import read
from boxes.dist import Dist
from boxes.engine import OURS, box
from lab.trial import Trial
from lab.case import PROGRAMS, SERVERS, Case
from lab.command import ROOT
from lab.engine import Container, build, docker, lacks
from lab.harness import PATIENCE, until

DOCKER = {"docker": "docker.io"}
COMPOSE = ROOT / "packaging" / "container" / "compose.yaml"
LARGEST = 4_000_000  # bytes
NOBODY = "65534"
SOON = 1.0  # seconds within which a container has to stop
HEALTH = ("--health-interval", "200ms", "--health-retries", "2")
DOCUMENTS = ("LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY.txt")


def trials() -> Iterator[Trial]:
    for perform in (container_image, container_exchange, container_confined, container_health, container_stop,
                    container_status, container_signals, container_prompt):
        yield Trial(perform.__name__.replace("_", "-"), perform, DOCKER, lacks)
    yield Trial("container-compose", container_compose, DOCKER, lacks_compose)
    yield Trial("container-buildah", container_buildah, {"buildah": "buildah"})


def lacks_compose() -> str | None:
    return lacks() or (None if engine.compose() else "docker-compose missing: apt-get install docker-compose")


def container_image(case: Case, dist: Dist) -> None:
    """The image is below 4 MB, and has the programs, their licences, and nothing else."""
    name = engine.image(dist)
    found = json.loads(docker("inspect", name))[0]
    case.note(f"{found['Size']:,} bytes")
    case.check(found["Size"] < LARGEST, f"{found['Size']} bytes")
    case.check(found["Config"]["User"] == f"{NOBODY}:{NOBODY}", f"user: {found['Config']['User']}")
    case.check(len(found["RootFS"]["Layers"]) == 1, f"layers: {found['RootFS']['Layers']}")
    version = docker("run", "--rm", "--network", "none", name, "tcp-server", "--version").split()[-1]
    labels = {key.rpartition(".")[2]: value for key, value in found["Config"]["Labels"].items()}
    case.check(labels["version"] == version, f"label: {labels['version']}, but the programs are {version}")
    case.check({"title", "description", "licenses", "source"} < set(labels), f"labels: {labels}")
    files = contents(name, case.scratch)
    expected = {*(f"usr/bin/{program}" for program in PROGRAMS),
                *(f"usr/share/doc/getthrough/{document}" for document in DOCUMENTS)}
    case.check(files == expected, f"files: {sorted(files ^ expected)} too many or too few")


def contents(name: str, scratch: Path) -> set[str]:
    """The files of the image, but for those that the engine puts into each container."""
    saved = scratch / "image.tar"
    docker("save", "--output", str(saved), name)
    with tarfile.open(saved) as image:
        manifest = json.loads(read(image, "manifest.json"))[0]
        (layer,) = manifest["Layers"]
        with tarfile.open(fileobj=image.extractfile(layer)) as files:
            return {each.name for each in files if not each.isdir()}


def container_exchange(case: Case, dist: Dist) -> None:
    """A server in one container answers a client in another, who knows it by its name: TCP and UDP."""
    with box(dist, case.scratch) as containers:
        # The image's own command is tcp-server.
        server = containers.server()
        ended = containers.client("tcp-client", server.name)
        case.check(ended == (0, b"ACK!\n", b""), f"tcp-client: {ended}")
        case.check("[*] Received: hehe, just for a test!" in server.logs(), f"tcp-server: {server.logs()}")
        server = containers.server("udp-server", options=["--no-healthcheck"])
        ended = containers.client("udp-client", server.name, "--message", "across")
        case.check(ended == (0, b"Recvice message ok!\n", b""), f"udp-client: {ended}")
        case.check("\nacross\n" in server.logs(), f"udp-server: {server.logs()}")
        ended = containers.client("tcp-client", "nobody.invalid")
        case.check(ended.status == 1 and b"unresolved" in ended.errors, f"a name that is none: {ended}")


def container_confined(case: Case, dist: Dist) -> None:
    """A server is nobody, has no capability, gets none, and can write nowhere."""
    with box(dist, case.scratch) as containers:
        server = containers.server()
        status = server.process()
        case.check(status["NSpid"].split()[-1] == "1", f"NSpid: {status['NSpid']}")
        for field in ("Uid", "Gid"):
            case.check(set(status[field].split()) == {NOBODY}, f"{field}: {status[field]}")
        for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            case.check(int(status[field], 16) == 0, f"{field}: {status[field]}")
        case.check(status["NoNewPrivs"] == "1", f"NoNewPrivs: {status['NoNewPrivs']}")
        mounts = Path(f"/proc/{server.state('Pid')}/mounts").read_text().splitlines()
        root = next(mount.split()[3] for mount in mounts if mount.split()[1] == "/")
        case.check("ro" in root.split(","), f"the root is not read-only: {root}")


def container_health(case: Case, dist: Dist) -> None:
    """A server is healthy, and is not if it hangs, or listens on another port."""
    with box(dist, case.scratch) as containers:
        server = containers.server(options=HEALTH)
        case.check(server.becomes("healthy"), f"a server is {server.health()}")
        server.kill("STOP")
        case.check(server.becomes("unhealthy"), f"a server that hangs is {server.health()}")
        server.kill("CONT")
        case.check(server.becomes("healthy"), f"a server that goes on is {server.health()}")
        server = containers.server("tcp-server", "--listen", ":7777", options=HEALTH)
        case.check(server.becomes("unhealthy"), f"a server on another port is {server.health()}")


def container_stop(case: Case, dist: Dist) -> None:
    """As process 1, the servers end in order, within a second of docker stop, and of SIGINT."""
    with box(dist, case.scratch) as containers:
        for program in SERVERS:
            for what in ("docker stop", "SIGINT"):
                server = containers.server(program, options=["--no-healthcheck"])
                begun = time.monotonic()
                if what == "SIGINT":
                    server.kill("INT")
                    server.wait()
                else:
                    server.stop()
                taken = time.monotonic() - begun
                case.note(f"{program}, {what}: {taken:.2f} s")
                case.check(taken < SOON, f"{program}: {what} takes {taken:.2f} s")
                ended = (server.state("ExitCode"), server.logs().splitlines()[-1][:12])
                case.check(ended == (0, "[*] Stopped:"), f"{program}: {what}: {ended}")


def container_status(case: Case, dist: Dist) -> None:
    """As process 1, the clients have their exit statuses: 0, 1, 2 and 124."""
    with box(dist, case.scratch) as containers:
        for protocol in ("tcp", "udp"):
            server = containers.server(f"{protocol}-server", options=["--no-healthcheck"])
            client = (f"{protocol}-client", server.name, "--message", "hello")
            for status, options in ((0, ()), (1, ("--expect", "refused")), (2, ("--timeout", "-1")),
                                    (124, ("--expect", "refused", "--wait", "--deadline", "300ms"))):
                ended = containers.client(*client, *options)
                case.check(ended.status == status, f"{client[0]} {' '.join(options)}: {ended}, not {status}")


def container_signals(case: Case, dist: Dist) -> None:
    """As process 1, a client that waits ends by SIGTERM with 143, and a run with its summary."""
    with box(dist, case.scratch) as containers:
        for protocol in ("tcp", "udp"):
            server = containers.server(f"{protocol}-server", options=["--no-healthcheck"])
            client = (f"{protocol}-client", server.name, "--message", "hello")
            waits = containers.start([*client, "--expect", "refused", "--wait", "--deadline", "60s"])
            stop_client(case, waits, 143, "interrupted")
            run = containers.start([*client, "--count", "0", "--interval", "50ms"])
            stop_client(case, run, 0, "\n--- ")


def stop_client(case: Case, client: Container, status: int, last_words: str) -> None:
    """Stops it once it has printed something."""
    until(lambda: client.logs() or not client.state("Running"))
    begun = time.monotonic()
    client.stop()
    taken = time.monotonic() - begun
    case.check(taken < SOON, f"docker stop takes {taken:.2f} s")
    logs = client.logs()
    case.check(client.state("ExitCode") == status and last_words in logs,
               f"status {client.state('ExitCode')}, not {status}: {logs[-300:]}")


def container_prompt(case: Case, dist: Dist) -> None:
    """docker run -i has the prompt of udp-client: a reply to each line, and the end at an empty one."""
    with box(dist, case.scratch) as containers:
        server = containers.server("udp-server", options=["--no-healthcheck"])
        typed = case.scratch / "typed"
        typed.write_text("one\ntwo\n\nthree\n")
        with open(typed, "rb") as stdin:
            ended = containers.client("udp-client", server.name, options=["--interactive"], stdin=stdin)
        case.check(ended.status == 0 and ended.output.count(b"Recvice message ok!\n") == 2, f"{ended}")
        logs = server.logs()
        case.check("\ntwo\n" in logs and "three" not in logs, f"udp-server: {logs}")


def container_compose(case: Case, dist: Dist) -> None:
    """compose.yaml ends with the client's status, whichever that is, and its servers are confined and healthy."""
    fails = case.scratch / "fails.yaml"
    fails.write_text("services: {client: {command: [tcp-client, tcp-server, --expect, refused]}}\n")
    for status, files in ((0, [COMPOSE]), (1, [COMPOSE, fails])):
        with project(dist, *files) as compose:
            ended = compose("up", "--no-color", "--exit-code-from", "client")
            case.check(ended.returncode == status, f"up: {ended.returncode}, not {status}: {ended.stdout[-300:]}")
    often = case.scratch / "often.yaml"
    often.write_text("services: {tcp-server: {healthcheck: {interval: 200ms}},\n"
                     "           udp-server: {healthcheck: {interval: 200ms}}}\n")
    with project(dist, COMPOSE, often) as compose:
        compose("up", "--detach", "tcp-server", "udp-server")
        for server in map(Container, compose("ps", "--quiet").stdout.split()):
            case.check(server.becomes("healthy"), f"{server.inspect()['Name']} is {server.health()}")
            host = server.inspect()["HostConfig"]
            rights = (host["ReadonlyRootfs"], host["CapDrop"], host["SecurityOpt"])
            case.check(rights == (True, ["ALL"], ["no-new-privileges:true"]), f"{server.inspect()['Name']}: {rights}")
        for status, command in ((0, ()), (1, ("udp-client", "udp-server", "7777", "--message", "hello"))):
            ended = compose("run", "--rm", "-T", "udp-client", *command)
            case.check(ended.returncode == status, f"run: {ended.returncode}, not {status}: {ended.stdout[-300:]}")


@contextmanager
def project(dist: Dist, *files: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Compose with these files. What it has made is removed at the end."""
    named = [word for file in files for word in ("--file", str(file))]
    words = ["env", f"GETTHROUGH_IMAGE={engine.image(dist)}", *(engine.compose() or []), "--project-name", OURS, *named]

    def compose(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*words, *arguments], stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=3 * PATIENCE)

    try:
        yield compose
    finally:
        compose("down", "--volumes", "--remove-orphans", "--timeout", "1")


def container_buildah(case: Case, dist: Dist) -> None:
    """buildah builds the same image: nobody, tcp-server, the health check, and the one layer."""
    try:
        build(dist.root, "buildah", OURS)
        found = json.loads(buildah("inspect", "--type", "image", OURS))
        config = found["Docker"]["config"]
        case.check(config["User"] == f"{NOBODY}:{NOBODY}" and config["Cmd"] == ["tcp-server"], f"{config}")
        case.check(config["Healthcheck"]["Test"][:2] == ["CMD", "tcp-client"], f"{config.get('Healthcheck')}")
        case.check(len(found["OCIv1"]["rootfs"]["diff_ids"]) == 1, f"{found['OCIv1']['rootfs']}")
        size = next(each["size"] for each in json.loads(buildah("images", "--json", OURS)))
        case.note(f"buildah says {size}")
    finally:
        buildah("rmi", "--force", *set(buildah("images", "--quiet", OURS).split()))


def buildah(*arguments: str) -> str:
    ended = subprocess.run(["buildah", *arguments], stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=PATIENCE)
    if ended.returncode != 0:
        raise RuntimeError(f"buildah {arguments[0]}: {ended.stderr[-300:]}")
    return ended.stdout
