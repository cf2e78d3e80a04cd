"""Visits: over sshd, over clush and in namespaces; hosts that have everything wrong; and nothing is left there."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Iterator, Sequence
from unittest.mock import patch

from lab import harness
from lab.case import PROGRAMS, Case
from lab.trial import Trial
from mesh import results
from mesh.cells import Visit
from mesh.desks import faults
from mesh.desks.desk import Desk
from mesh.visits.programs import Programs
from mesh.visits.transports import Transport
from mesh.visits.transports.clush import Clush
from mesh.visits.transports.desk import AtDesk
from mesh.visits.transports.ssh import Ssh
from mesh.visits.visit import Settings, visit
from meshlab.interrupts import named
from meshlab.scripted import scripted
from meshlab.sshd import LEASED, TOOLS, Farm, own_path, processes

SHORT = Settings(probes=1, timeout="300ms")
CLUSH = {"clush": "clustershell"}
BUSYBOX = {"busybox": "busybox"}


def trials() -> Iterator[Trial]:
    yield Trial("visit-desk", at_desk)
    yield Trial("visit-ssh", by_ssh, TOOLS | BUSYBOX)
    yield Trial("visit-clush", by_clush, TOOLS | BUSYBOX | CLUSH)
    yield Trial("visit-programs", whose_programs, TOOLS)
    yield Trial("visit-never-bring", never_bring, TOOLS)
    yield Trial("visit-places", places, TOOLS)
    yield Trial("visit-hosts-fail", hosts_fail, TOOLS)
    yield Trial("visit-connection-lost", connection_lost, TOOLS)
    yield Trial("visit-shared-connection", shared_connection, TOOLS)


class Made:
    """A round that was made, and what came of it."""

    def __init__(self, case: Case, desk: Desk, transport: Transport, settings: Settings = SHORT,
                 programs: Programs | None = None, policy: str | None = None) -> None:
        minute = int(time.time() // 60)
        self.out = case.scratch / f"out-{len(list(case.scratch.glob('out-*')))}"
        own = programs or Programs.find(Path(case.path("")))
        with desk.operator.entered():
            found = visit(transport, desk.fleet, policy, minute, self.out, own, settings)
        self.visits = {each.host: each for each in found}
        self.read = results.read(self.out, results.minute_name(minute))
        case.check(not self.read.flaws, f"flaws: {self.read.flaws[:2]}")
        case.check(self.read.visits == self.visits, f"written otherwise: {self.read.visits}")
        case.check(list(self.visits) == [host.name for host in desk.fleet], f"rows: {list(self.visits)}")

    def missing(self) -> set[str]:
        """The hosts without results."""
        return {cell.planned.source for cell in self.read.cells if cell.figures is None}


def check(case: Case, visit: Visit, state: str, reason: str | None = None, brought: bool = True) -> None:
    """What is known of a host has to be this; the reason is said somewhere in it."""
    fits = visit.reason is None if reason is None else reason in (visit.reason or "")
    case.check((visit.state, fits) == (state, True), f"{visit}, and not {state}: {reason}")
    if state == "ok":
        case.check(visit.brought == brought and visit.version, f"not {'' if brought else 'its own'}: {visit}")


def check_left(case: Case, desk: Desk, places: Sequence[Path], allowed: set[int] = set()) -> None:
    """Nothing may be left on the hosts."""
    def left() -> list[str]:
        running = [words for pid, words in processes(desk).items() if pid not in allowed]
        files = [str(file) for place in (*places, Path("/var/tmp"), Path.home()) for file in place.glob(LEASED)]
        return [*running, *files]

    # Who was left alone may have noticed only just now.
    case.check(harness.until(lambda: not left(), 10), f"left: {left()[:3]}")


def at_desk(case: Case) -> None:
    """In namespaces: all of the results are there, a dead host is a row, and nothing is left"""
    place = case.scratch / "tmp"
    place.mkdir()
    with Desk(4) as desk, patch.dict(os.environ, TMPDIR=str(place)):
        desk.apply(faults.parse("dead:r2-h2"))
        made = Made(case, desk, AtDesk(desk), policy="* * tcp/6666 ok\n* * udp/7777 ok\n* r1-h1 udp/53 no-reply\n"
                                                     "* * connect/22 refused\n")
        for name, each in made.visits.items():
            check(case, each, *(("unreachable", "No answer") if name == "r2-h2" else ("ok",)))
        case.check(made.missing() == {"r2-h2"}, f"no results of {made.missing()}")
        # Our server listens on udp/53, too, and answers: that is not as the policy says. All else is, but for the dead.
        failed = [cell.planned for cell in made.read.cells if cell.figures and cell.failed]
        wrong = {(each.target, each.service) for each in failed}
        dead = {("r2-h2", service) for service in ("tcp/6666", "udp/7777", "connect/22")}
        case.check(wrong == {("r1-h1", "udp/53"), *dead}, f"failed: {wrong}")
        check_left(case, desk, [place])


def by_ssh(case: Case) -> None:
    """Over sshd: who cannot be reached is a row, with the reason in ssh's words; busybox's shell will do"""
    over(case, "ssh")


def by_clush(case: Case) -> None:
    """The same by clush, which sends everything to all hosts"""
    over(case, "clush")


def over(case: Case, by: str) -> None:
    with Desk(6) as desk:
        desk.apply(faults.parse("dead:r2-h1"))
        busybox = own_path(case, "busybox", busybox=True)
        farm = Farm(case, desk, {"r1-h2": {"PATH": str(busybox)}}, strangers=["r3-h1"], without=["r3-h2"])
        made = Made(case, desk, Ssh(farm.ssh) if by == "ssh" else Clush(farm.clush))
        reasons = {"r2-h1": "No route to host", "r3-h1": "Permission denied (publickey)", "r3-h2": "Connection refused"}
        for name, each in made.visits.items():
            case.check(each.by == by, f"by {each.by}")
            if name in reasons:
                case.check(each.state == "unreachable" and each.reason == reasons[name], f"{each}")
            else:
                check(case, each, "ok")
        case.check(made.missing() == set(reasons), f"no results of {made.missing()}")
        alive = [cell for cell in made.read.cells if cell.planned.target not in reasons and cell.figures]
        case.check(len(alive) == 12, f"{len(alive)} cells of hosts that live")
        case.check(not any(cell.failed for cell in alive), "a cell of hosts that live has failed")
        check_left(case, desk, list(farm.places.values()), farm.pids)


def whose_programs(case: Case) -> None:
    """A host's own programs are used if they are ours; older ones are named, and ours are brought"""
    with Desk(4) as desk:
        ours, older = Path(case.path("")), scripted(case, "older", {"tcp-server": 'echo "tcp-server 0.0.9"'})
        # What has the name of ours may be anything: this one never ends.
        alien = scripted(case, "alien", {"udp-client": "exec sleep 600"})
        paths = {"r1-h1": ours, "r1-h2": older, "r2-h1": alien}
        farm = Farm(case, desk, {name: {"PATH": f"{path}:/usr/bin:/bin"} for name, path in paths.items()})
        made = Made(case, desk, Ssh(farm.ssh))
        check(case, made.visits["r1-h1"], "ok", brought=False)
        check(case, made.visits["r1-h2"], "ok", "tcp-server on its PATH is 0.0.9, ours is")
        check(case, made.visits["r2-h1"], "ok", "udp-client on its PATH is of an unknown version, ours is")
        check(case, made.visits["r2-h2"], "ok")
        case.check(not made.missing(), f"no results of {made.missing()}")
        check_left(case, desk, list(farm.places.values()), farm.pids)


