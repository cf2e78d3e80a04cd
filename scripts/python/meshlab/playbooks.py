"""deploy/ansible: its playbooks, from a machine of a desk to hosts with sshd, and systemd on some."""

import json
import os
import re
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Sequence

from lab import harness, namespace, systemd
from lab.case import PROGRAMS, Case
from lab.command import ROOT
from lab.harness import until
from lab.trial import Trial
from mesh import results
from mesh.cells import Cell
from mesh.desks import faults
from mesh.desks.desk import Desk
from mesh.results import Round
from meshlab import machine, playing
from meshlab.machine import Keys, Machine
from meshlab.playing import ENVIRONMENT, PLAYBOOKS, Controller, Played

MOST_EXPOSED = 13  # tenths, of what systemd-analyze security finds: as the units in packaging/systemd
REPORT = ROOT / "scripts" / "mesh"
# Of the desk of round_of_six.
REPORTED = ("r2-h1 +unreachable by ansible", "r1-h1 +r3-h2 +tcp/6666 +timeout +100 %", "r1-h1 to r3-h2 is blocked")
STAND_IN = "#!/bin/sh\necho \"report of $2\"\nexit 1\n"
LIMIT = 20  # seconds after which a round's servers end by themselves
# What a file system has after systemd, and not before.
SYSTEMDS = {"/etc/.pwd.lock", "/var/lib/private", "/var/tmp", "/var/lib/systemd"}
SLOW = "#!/bin/sh\nsleep 3\nPATH=/usr/bin:/bin exec tar \"$@\"\n"
SYSTEMD = {"systemctl": "systemd", "systemd-analyze": "systemd"}
SERVICES = ("tcp", "udp")
USER = "operator-of-hosts"


def trials() -> Sequence[Trial]:
    return (
        Trial("ansible-lint", lint, {"git": "git"}, playing.lacks),
        Trial("ansible-role", role, machine.TOOLS | SYSTEMD | {"ss": "iproute2"}, lacks_systemd),
        Trial("ansible-round", round_of_six, machine.TOOLS, lacks),
        Trial("ansible-odd", odd_hosts, machine.TOOLS, lacks),
        Trial("ansible-interrupted", interrupted, machine.TOOLS, lacks),
    )


def lacks() -> str | None:
    return namespace.lacks_overlayfs() or playing.lacks()


def lacks_systemd() -> str | None:
    return systemd.lacks() or lacks()


class Site(NamedTuple):
    """A desk with machines, and where Ansible runs."""

    case: Case
    desk: Desk
    machines: dict[str, Machine]
    controller: Controller
    out: Path
    programs: Path

    def options(self, *more: str) -> tuple[str, ...]:
        given = {"getthrough_programs": self.programs, "getthrough_out": self.out}
        if not REPORT.exists():
            given["getthrough_report"] = self.out.parent / "report"
        return tuple(word for name, value in given.items() for word in ("-e", f"{name}={value}")) + more

    def play(self, playbook: str, *more: str) -> Played:
        return self.controller.play(playbook, *self.options(*more))

    def plays(self, playbook: str, *more: str, status: int = 0) -> Played:
        """Runs a playbook, which has to end so."""
        played = self.play(playbook, *more)
        self.case.check(played.status == status, f"{playbook} {' '.join(more)}: {played.status}: {played.said[-1500:]}")
        return played

    def files(self) -> dict[str, dict[str, str]]:
        return {name: each.files() for name, each in self.machines.items()}

    def round(self) -> Round:
        """The last one."""
        return results.read(self.out, results.minutes(self.out)[-1])


@contextmanager
def site(case: Case, count: int, *broken: str, systemd: tuple[str, ...] = (),
         own: dict[str, dict[str, Any]] | None = None) -> Iterator[Site]:
    """A desk where this is broken, with systemd on these hosts; `own` has variables of single hosts."""
    keys = Keys(case.scratch)
    # The programs alone, as a release has them.
    programs = case.scratch / "programs"
    programs.mkdir()
    for program in PROGRAMS:
        shutil.copy(case.path(program), programs)
    report = case.scratch / "report"
    report.write_text(STAND_IN)
    report.chmod(0o755)
    with Desk(count) as desk:
        for fault in broken:
            desk.apply(faults.parse(fault))
        with machine.running(desk.hosts, case.scratch, keys, systemd) as machines:
            started = Controller(case.scratch, desk.operator, desk.fleet, keys.private, keys.known_host, own)
            yield Site(case, desk, machines, started, case.scratch / "out", programs)


