"""deploy/host/mesh-plan: what a policy means, what is wrong with a file, and that every awk and shell says the same."""

import fnmatch
import os
import random
import shutil
from pathlib import Path
from typing import NamedTuple, Sequence

from lab import harness
from lab.case import CLIENTS, Case
from lab.harness import Ended
from lab.trial import Trial
from mesh.fleet import Host
from mesh.plan import MESH_PLAN
from meshlab import plans, wrong
from meshlab.wrong import FLEET, POLICY

POLICIES = 40
AWKS = {"gawk": "gawk", "mawk": "mawk", "original-awk": "original-awk", "busybox": "busybox"}
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"]}
VERDICTS = ["ok", "refused", "unreachable", "timeout", "no-reply", "reset", "wrong-reply", "wrong-source", "unresolved"]

def trials() -> Sequence[Trial]:
    return (
        Trial("plan-policy", policy),
        Trial("plan-verdicts", verdicts),
        Trial("plan-hostile", hostile),
        Trial("plan-usage", usage),
        Trial("plan-awks", awks, {**AWKS, "dash": "dash"}),
    )


class Rule(NamedTuple):
    """A line of a policy."""

    source: str
    target: str
    service: str
    expect: str

    def means(self, source: Host, target: Host) -> bool:
        return fits(self.source, source) and fits(self.target, target)


def fits(pattern: str, host: Host) -> bool:
    kind, colon, rest = pattern.partition(":")
    if colon and kind in ("rack", "dc"):
        place = host.rack if kind == "rack" else host.datacentre
        return place is not None and fnmatch.fnmatchcase(place, rest)
    return fnmatch.fnmatchcase(host.name, pattern)


def policy(case: Case) -> None:
    """For each service, the last line that fits a pair counts; `-` is not probed; racks and datacentres are meant"""
    probed = 0
    for _ in range(POLICIES):
        hosts = plans.hosts_of(case.random, case.random.randint(2, 25))
        rules = [rule_for(case.random, hosts) for _ in range(case.random.randint(1, 12))]
        each = plans.fleet_of(case, hosts)
        each.policy.write_text("# \x00\xff\n" + "\r\n".join(" ".join(rule) for rule in rules))
        found = {(line.source, line.target, line.service): ",".join(line.expect) for line in each.plan(case, 1)}
        expected = {}
        for source, target in ((one, other) for one in hosts for other in hosts if one != other):
            # What comes later in the policy overwrites what was before.
            for rule in rules:
                if rule.means(source, target):
                    expected[source.name, target.name, rule.service] = rule.expect
        expected = {key: expect for key, expect in expected.items() if expect != "-"}
        differing = sorted(set(found.items()) ^ set(expected.items()))
        case.check(not differing, f"{rules}: {differing[:2]}")
        probed += len(found)
    case.note(f"{probed} probes")


def rule_for(chance: random.Random, hosts: list[Host]) -> Rule:
    """A random line that means somebody at each end."""
    service = chance.choice(["tcp/6666", "udp/6666", "connect/22", "udp/53"])
    expect = chance.choice(["-", "ok", "refused,timeout", "unreachable"])
    return Rule(pattern_for(chance, hosts), pattern_for(chance, hosts), service, expect)


def pattern_for(chance: random.Random, hosts: list[Host]) -> str:
    host = chance.choice(hosts)
    words = [("", "*"), ("", host.name)]
    words += [("rack:", "*")] if any(other.rack for other in hosts) else []
    words += [("rack:", host.rack)] if host.rack else []
    words += [("dc:", host.datacentre)] if host.datacentre else []
    kind, word = chance.choice(words)
    for _ in range(chance.choice([0, 0, 1, 2, 3])):
        cut = chance.randrange(len(word) + 1)
        # A star in place of some letters, or of none; or a question mark for one.
        word = chance.choice([word[:cut] + "*" + word[cut + chance.randint(0, 2):], word[:cut] + "?" + word[cut + 1:]
                              if cut < len(word) and word[cut] != "*" else word])
    return kind + word


def verdicts(case: Case) -> None:
    """Each verdict that the clients have may be expected"""
    listed = set()
    for client in CLIENTS:
        text = case.help(client).partition("\nVerdicts:\n")[2].partition("\n\n")[0]
        listed |= {line.split()[0] for line in text.splitlines() if line[2:3].strip()}
    case.check(set(VERDICTS) | {"local"} == listed, f"the clients list {sorted(listed)}")
    for verdict in listed:
        ended = plan(case, FLEET, f"* * udp/1 {verdict},ok\n".encode())
        case.check(ended.status == 0 and f" {verdict},ok ".encode() in ended.output, f"{verdict}: {ended}")


def hostile(case: Case) -> None:
    """Files that are odd or hostile: one line says which file, which line and why, and the exit status is 2"""
    every = [*wrong.fleets(), *wrong.policies()]
    for each in every:
        ended = plan(case, each.fleet, each.policy)
        says = f"mesh-plan: {case.scratch}/{each.says}".encode()
        is_safe = all(32 <= byte < 127 for byte in ended.errors.rstrip(b"\n"))
        case.check(ended.status == 2 and not ended.output and ended.errors.startswith(says) and is_safe
                   and ended.errors.count(b"\n") == 1, f"{each}: {ended}")
    case.note(f"{len(every)} files")


