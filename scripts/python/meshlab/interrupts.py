"""Controllers that are interrupted, also by a signal that nobody can heed: nothing is left on the hosts."""

import signal
import sys
from pathlib import Path
from typing import Callable, Iterator

from lab import harness
from lab.case import Case
from lab.command import ROOT
from lab.trial import Trial
from mesh.desks.desk import Desk
from mesh.fleet import file_of
from meshlab.sshd import LEASED, TOOLS, Farm, processes

Running = Callable[[], dict[int, str]]  # what runs on the hosts, or locally for them
MOMENTS = {  # what a command line has in it, of which the first one shows that it is so far
    "connecting": "mesh-lease",
    "listening": "tcp-server --witness",
    "probing": "-client -J",
}


def trials() -> Iterator[Trial]:
    yield Trial("visit-interrupted-ssh", by_ssh, TOOLS)
    yield Trial("visit-interrupted-clush", by_clush, TOOLS | {"clush": "clustershell"})
    yield Trial("visit-interrupted-desk", at_desk)


def by_ssh(case: Case) -> None:
    """SIGINT, SIGTERM and SIGKILL, over sshd: no process and no file is left"""
    with Desk(3) as desk:
        farm = Farm(case, desk)
        interrupted(case, desk, farm, "ssh", farm.ssh)


def by_clush(case: Case) -> None:
    """The same by clush"""
    with Desk(3) as desk:
        farm = Farm(case, desk)
        interrupted(case, desk, farm, "clush", farm.clush)


def interrupted(case: Case, desk: Desk, farm: Farm, by: str, words: str) -> None:
    fleet = case.scratch / "fleet"
    fleet.write_text(file_of(desk.fleet))
    places = list(farm.places.values())

    def running() -> dict[int, str]:
        # Those of the controller's side, too: their command line has the file with ssh's settings.
        return {pid: each for pid, each in (processes(desk) | named(str(farm.config))).items() if pid not in farm.pids}

    for number, moment in ((signal.SIGINT, "probing"), (signal.SIGTERM, "probing"), (signal.SIGINT, "connecting"),
                           *((signal.SIGKILL, moment) for moment in MOMENTS)):
        with case.part(f"{number.name}, {moment}"):
            with desk.operator.entered():
                interrupt(case, (by, words, str(fleet)), places, running, number, moment)


def at_desk(case: Case) -> None:
    """The same in namespaces, which end with their processes"""
    place = case.scratch / "tmp"
    place.mkdir()
    for number, moment in ((signal.SIGINT, "probing"), (signal.SIGTERM, "probing"), (signal.SIGKILL, "probing")):
        with case.part(f"{number.name}, {moment}"):
            interrupt(case, ("desk", "3", "-"), [place], lambda: named(f"TMPDIR={place}", "environ"), number, moment,
                      place)


def interrupt(case: Case, words: tuple[str, str, str], places: list[Path], running: Running, number: signal.Signals,
              moment: str, tmp: Path | None = None) -> None:
    """Starts a controller, ends it at a moment, and looks whether all that it has started ends."""
    command = ["env", f"PYTHONPATH={ROOT / 'scripts' / 'python'}", *([f"TMPDIR={tmp}"] if tmp else []), sys.executable,
               "-B", "-m", "meshlab.controller", *words, str(case.scratch / "out"), case.path("")]
    said = case.scratch / "controller.err"
    with open(said, "wb") as err:
        process = harness.start(command, stderr=err)
    try:
        is_there = harness.until(lambda: any(MOMENTS[moment] in each for each in running().values()))
        case.check(is_there, f"{number.name}: it did not come to {moment}: {said.read_text()[-300:]}")
        process.send_signal(number)
        status = harness.reap(process)
        wanted = 130 if number != signal.SIGKILL else -number
        case.check(status == wanted, f"{number.name}, {moment}: it ended with {status}: "
                                     f"{said.read_text()[-300:]}")

        def left() -> list[str]:
            files = [str(file) for place in (*places, Path("/var/tmp"), Path.home()) for file in place.glob(LEASED)]
            return [*running().values(), *files]

        case.check(harness.until(lambda: not left(), 12), f"{number.name}, {moment}: left: {left()[:4]}")
    finally:
        harness.reap(process, 0)


def named(word: str, file: str = "cmdline") -> dict[int, str]:
    """The processes with this in their command lines (or environments), and these. Without the controller and sshd."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word.encode() in (entry / file).read_bytes():
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if words and "meshlab.controller" not in words and "sshd -D" not in words:
                    found[int(entry.name)] = words
        except OSError:
            pass  # it has ended meanwhile
    return found