def lint(case: Case) -> None:
    """ansible-lint has nothing to say of the playbooks, at its strictest."""
    environment = ("env", "-i", f"HOME={case.scratch}", f"ANSIBLE_HOME={case.scratch}", "LC_ALL=C.UTF-8",
                   f"PATH={ENVIRONMENT.resolve()}/bin:{os.environ['PATH']}")
    command = [*environment, "ansible-lint", "--offline", "--nocolor", "--strict", "--profile=production", "."]
    ended = harness.run(command, case.scratch, 120.0, cwd=PLAYBOOKS)
    case.check(ended.status == 0, (ended.output + ended.errors).decode()[-1500:])
    case.note((ended.errors.decode().strip() or "?").splitlines()[-1])


def role(case: Case) -> None:
    """The role installs, changes nothing the second time or with --check, and is taken away without a trace."""
    own = {"r2-h1": {"getthrough_tcp_ports": [6666, 7777], "getthrough_udp_ports": []}}
    with site(case, 3, systemd=("r1-h1", "r2-h1"), own=own) as at:
        managed = at.machines["r1-h1"]
        at.desk.hosts["r2-h1"].nft("table inet filter { chain input { type filter hook input priority 0; }; }")
        before = at.files()
        would = at.plays("site.yml", "--check")
        case.check(counted(at, would, "changed") > 0, "--check: nothing would change")
        case.check(news(before, at.files()) == set(), f"--check changes {news(before, at.files())}")
        policy = case.scratch / "policy"
        policy.write_text("* * tcp/6666 ok\n* * udp/6666 ok\n")
        given = ("-e", f"getthrough_policy={policy}")
        hints = at.plays("site.yml", *given).said
        case.check(managed.read("/etc/getthrough/policy") == policy.read_text(), "the policy is not installed")
        case.check("tcp dport { 6666, 7777 } accept\n" in hints, f"no hint for nftables: {hints[-3000:]}")
        case.check(hints.count("No firewall was found on this host") == 2, "no hint for a host without a firewall")
        with case.part("units"):
            units(case, at, managed)
        again = at.plays("site.yml", *given)
        case.check(counted(at, again, "changed") == 0, f"the second time: {again.said[-2000:]}")
        # A round takes the programs that are installed, and the servers.
        at.play("mesh.yml")
        found = at.round()
        went = [(visit.state, visit.brought) for visit in found.visits.values()]
        case.check(went == [("ok", False)] * 3, f"with what is installed: {found.visits}")
        case.check(not any(cell.failed for cell in found.cells), f"{found.cells}")
        at.plays("remove.yml")
        case.check(news(before, at.files()) == set(), f"remove.yml leaves {news(before, at.files())}")
        active = managed.do("systemctl", "list-units", "--no-legend", "tcp-*", "udp-*", "getthrough-*").output
        case.check(active == b"", f"remove.yml leaves {active.decode()}")
        case.check(counted(at, at.plays("remove.yml"), "changed") == 0, "remove.yml changes something the second time")


def units(case: Case, at: Site, managed: Machine) -> None:
    """The servers answer, and the timer's service measures, keeps what it found, and removes what is old."""
    with at.desk.hosts["r2-h1"].entered():
        for protocol in SERVICES:
            ended = case.client(f"{protocol}-client", "10.1.0.1", "-m", "hello", "--wait", "--deadline", "5s")
            case.check(ended.status == 0, f"{protocol}: the unit does not answer: {ended}")
    case.check(b"host=" in ended.output, f"the udp server is no witness: {ended}")
    listens = at.machines["r2-h1"].do("ss", "-Hltun", "sport = :6666 or sport = :7777").output.decode().split()
    case.check(sorted(word for word in listens if word.startswith("*:") and word != "*:*") == ["*:6666", "*:7777"],
               f"r2-h1 listens: {listens}")
    old, young = (f"/var/lib/getthrough/results/2026-01-0{n}T0000Z" for n in (1, 2))
    managed.do("mkdir", "-p", old, young)
    managed.do("touch", "-d", "8 days ago", old)
    managed.do("touch", "-d", "6 days ago", young)
    # Not one that the timer has begun before.
    managed.do("systemctl", "stop", "getthrough-mesh.timer", "getthrough-mesh.service")
    started = managed.do("systemctl", "start", "getthrough-mesh.service")
    why = managed.do("systemctl", "status", "getthrough-mesh").output
    case.check(started.status == 0, f"the round fails: {started} {why!r}")
    managed.do("systemctl", "start", "getthrough-mesh.timer")
    shown = managed.do("sh", "-c", "cd /var/lib/getthrough/results && ls && cat 20*/r1-h1.ndjson")
    found = shown.output.decode().splitlines()
    case.check("2026-01-01T0000Z" not in found and "2026-01-02T0000Z" in found, f"old results: {found[:5]}")
    measured = [json.loads(line) for line in found if line.startswith("{")]
    to = {(each["event"], each["target"]) for each in measured}
    case.check(to >= {("summary", "10.2.0.1:6666")}, f"the round found {to}")
    timer = managed.do("systemctl", "list-timers", "--no-legend", "getthrough-mesh.timer").output
    case.check(b"getthrough-mesh.service" in timer, "the timer does not run")
    path = "SYSTEMD_UNIT_PATH=/etc/systemd/system:/usr/lib/systemd/system"
    for unit in ("getthrough-mesh.service", "getthrough-mesh.timer", "tcp-server.service", "udp-server.socket"):
        verified = managed.do("env", path, "systemd-analyze", "verify", "--man=no", f"/etc/systemd/system/{unit}")
        case.check(verified == (0, b"", b""), f"{unit}: {verified}")
    exposed = managed.do("systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager",
                         "/etc/systemd/system/getthrough-mesh.service")
    overall = exposed.output.decode().strip().rpartition("\n")[2]
    case.check(exposed.status == 0, f"getthrough-mesh.service: {overall}")
    case.note(overall.partition(": ")[2].split(" ")[0] + " of 10 exposed")


