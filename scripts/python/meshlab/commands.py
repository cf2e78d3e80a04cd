"""scripts/mesh as somebody uses it: what it prints, what it refuses, how it ends."""

import json
import os
import re
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Sequence

from lab import harness
from lab.case import Case
from lab.command import ROOT
from lab.harness import Ended
from lab.trial import Trial

MESH = ROOT / "scripts" / "mesh"
DESK_SECONDS = 60.0  # that a desk of six may take
FLEET = "web1=192.0.2.1 r1\nweb2=192.0.2.2 r1\ndb=192.0.2.3 r2 east\n"
PAGES = (ROOT / "README.md", ROOT / "docs" / "zh" / "README.md")  # which show what the desk of six says
# What was asked, and what the line that refuses it says.
REFUSED: tuple[tuple[tuple[str, ...], str], ...] = (
    ((), "one of FLEET, --inventory, --desk and --report is needed"),
    (("--desk", "6", "--report", "x"), "one of FLEET"),
    (("--desk", "1"), "2 to"),
    (("--desk", "six"), "a number from 2"),
    (("--desk", "6", "--fault", "dead:r9-h1"), "no host r9-h1: there are r1-h1"),
    (("--desk", "6", "--fault", "tired:r1-h1"), "no such fault: there are dead block"),
    (("--desk", "6", "--fault", "none", "--hide", "1"), "do not go together"),
    (("--desk", "6", "--count", "0"), "a number from 1"),
    (("--desk", "6", "--timeout", "soon"), "a duration is needed"),
    (("--desk", "6", "--minute", "noon"), "2026-11-27T0831Z"),
    (("--desk", "6", "--policy", "POLICY"), "/policy: line 1: nobody in the desk is meant by web1$"),
    (("FLEET", "--policy", "POLICY", "--plan"), "/policy: line 2: nobody in [^ ]+/fleet is meant by r1-h1$"),
    (("FLEET", "--fault", "none"), "--fault is for a desk"),
    (("FLEET", "--reveal"), "--reveal is for a desk"),
    (("FLEET", "--programs", "/nowhere"), "/nowhere: has neither the four programs nor"),
    (("FLEET", "--policy", "/nowhere"), "/nowhere: "),
    (("FLEET", "--plan", "web9"), "it has no host web9"),
    (("FLEET", "--ssh", "no-such-ssh"), "no-such-ssh missing"),
    (("/nowhere",), "/nowhere: No such file or directory"),
    (("/",), "/: Is a directory"),
    (("/dev/null",), "/dev/null: it has no host"),
    (("--report", "/nowhere"), "/nowhere: it has no round"),
    (("--report", "/nowhere", "--plan"), "--report reads what is there"),
    (("--inventory", "/nowhere"), "ansible-inventory is missing|/nowhere: no such file or directory"),
)


def trials() -> Sequence[Trial]:
    return (
        Trial("mesh-refuses", refuses),
        Trial("mesh-plan", plan),
        Trial("mesh-desk-of-six", desk_of_six),
        Trial("mesh-desk-well", well),
        Trial("mesh-desk-policy", policy),
        Trial("mesh-desk-hides", hides),
        Trial("mesh-nobody", nobody, {"ssh": "openssh-client"}),
        Trial("mesh-gone", gone),
        Trial("mesh-interrupted", interrupted),
    )


def mesh(case: Case, *arguments: str, seconds: float = DESK_SECONDS) -> Ended:
    return harness.run([MESH, *words(case, *arguments)], case.scratch, seconds)


def words(case: Case, *arguments: str) -> list[str]:
    """The arguments, with programs that need not be built."""
    needs_none = {"--report", "--plan", "--programs"} & {*arguments}
    return [*arguments, *(() if needs_none else ("--programs", os.path.dirname(case.path("tcp-client"))))]


def refuses(case: Case) -> None:
    """What cannot be done is said in a line, with what there is, and the exit status is 2."""
    files = {"FLEET": case.scratch / "fleet", "POLICY": case.scratch / "policy"}
    files["FLEET"].write_text(FLEET)
    files["POLICY"].write_text("web1 * tcp/6666 ok\nr1-h1 * tcp/6666 ok\n")
    for arguments, reason in REFUSED:
        ended = mesh(case, *(str(files.get(word, word)) for word in arguments))
        said = ended.errors.decode().strip()
        is_line = len(said.splitlines()) == 1 and said.startswith("mesh: ")
        case.check(ended.status == 2 and is_line and re.search(reason, said) and not ended.output,
                   f"{arguments}: {ended.status}: {said[-300:]!r}")


