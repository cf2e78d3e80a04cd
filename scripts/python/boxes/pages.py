"""The manual pages, as linters and readers find them, and what three shells complete."""

import re
import subprocess
from typing import Iterator

from boxes.dist import Dist
from boxes.shells import Shell, fish
from boxes.trial import Trial
from lab.case import CLIENTS, PROGRAMS, Case

SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES", "SEE ALSO")
TCP_VERDICTS = "ok refused unreachable timeout no-reply reset wrong-reply unresolved local"
UDP_VERDICTS = "ok refused unreachable no-reply wrong-reply wrong-source unresolved local"
VERDICTS = {"tcp-client": TCP_VERDICTS.split(), "udp-client": UDP_VERDICTS.split()}


def trials() -> Iterator[Trial]:
    yield Trial("pages-lint", lint, {"mandoc": "mandoc", "groff": "groff-base"})
    yield Trial("pages-man", man, {"man": "man-db"})
    yield Trial("completions-bash", complete_in_bash, {"bash": "bash"})
    yield Trial("completions-zsh", complete_in_zsh, {"zsh": "zsh"})
    yield Trial("completions-fish", complete_in_fish, {"fish": "fish"})


def lint(case: Case, dist: Dist) -> None:
    """Two formatters find nothing wrong with the manual pages"""
    for program in PROGRAMS:
        page = str(dist.root / "man" / "man1" / f"{program}.1")
        for linter in (["mandoc", "-T", "lint", "-W", "style", page], ["groff", "-man", "-ww", "-z", page]):
            found = subprocess.run(linter, capture_output=True, text=True)
            said = found.stdout + found.stderr
            case.check(found.returncode == 0 and not said, f"{' '.join(linter[:2])}: {said[:300]}")


def man(case: Case, dist: Dist) -> None:
    """man shows the pages, which have everything that --help has"""
    for program in PROGRAMS:
        page = read(dist, program)
        headings = re.findall(r"^([A-Z][A-Z ]+)$", page, re.MULTILINE)
        wanted = [*SECTIONS, *(["VERDICTS"] if program in CLIENTS else [])]
        case.check(set(wanted) <= set(headings), f"{program}: {set(wanted) - set(headings)} missing")
        text = " ".join(page.split())
        for option in re.findall(r"(?<![\w-])-{1,2}[A-Za-z46][\w-]*", case.help(program)):
            case.check(option in text, f"{program}: the page does not have {option}")
        for verdict in VERDICTS.get(program, []):
            case.check(re.search(rf"^ +{verdict}\b", page, re.MULTILINE), f"{program}: the page does not have {verdict}")
        for line in case.help(program).split("\nExamples:\n")[1].split("\n\n")[0].splitlines():
            command = line.split("#")[0].strip()
            case.check(command in page, f"{program}: the page does not have the example {command}")


def read(dist: Dist, program: str) -> str:
    """The page as a reader sees it."""
    environment = {"MANWIDTH": "80", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    command = ["man", "-l", str(dist.root / "man" / "man1" / f"{program}.1")]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return shown.stdout.replace("‐\n", "-").replace("−", "-").replace("‐", "-")


def complete_in_bash(case: Case, dist: Dist) -> None:
    """bash completes options, verdicts, several verdicts, and values after ="""
    folder = dist.root / "completions" / "bash"
    with Shell(["bash", "--norc", "--noprofile", "-i"], "bind 'set bell-style none' 'set show-all-if-ambiguous on'",
               *(f"source {folder / program}" for program in PROGRAMS)) as shell:
        typed_in(shell, case)


def complete_in_zsh(case: Case, dist: Dist) -> None:
    """zsh completes the same"""
    folder = dist.root / "completions" / "zsh"
    with Shell(["zsh", "-f", "-i"], f"fpath=({folder} $fpath); autoload -U compinit; compinit -u -D",
               "unsetopt beep list_beep; setopt no_auto_menu; LISTMAX=1000") as shell:
        typed_in(shell, case)


def typed_in(shell: Shell, case: Case) -> None:
    for program, verdicts in VERDICTS.items():
        case.check(shell.offers(f"{program} --expect ", verdicts), f"{program}: verdicts: {shell.shown}")
        case.check(shell.completes(f"{program} --expect refused,wrong-re", "refused,wrong-reply"),
                   f"{program}: another verdict: {shell.shown}")
        case.check(shell.completes(f"{program} --hist", "--histogram"), f"{program}: an option: {shell.shown}")
        case.check(shell.completes(f"{program} --trace=fail", "--trace=failure"), f"{program}: a value: {shell.shown}")
    for program in ("tcp-server", "udp-server"):
        case.check(shell.completes(f"{program} --wit", "--witness"), f"{program}: an option: {shell.shown}")


def complete_in_fish(case: Case, dist: Dist) -> None:
    """fish completes the same, and says what each verdict means"""
    folder = dist.root / "completions" / "fish"
    for program, verdicts in VERDICTS.items():
        def offered(typed: str) -> dict[str, str]:
            return fish(folder / f"{program}.fish", f"{program} {typed}")

        found = offered("--expect ")
        case.check(set(verdicts) == set(found) and all(found.values()), f"{program}: verdicts: {found}")
        found = offered("--expect refused,wrong-re")
        case.check(set(found) == {"refused,wrong-reply"}, f"{program}: another verdict: {found}")
        case.check("--histogram" in offered("--hist"), f"{program}: an option")
        case.check("--trace=failure" in offered("--trace=fail"), f"{program}: a value")
    for program in ("tcp-server", "udp-server"):
        found = fish(folder / f"{program}.fish", f"{program} --wit")
        case.check("--witness" in found, f"{program}: an option: {found}")