def round_of_six(case: Case) -> None:
    """A round finds a blocked pair, a lossy uplink and a dead host, and nothing is left on the hosts.

    No client begins before the servers of a slow host listen.
    """
    with site(case, 6, "dead:r2-h1", "block:r1-h1:r3-h2", "uplink:r2:out:10") as at:
        at.machines["r3-h2"].write("/usr/local/bin/tar", SLOW, 0o755)
        before = at.files()
        played = at.play("mesh.yml")
        case.check(played.status == 2, f"mesh.yml ended with {played.status}: {played.said[-3000:]}")
        case.check(news(before, at.files()) == set(), f"the round leaves {news(before, at.files())}")
        lies = sorted(path.relative_to(at.out).as_posix() for path in at.out.rglob("*") if path.is_file())
        case.check("Not all is as the policy says" in played.said, f"the play fails otherwise: {played.said[-3000:]}")
        found = at.round()
        minute, living = found.minute, [host.name for host in at.desk.fleet if host.name != "r2-h1"]
        wanted = ["fleet", f"plans/{minute}", *(f"results/{minute}/{name}.ndjson" for name in living),
                  f"visits/{minute}.ndjson"]
        case.check(lies == wanted, f"the directory has {lies}")
        case.check(found.flaws == (), f"not to be used: {found.flaws[:3]}")
        states = {name: visit.state for name, visit in found.visits.items()}
        case.check(states == dict.fromkeys(living, "ok") | {"r2-h1": "unreachable"}, f"visits: {states}")
        reason = found.visits["r2-h1"].reason or ""
        case.check(re.fullmatch(r"ssh: connect to host 10\.2\.0\.1 port 22: .*", reason), f"r2-h1: {reason!r}")
        case.check({each.by for each in found.visits.values()} == {"ansible"}, "somebody else visited")
        case.check(all(found.visits[name].brought and found.visits[name].version for name in living), f"{found.visits}")
        case.check(len(found.cells) == 6 * 5 * len(SERVICES), f"{len(found.cells)} cells")
        for cell in found.cells:
            judge(case, cell)
        if REPORT.exists():
            for words in REPORTED:
                case.check(re.search(words, played.said), f"the report does not say {words}: {played.said[-4000:]}")


def judge(case: Case, cell: Cell) -> None:
    """Whether a cell is as the desk of round_of_six has it."""
    source, target, figures = cell.planned.source, cell.planned.target, cell.figures
    of = f"{source} to {target}, {cell.planned.service}: {cell.figures or cell.missing}"
    if source == "r2-h1":
        case.check(figures is None, of)
    elif figures is None:
        case.check(False, of)
    elif target == "r2-h1" or (source, target) == ("r1-h1", "r3-h2"):
        case.check(figures.failed == figures.sent > 0, of)
    elif "r2-h2" in (source, target):
        case.check(0 < figures.sent != figures.failed, of)
    else:
        case.check(figures.sent > 0 == figures.failed, of)