def plan(case: Case) -> None:
    """--plan prints the plan of everybody, or of a host, from a file or standard input, and sends nothing."""
    fleet = case.scratch / "fleet"
    fleet.write_text(FLEET)
    everybody = mesh(case, str(fleet), "--plan").output.decode().splitlines()
    case.check(len(everybody) == 3 * 2 * 2, f"{everybody}")
    own = mesh(case, str(fleet), "--plan", "db", "--minute", "2026-11-27T0831Z").output.decode().splitlines()
    targets = [line.split()[:3] for line in own[::2]]
    case.check(targets == [["db", "web1", "192.0.2.1:6666"], ["db", "web2", "192.0.2.2:6666"]], f"{own}")
    piped = subprocess.run([MESH, "-", "--plan"], input=FLEET, text=True, capture_output=True)
    case.check(piped.stdout.splitlines() == everybody and piped.returncode == 0, f"{piped}")


def desk_of_six(case: Case) -> None:
    """A desk of six shows a blocked pair, a lossy uplink and a dead host for what they are, within a minute."""
    out, picture = case.scratch / "out", case.scratch / "mesh.svg"
    ended = mesh(case, "--desk", "6", "--out", str(out), "--svg", str(picture))
    text = ended.output.decode()
    case.check(ended.status == 1 and not ended.errors, f"{ended.status}: {ended.errors[-500:]!r}")
    case.check(re.search(r"^r2-h2 +unreachable by desk", text, re.M), f"r2-h2 has no row of its own:\n{text}")
    for page in PAGES:
        shown = faults_in(page.read_text())
        case.check(len(shown) == 3 and shown <= faults_in(text), f"{page} shows something else: {shown}, not\n{text}")
    names = {element.text for element in ElementTree.parse(picture).iter() if element.text}
    case.check({"r1-h1", "r2-h2", "r3-h2"} <= {name.strip() for name in names}, f"{sorted(names)}")
    again = mesh(case, "--report", str(out))
    case.check(again.status == 1 and text.startswith(again.output.decode()), again.output.decode() + text)
    objects = [json.loads(line) for line in mesh(case, "--report", str(out), "--json").output.splitlines()]
    cells = [each for each in objects if each["event"] == "cell"]
    # A machine that is busy is a finding, too, and none of the network.
    kinds = [each["kind"] for each in objects if each["event"] == "finding"]
    findings = [kind for kind in kinds if kind not in ("local", "late")]
    case.check((len(cells), findings) == (60, ["dead", "policy", "uplink-out"]), f"{len(cells)} cells, {findings}")
    case.note(f"{len(cells)} cells, {len(findings)} findings")


def faults_in(text: str) -> set[str]:
    """The sentences below `Whose fault it is:`, whose figures may be others in each round."""
    part = text.partition("\nWhose fault it is:")[2].partition("```")[0].partition("\n\n")[0]
    sentences = (" ".join(words.split()) for words in part.split("\n- ")[1:])
    return {re.sub(r"[0-9]+(\.[0-9]+)? (%|of [0-9]+)", "N", sentence) for sentence in sentences}


def well(case: Case) -> None:
    """Without a fault there is nothing to find, and the exit status is 0."""
    ended = mesh(case, "--desk", "4", "--fault", "none")
    case.check(ended.status == 0 and b"all as the policy says" in ended.output and b"fault it is" not in ended.output,
               f"{ended.status}: {ended.output.decode()}{ended.errors.decode()}")


def policy(case: Case) -> None:
    """What a policy denies has to be denied: then it is as it should be, and otherwise it is named."""
    denied = case.scratch / "policy"
    denied.write_text("* * tcp/6666 ok\n* * udp/7777 ok\nr1-h1 r2-h1 * -\n".replace(
        "r1-h1 r2-h1 * -", "r1-h1 r2-h1 tcp/6666 timeout\nr1-h1 r2-h1 udp/7777 no-reply"))
    ended = mesh(case, "--desk", "4", "--policy", str(denied), "--fault", "block:r1-h1:r2-h1")
    case.check(ended.status == 0, f"{ended.status}: {ended.output.decode()}{ended.errors.decode()}")
    ended = mesh(case, "--desk", "4", "--policy", str(denied), "--fault", "none")
    said = ended.output.decode()
    case.check(ended.status == 1 and re.search(r"^- .*r1-h1.*r2-h1", said, re.M), f"{ended.status}: {said}")


