"""The packages for Debian and for rpm, installed in a box, used as their users do, and removed again."""

import platform
import re
import shutil
from pathlib import Path
from typing import Iterator

from boxes import contents, exchange, system
from boxes.contents import DOCUMENTS, UNITS
from boxes.dist import Dist
from boxes.system import System
from lab import namespace
from lab.case import PROGRAMS, Case
from lab.harness import Ended
from lab.trial import Trial

MACHINE = platform.machine()
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}.get(MACHINE, MACHINE)
# What dpkg, rpm and man keep for themselves.
KEPT = ("/var/lib/dpkg/", "/var/log/", "/var/cache/man/", "/var/lib/rpm")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
SHELLS = {"bash": "bash", "zsh": "zsh", "fish": "fish"}
# The shell says which function completes a command, or completes one.
COMPLETES = {
    "bash": ". /usr/share/bash-completion/bash_completion; _completion_loader {0}; complete -p {0}",
    "zsh": "autoload -Uz compinit; compinit -D; print -- $_comps[{0}]",
    "fish": "complete --do-complete '{0} --'",
}
# Notes its calls, so that those of the scripts are seen.
SYSTEMCTL = '#!/bin/sh\necho "$*" >>/run/systemctl.calls\n'
RESTART = "try-restart tcp-server.service udp-server.service tcp-client@*.timer udp-client@*.timer"
LINK = re.compile(r"\[[^\]\[]*\]\(([^()\s]+)\)")


def trials() -> Iterator[Trial]:
    tools = system.TOOLS | SHELLS | {"dpkg": "dpkg", "man": "man-db", "setpriv": "util-linux"}
    tools |= {"systemd-analyze": "systemd", "systemctl": "systemd"}
    yield Trial("deb-installed", deb_installed, tools, lacks_for_deb)
    yield Trial("deb-scripts", deb_scripts, system.TOOLS | {"dpkg": "dpkg"}, namespace.lacks_overlayfs)
    yield Trial("rpm-installed", rpm_installed, system.TOOLS | {"rpm": "rpm"}, namespace.lacks_overlayfs)


def lacks_for_deb() -> str | None:
    if not Path("/usr/share/bash-completion/bash_completion").exists():
        return "bash-completion missing: apt-get install bash-completion"
    return namespace.lacks_overlayfs()


def deb_installed(case: Case, dist: Dist) -> None:
    """Debian's package is installed, used, enabled, installed again, removed and purged: nothing of it is left."""
    with System(case.scratch) as box:
        package = bring(box, dist.one(f"*_{DEBIAN}.deb"))
        expected = contents.of(dist.one(f"*_{DEBIAN}.deb"))
        before = box.changes()
        done(case, "installs", box.run("dpkg", "--install", package))
        case.check(of_package(box, before) >= set(expected), f"not installed: {set(expected) - box.changes()}")
        done(case, "verifies", box.run("dpkg", "--verify", "getthrough"))
        for part in (programs_exchange, pages_are_read, units_are_fine, shells_complete, links_lead_somewhere):
            with case.part(part.__name__):
                part(case, box, expected)
        links = enable(case, box, expected)
        done(case, "installs again", box.run("dpkg", "--no-triggers", "--install", package))
        case.check(links <= box.changes(), f"after an upgrade no longer enabled: {links - box.changes()}")
        done(case, "removes", box.run("dpkg", "--no-triggers", "--remove", "getthrough"), silently=True)
        left = of_package(box, before)
        case.check(not left, f"left by the removal: {sorted(left)[:5]}")
        done(case, "purges", box.run("dpkg", "--purge", "getthrough"), silently=True)
        left = of_package(box, before)
        case.check(not left, f"left by the purge: {sorted(left)[:5]}")
        known = box.run("dpkg-query", "--show", "getthrough")
        case.check(known.status == 1, f"dpkg still knows it: {known.output!r}")


def bring(box: System, package: Path) -> str:
    """Puts a package into the box. Returns its path there."""
    shutil.copy(package, box.path(f"/tmp/{package.name}"))
    return f"/tmp/{package.name}"


def done(case: Case, what: str, ended: Ended, silently: bool = False) -> None:
    case.check(ended.status == 0 and not (silently and ended.errors),
               f"{what}: status {ended.status}: {ended.errors.decode()[-300:]}")


def of_package(box: System, before: set[str]) -> set[str]:
    """What is new in the system, but for what package managers keep for themselves."""
    return {name for name in box.changes() - before if not name.startswith(KEPT)}


def programs_exchange(case: Case, box: System, _: contents.Contents) -> None:
    exchange.of_both(case, box.command)


def pages_are_read(case: Case, box: System, _: contents.Contents) -> None:
    """As a user does it, who is nobody special."""
    for program in PROGRAMS:
        page = box.run(*NOBODY, "man", "--warnings", program)
        text = page.output.decode()
        case.check(page.status == 0 and not page.errors, f"man {program}: status {page.status}: {page.errors!r}")
        for heading in ("NAME", "SYNOPSIS", "EXIT STATUS"):
            case.check(f"\n{heading}\n" in text, f"man {program}: no {heading}")
        known = box.run("whatis", program)
        case.check(program in known.output.decode(), f"whatis {program}: {known.errors!r}")