def odd_hosts(case: Case) -> None:
    """A host with an old program is named, and so is where nothing works; what cannot be is refused at once.

    On one host the operator is not root. On another one the servers' port is taken, and a third one has no Python.
    """
    own = {"r1-h1": {"ansible_user": USER}, "r1-h2": {"ansible_python_interpreter": "/usr/bin/nothing"}}
    with site(case, 3, own=own) as at:
        old = at.machines["r1-h1"]
        case.check(old.do("useradd", "--create-home", "--password=*", USER).status == 0, "no user can be added")
        old.write("/usr/local/bin/tcp-client", "#!/bin/sh\necho tcp-client 0.0.9\n", 0o755)
        old.write("/usr/local/bin/udp-client", "#!/bin/sh\nexec sleep 1000\n", 0o755)
        policy = case.scratch / "policy"
        policy.write_text("* * tcp/6666 ok\n* * udp/7777 ok\n")
        before = at.files()
        with at.desk.hosts["r2-h1"].entered():
            listens = "import socket; s = socket.create_server(('', 6666)); taken = [s.accept() for _ in range(1000)]"
            other = harness.start(["python3", "-I", "-c", listens])
        try:
            refusals(case, at)
            at.plays("mesh.yml", "-e", f"getthrough_policy={policy}", status=2)
        finally:
            other.kill()
            harness.reap(other)
        for host, state, reason in (
            ("r1-h1", "ok", "it has 0.0.9 and an unknown version on its PATH: .* was brought"),
            ("r1-h2", "failed", "There are programs, and a place for them: .*/usr/bin/nothing.*"),
            ("r2-h1", "failed", "Start the servers: mesh-serve: tcp-server: :6666: address already in use"),
        ):
            visit = at.round().visits[host]
            case.check(visit.state == state and re.fullmatch(reason, visit.reason or ""), f"{visit}")
        services = {cell.planned.service for cell in at.round().cells}
        case.check(services == {"tcp/6666", "udp/7777"}, f"{services}")
        case.check((at.out / "policy").read_text() == policy.read_text(), "the policy is not kept")
        case.check(news(before, at.files()) == set(), f"the round leaves {news(before, at.files())}")


def refusals(case: Case, at: Site) -> None:
    sums = case.scratch / "sums"
    sums.write_text("".join(f"{'0' * 64}  {program}\n" for program in PROGRAMS))
    for options, said in ((("--limit", "r1-h1"), "say -e getthrough_group=r1-h1 instead"),
                          (("--check",), "A round measures"),
                          (("-e", "getthrough_programs=/var/empty"), "scripts/release makes them"),
                          (("-e", f"getthrough_sums={sums}"), f"is not what {sums} says")):
        played = at.plays("mesh.yml", *options, status=2)
        case.check(said in re.sub(r"\s+", " ", played.said), f"{options}: {played.said[-800:]}")
        case.check("Come to the host" not in played.said, f"{options}: hosts were visited")


def interrupted(case: Case) -> None:
    """An interrupt in the middle of a round leaves no process and no file on the hosts, once its time is over."""
    with site(case, 2, "block:r1-h1:r2-h1") as at:
        before = at.files()
        process = at.controller.begin("mesh.yml", *at.options("-e", f"getthrough_limit={LIMIT}"))
        served = {"r1-h1": {"tcp-server", "udp-server", "udp-client"}, "r2-h1": {"tcp-server", "udp-server"}}
        middle = until(lambda: all(served[name] < set(each.processes()) for name, each in at.machines.items()), 60.0)
        case.check(middle, f"no round begins: {at.controller.said()[-2000:]}")
        os.killpg(process.pid, signal.SIGINT)
        played = at.controller.end(process)
        case.check("interrupted" in played.said, f"it was not interrupted: {played.said[-800:]}")
        case.check("PLAY [Report]" not in played.said, f"it goes on: {played.said[-800:]}")
        gone = until(lambda: all(each.processes() == ["sshd"] for each in at.machines.values()), LIMIT + 15.0)
        case.check(gone, f"there remain {[each.processes() for each in at.machines.values()]}")
        case.check(news(before, at.files()) == set(), f"there remain {news(before, at.files())}")


def counted(at: Site, played: Played, what: str) -> int:
    """The sum over the hosts, in the recap."""
    lines = [played.counted(name) for name in at.machines]
    return sum(line[what] for line in lines) if all(lines) else -1


def news(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> set[str]:
    """What differs on the hosts. A directory that this machine has, too, has only been touched."""
    found = set()
    for name, files in after.items():
        was = before[name]
        for path in files.keys() | was.keys():
            is_touched = path in SYSTEMDS or path not in was and Path(path).is_dir()
            if files.get(path) != was.get(path) and not is_touched:
                found.add(f"{name}:{path}")
    return found