def never_bring(case: Case) -> None:
    """Nothing is brought: own programs have to do, and what one of them lacks is named"""
    with Desk(4) as desk:
        ours = Path(case.path(""))
        others = {name: f'exec {ours / name} "$@"' for name in PROGRAMS}
        # Old as programs are that had been released before: --help lacks the option, or JSON the field.
        no_witness = scripted(case, "no-witness", others | {
            "tcp-server": f'case $1 in --version) echo "tcp-server 0.0.9" ;; '
                          f'*) {ours}/tcp-server "$@" | grep -v witness ;; esac'})
        no_field = scripted(case, "no-field", others | {
            "udp-client": f'{ours}/udp-client "$@" | sed "s/\\"protocol\\":\\"udp\\",//"'})
        paths = {"r1-h1": ours, "r1-h2": no_witness, "r2-h1": no_field}
        farm = Farm(case, desk, {name: {"PATH": f"{path}:/usr/bin:/bin"} for name, path in paths.items()})
        made = Made(case, desk, Ssh(farm.ssh), SHORT._replace(bring=False))
        check(case, made.visits["r1-h1"], "ok", brought=False)
        check(case, made.visits["r1-h2"], "failed", "tcp-server on its PATH is 0.0.9: it has no --witness")
        check(case, made.visits["r2-h1"], "failed", "its JSON does not say the protocol")
        check(case, made.visits["r2-h2"], "failed", "tcp-server is not on its PATH")
        case.check(made.missing() == {"r1-h2", "r2-h1", "r2-h2"}, f"no results of {made.missing()}")
        check_left(case, desk, list(farm.places.values()), farm.pids)