def units_are_fine(case: Case, box: System, files: contents.Contents) -> None:
    """systemd has nothing to say about a unit: neither about its options nor about the page that it names."""
    for unit in units(files):
        verified = box.run("systemd-analyze", "--recursive-errors=no", "verify", UNITS + unit)
        case.check(verified.status == 0 and not verified.errors and not verified.output,
                   f"{unit}: {verified.errors.decode().strip()}")


def units(files: contents.Contents) -> list[str]:
    return [name.removeprefix(UNITS) for name in files if name.startswith(UNITS)]


def shells_complete(case: Case, box: System, _: contents.Contents) -> None:
    """bash, zsh and fish find the completions where they lie."""
    for shell, script in COMPLETES.items():
        for program in PROGRAMS:
            asked = box.run(shell, "-c", script.format(program))
            case.check(asked.status == 0 and (program in asked.output.decode() or b"--help" in asked.output),
                       f"{shell} does not complete {program}: {asked.output + asked.errors!r}")


def links_lead_somewhere(case: Case, box: System, files: contents.Contents) -> None:
    """Each relative link in a document leads to another one in the package."""
    for name in files:
        if not name.startswith(DOCUMENTS) or not name.endswith(".md"):
            continue
        document = box.path(name)
        for target in LINK.findall(document.read_text()):
            file = target.partition("#")[0]
            if file and "://" not in target:
                case.check((document.parent / file).exists(), f"{name}: {target} leads nowhere")


def enable(case: Case, box: System, files: contents.Contents) -> set[str]:
    """Enables all units that may be, a template for an instance. Returns the links that systemctl has made."""
    before = box.changes()
    for unit in units(files):
        if "[Install]" in box.path(UNITS + unit).read_text():
            done(case, f"enables {unit}", box.run("systemctl", "enable", unit.replace("@.", "@box-b.")))
    links = box.changes() - before
    case.check(links, "no unit can be enabled")
    return links


def deb_scripts(case: Case, dist: Dist) -> None:
    """What the scripts of Debian's package ask systemd for, at each step of the package's life."""
    with System(case.scratch) as box:
        listen(box)
        package = bring(box, dist.one(f"*_{DEBIAN}.deb"))
        install, remove = ("dpkg", "--no-triggers", "--install", package), ("dpkg", "--no-triggers", "--remove")
        asks(case, box, install, ["daemon-reload"])
        asks(case, box, install, ["daemon-reload", RESTART])
        asks(case, box, (*remove, "getthrough"), leaving(units(contents.of(dist.one(f"*_{DEBIAN}.deb")))))
        asks(case, box, ("dpkg", "--purge", "getthrough"), [])


def rpm_installed(case: Case, dist: Dist) -> None:
    """The package for rpm is installed, used, upgraded and erased: nothing of it is left, and systemd is told."""
    with System(case.scratch) as box:
        listen(box)
        package = bring(box, dist.one(f"*.{MACHINE}.rpm"))
        expected = contents.of(dist.one(f"*.{MACHINE}.rpm"))
        before = box.changes()
        # Debian's rpm knows of no other package of the system, and wants to be told that this is meant.
        rpm = ("rpm", "--force-debian", "--nodeps", "--nosignature")
        asks(case, box, (*rpm, "--install", package), ["daemon-reload"])
        case.check(of_package(box, before) >= set(expected), f"not installed: {set(expected) - box.changes()}")
        done(case, "verifies", box.run(*rpm, "--verify", "getthrough"))
        with case.part("programs_exchange"):
            programs_exchange(case, box, expected)
        asks(case, box, (*rpm, "--upgrade", "--force", package), ["daemon-reload", RESTART])
        asks(case, box, (*rpm, "--erase", "getthrough"), leaving(units(expected)))
        left = of_package(box, before)
        case.check(not left, f"left: {sorted(left)[:5]}")


def listen(box: System) -> None:
    """From now on the box looks as if systemd ran in it, and what it is asked for is written down."""
    box.path("/run/systemd/system").mkdir(parents=True)
    systemctl = box.path("/usr/bin/systemctl")
    systemctl.unlink(missing_ok=True)
    systemctl.write_text(SYSTEMCTL)
    systemctl.chmod(0o755)


def asks(case: Case, box: System, command: tuple[str, ...], expected: list[str]) -> None:
    """Runs a package manager, and compares what its scripts ask systemd for."""
    calls = box.path("/run/systemctl.calls")
    calls.write_text("")
    done(case, " ".join(command[:3]), box.run(*command))
    asked = calls.read_text().splitlines()
    case.check([normal(call) for call in asked] == [normal(call) for call in expected],
               f"{' '.join(command[:-1])}: asks for {asked}, not {expected}")


def normal(call: str) -> list[str]:
    """The order of units does not matter."""
    return sorted(call.split())


def leaving(units: list[str]) -> list[str]:
    """What the removal asks for: no unit is enabled, none runs, not even an instance of a template."""
    stopped = [unit.replace("@.", "@*.") for unit in units]
    return [f"--no-reload --quiet disable {' '.join(units)}", f"stop {' '.join(stopped)}", "daemon-reload"]