def nobody(case: Case) -> None:
    """If no host is reached, each has a row with the reason, and the exit status is 2: nothing was measured."""
    fleet = case.scratch / "fleet"
    fleet.write_text("one.invalid\ntwo.invalid\n")
    ended = mesh(case, str(fleet), "--ssh", f"ssh -F {os.devnull}")
    said = ended.output.decode()
    for host in ("one.invalid", "two.invalid"):
        case.check(re.search(rf"^{host} +unreachable by ssh +\S", said, re.M), f"{host}: {said}{ended.errors.decode()}")
    case.check(ended.status == 2, f"{ended.status}")


def gone(case: Case) -> None:
    """A reader that goes away is no error that is said, and a full disk is"""
    fleet = case.scratch / "fleet"
    fleet.write_text("".join(f"h{number}\n" for number in range(48)))
    full = b"mesh: standard output: No space left on device\n"
    for words, expected in (("| head -n 1 >/dev/null", b""), (">/dev/full", full)):
        # Without what a distribution may have changed of how Python takes a broken pipe.
        line = f"set -o pipefail; python3 -I -S {MESH} {fleet} --plan {words}"
        ended = harness.run(["bash", "-c", line], case.scratch)
        case.check(ended.status == (2 if expected else 1) and ended.errors == expected,
                   f"{words}: {ended.status}: {ended.errors!r}")


def hides(case: Case) -> None:
    """Hidden faults are told only to who asks."""
    ended = mesh(case, "--desk", "8", "--hide", "7")
    case.check(ended.status == 1 and b"What was wrong" not in ended.output, f"{ended.status}: {ended.output.decode()}")
    ended = mesh(case, "--desk", "8", "--hide", "7", "--reveal")
    case.check(b"What was wrong at this desk:" in ended.output, ended.output.decode())


def interrupted(case: Case) -> None:
    """Ctrl-C and SIGTERM in the middle of a round leave no process and no directory."""
    scratch = case.scratch / "tmp"
    scratch.mkdir()
    asked = words(case, "--desk", "4", "--fault", "none", "--count", "200")
    command: list[str | Path] = ["env", f"TMPDIR={scratch}", MESH, *asked]
    for number in (signal.SIGINT, signal.SIGTERM):
        with open(case.scratch / "said", "wb") as said:
            running = harness.start(command, stdout=subprocess.DEVNULL, stderr=said)
        case.check(harness.until(lambda: clients_of(running.pid), DESK_SECONDS), "no client was started")
        started = below(running.pid)
        running.send_signal(number)
        status, errors = harness.reap(running), (case.scratch / "said").read_bytes()
        case.check(status == 130 and not errors, f"{number}: {status}: {errors!r}")
        case.check(harness.until(lambda: not still_there(started)), f"{number}: still there: {still_there(started)}")
        case.check(not [*scratch.iterdir()], f"{number}: left behind: {[*scratch.iterdir()]}")


def clients_of(ancestor: int) -> list[int]:
    return [process for process, name in below(ancestor).items() if name.endswith("-client")]


def still_there(processes: dict[int, str]) -> list[str]:
    return [name for process, name in processes.items() if named().get(process, (0, ""))[1] == name]


def below(ancestor: int) -> dict[int, str]:
    """What a process, or what it has started, has started: each process and its program."""
    there = named()

    def is_below(process: int) -> bool:
        while process > 1 and process != ancestor:
            process = there.get(process, (0, ""))[0]
        return process == ancestor

    return {process: name for process, (_, name) in there.items() if process != ancestor and is_below(process)}


def named() -> dict[int, tuple[int, str]]:
    """All processes: their parents and programs."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/stat") as stat:
                    name, _, rest = stat.read().partition("(")[2].rpartition(")")
            except OSError:
                continue
            found[int(entry.name)] = (int(rest.split()[1]), name)
    return found