def places(case: Case) -> None:
    """/tmp where programs cannot run, nowhere that they can, and no sha256sum"""
    with Desk(4) as desk:
        no_sums = own_path(case, "no-sums", without=["sha256sum"])
        tmp = {host.name: case.scratch / f"tmp-{host.name}" for host in desk.fleet}
        full = {"TMPDIR": "/proc/nothing", "HOME": "/proc/nothing"}
        farm = Farm(case, desk, {"r2-h1": {"PATH": str(no_sums)}, "r2-h2": full}, mounts={
            "r1-h1": [tmp["r1-h1"]],
            "r1-h2": [tmp["r1-h2"], Path("/var/tmp"), Path.home()],
            "r2-h2": [Path("/var/tmp")],
        })
        made = Made(case, desk, Ssh(farm.ssh))
        check(case, made.visits["r1-h1"], "ok")
        check(case, made.visits["r1-h2"], "failed", "programs cannot run in")
        check(case, made.visits["r2-h1"], "ok", "no sha256sum")
        check(case, made.visits["r2-h2"], "failed", "programs cannot run in /var/tmp")
        check_left(case, desk, list(farm.places.values()), farm.pids)


def hosts_fail(case: Case) -> None:
    """A port that is taken, programs that are not those that were sent, a login that prints, one that hangs"""
    with Desk(6) as desk:
        noisy = scripted(case, "noisy", {"sh": 'test "$1" != -c || echo "Welcome!"; exec /bin/sh "$@"'})
        hanging = scripted(case, "hanging", {"sh": "exec cat >/dev/null"})
        closed = scripted(case, "closed", {"sh": 'echo "This account is not available."; exit 1'})
        paths = {"r1-h2": noisy, "r2-h1": hanging, "r2-h2": closed}
        farm = Farm(case, desk, {name: {"PATH": f"{path}:/usr/bin:/bin"} for name, path in paths.items()})
        settings = SHORT._replace(to_answer=6)
        with desk.hosts["r1-h1"].entered(), case.server("tcp-server", listen="0.0.0.0:6666"):
            made = Made(case, desk, Ssh(farm.ssh), settings)
        check(case, made.visits["r1-h1"], "failed", "tcp-server :6666: address already in use")
        check(case, made.visits["r1-h2"], "ok")
        check(case, made.visits["r2-h1"], "unreachable", "nothing was heard of it within 6 s")
        check(case, made.visits["r2-h2"], "failed", "This account is not available.")
        # What runs on a host whose port is taken is still worth something.
        case.check(made.missing() == {"r2-h1", "r2-h2"}, f"no results of {made.missing()}")
        programs = Programs.find(Path(case.path("")))
        sums = {machine: four | {"udp-client": "0" * 64} for machine, four in programs.sums.items()}
        made = Made(case, desk, Ssh(farm.ssh), settings, programs._replace(sums=sums))
        check(case, made.visits["r3-h1"], "failed", "udp-client came with another sum")
        case.check(len(made.missing()) == 6, f"only {made.missing()} have no results")
        check_left(case, desk, list(farm.places.values()), farm.pids)


def connection_lost(case: Case) -> None:
    """The connection to a host breaks in the middle of a round: it is named, the others go on, and nothing is left"""
    with Desk(3) as desk:
        farm = Farm(case, desk)

        def cut() -> None:
            harness.until(lambda: any("-client -J" in words for words in processes(desk).values()))
            for pid, words in named(str(farm.config)).items():
                if " r1-h1 " in words:
                    os.kill(pid, signal.SIGKILL)

        cutting = threading.Thread(target=cut)
        cutting.start()
        made = Made(case, desk, Ssh(farm.ssh), SHORT._replace(probes=20))
        cutting.join()
        check(case, made.visits["r1-h1"], "failed", "the connection broke")
        check(case, made.visits["r1-h2"], "ok")
        check(case, made.visits["r2-h1"], "ok")
        check_left(case, desk, list(farm.places.values()), farm.pids)


def shared_connection(case: Case) -> None:
    """Somebody's own ssh_config shares connections (ControlMaster): visits go through that, too"""
    with Desk(2) as desk:
        farm = Farm(case, desk)
        # A socket's path has at most 108 bytes.
        shared = f"Host *\n    ControlMaster auto\n    ControlPath {case.scratch}/%h\n    ControlPersist 60\n"
        farm.config.write_text(shared + farm.config.read_text())
        for _ in range(2):
            made = Made(case, desk, Ssh(farm.ssh))
            for each in made.visits.values():
                check(case, each, "ok")
        for host in desk.fleet:
            done = subprocess.run([*farm.ssh.split(), "-O", "exit", host.name], capture_output=True, text=True)
            case.check(done.returncode == 0, f"no connection was shared: {done.stderr}")