def usage(case: Case) -> None:
    """What cannot be a command line, files that cannot be read or have odd names, a plan that cannot be written"""
    (case.scratch / "fleet").write_bytes(FLEET)
    fleet = str(case.scratch / "fleet")
    for words in (
        [], [fleet], [fleet, "a"], [fleet, "a", "1", "2"], ["-x", fleet, "a", "1"], ["--all", fleet, "1"],
        [fleet, "a", ""], [fleet, "a", "-1"], [fleet, "a", "1.5"], [fleet, "a", "1e3"], [fleet, "a", "0x1"],
        [fleet, "a", "1234567890"], [fleet, "e", "1"], [fleet, "", "1"], [fleet, "a\\", "1"], [fleet, "*", "1"],
        ["-k", "0", fleet, "a", "1"], ["-k", "701", fleet, "a", "1"], ["-k", "", fleet, "a", "1"],
        ["-a", "701", fleet, "a", "1"], ["-a", "x", fleet, "a", "1"], ["-k"], ["-p", "", fleet, "a", "1"],
        ["-p", "nowhere", fleet, "a", "1"], ["-p", "/", fleet, "a", "1"], ["nowhere", "a", "1"], ["/", "a", "1"],
        ["", "a", "1"], ["/dev/zero", "a", "1"],
    ):
        ended = harness.run([*plans.LIMITED, MESH_PLAN, *words], case.scratch)
        case.check(ended.status == 2 and not ended.output and ended.errors.startswith(b"mesh-plan: ")
                   and ended.errors.count(b"\n") == 1, f"{words}: {ended}")
    ended = harness.run([MESH_PLAN, "--help"], case.scratch)
    case.check(ended.status == 0 and b"usage: mesh-plan" in ended.output and b"set -eu" not in ended.output, f"{ended}")
    expected = harness.run([MESH_PLAN, fleet, "--all", "1"], case.scratch).output
    for name in ("a=b", "-", "with space", "back\\tslash", "$HOME", "'", "é", "-k"):
        path = case.scratch / name
        path.write_bytes(FLEET)
        (case.scratch / f"{name}.policy").write_bytes(POLICY + b"* * tcp/6666 ok\n* * udp/6666 ok\n")
        asked: list[harness.Word] = [MESH_PLAN, "-p", f"./{name}.policy", "--", name, "--all", "1"]
        short = harness.run(asked, case.scratch, cwd=case.scratch)
        case.check(sorted(short.output.split(b"\n")) == sorted(expected.split(b"\n")), f"a file {name!r}: {short}")
    with open("/dev/full", "wb") as full:
        ended = harness.run([MESH_PLAN, fleet, "--all", "1"], case.scratch, stdout=full)
    case.check(ended.status == 2, f"to a full disk: {ended}")


def awks(case: Case) -> None:
    """gawk, mawk, busybox and the original awk, in dash and in busybox sh: the same bytes and the same status"""
    situations = [(each.fleet, each.policy, "--all", "1") for each in (*wrong.fleets(), *wrong.policies())][::6]
    # Many ways to share a name among the stars of a pattern, none of which fits: that takes no time.
    situations.append((b"n" * 200, POLICY + b"*n" * 90 + b"x * udp/1 ok", "--all", "1"))
    for each in plans.fleets(case, 8, largest=120):
        hosts = each.hosts
        rules = "".join(" ".join(rule_for(case.random, hosts)) + "\n" for _ in range(5))
        who, minute = case.random.choice(["--all", hosts[0].name]), str(case.random.randint(0, plans.LAST_MINUTE))
        situations.append((each.path.read_bytes(), rules.encode(), who, minute))
    for fleet, rules_, who, minute in situations:
        said = {(awk, shell): plan(case, fleet, rules_, who, minute, awk, shell) for awk in AWKS for shell in SHELLS}
        differing = [key for key, ended in said.items() if ended != said["gawk", "dash"]]
        case.check(not differing, f"{differing} differ from gawk in dash: {said[differing[0]] if differing else ''}")
    case.note(f"{len(situations)} situations")


def plan(case: Case, fleet: bytes, policy: bytes, who: str = "--all", minute: str = "1", awk: str | None = None,
         shell: str | None = None) -> Ended:
    paths = case.scratch / "fleet", case.scratch / "policy"
    for path, text in zip(paths, (fleet, policy)):
        path.write_bytes(text)
    words: list[harness.Word] = [MESH_PLAN, "-p", paths[1], paths[0], who, minute]
    if awk and shell:
        words = ["env", f"PATH={tools(case, awk, shell)}:{os.environ['PATH']}", *SHELLS[shell], *words]
    return harness.run([*plans.LIMITED, *words], case.scratch)


def tools(case: Case, awk: str, shell: str) -> Path:
    """A directory where `awk` is this one; with busybox's shell, the other tools are busybox's, too."""
    directory = case.scratch / f"{awk}-{shell}"
    if not directory.exists():
        directory.mkdir()
        found = {name: shutil.which(name) or name for name in (awk, "busybox")}
        (directory / "awk").symlink_to(found[awk])
        for name in ("sort", "sed", "tr", "cat") if shell == "busybox" else ():
            (directory / name).symlink_to(found["busybox"])
    return directory
