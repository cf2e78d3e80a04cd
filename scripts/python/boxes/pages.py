"""The manual pages, as linters and readers find them, and what three shells complete."""

import re
import subprocess
from typing import Iterator

from boxes.dist import Dist
from boxes.shells import Shell, fish
from lab.trial import Trial
from lab.case import CLIENTS, PROGRAMS, Case

SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES", "SEE ALSO",
            "COPYRIGHT")
WIDTH = 80
TCP_VERDICTS = "ok refused unreachable timeout no-reply reset wrong-reply unresolved local"
UDP_VERDICTS = "ok refused unreachable no-reply wrong-reply wrong-source unresolved local"
VERDICTS = {"tcp-client": TCP_VERDICTS.split(), "udp-client": UDP_VERDICTS.split()}

# What Tab makes of what a client's user has typed.
TYPED = {
    "--expect refused,wrong-re": "refused,wrong-reply", "--expect=unrea": "--expect=unreachable",
    "--hist": "--histogram", "--trace=fail": "--trace=failure", "--dscp AF4": "AF41", "--interface l": "lo",
    "localho": "localhost", "-4 localho": "localhost",
}


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
        page = read(case, dist, program)
        sections = dict(re.findall(r"^([A-Z][A-Z ]+)\n((?:(?: .*)?\n)+)", page, re.MULTILINE))
        wanted = {*SECTIONS, *(["VERDICTS"] if program in CLIENTS else [])}
        case.check(wanted == set(sections), f"{program}: sections {sorted(wanted ^ set(sections))}")
        case.check(all(len(line) <= WIDTH for line in page.splitlines()), f"{program}: a line of more than {WIDTH}")
        # A line of its own for each option: `-W, --timeout DUR`.
        named = set(re.findall(r"^ {7}(-.+?)(?:  |$| [A-Z]|\[)", sections["OPTIONS"], re.MULTILINE))
        options = re.findall(r"^ {2,6}((?:-\w, )?-{1,2}[\w-]+)", case.help(program), re.MULTILINE)
        case.check(set(options) == named, f"{program}: options {sorted(set(options) ^ named)}")
        verdicts = re.findall(r"^ {7}([a-z-]+)(?:  |$)", sections.get("VERDICTS", ""), re.MULTILINE)
        case.check(verdicts == VERDICTS.get(program, []), f"{program}: verdicts {verdicts}")
        for line in case.help(program).split("\nExamples:\n")[1].split("\n\n")[0].splitlines():
            command, comment = line.split("#")
            shown = f"       # {comment.strip()}\n       {command.strip()}\n"
            case.check(shown in sections["EXAMPLES"], f"{program}: the page does not have the example {command}")
        for other in set(PROGRAMS) - {program}:
            case.check(f"{other}(1)" in sections["SEE ALSO"], f"{program}: the page does not lead to {other}")


def read(case: Case, dist: Dist, program: str) -> str:
    """The page as a reader sees it."""
    environment = {"MANWIDTH": str(WIDTH), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    command = ["man", "--warnings", "-l", str(dist.root / "man" / "man1" / f"{program}.1")]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    case.check(not shown.stderr, f"{program}: {shown.stderr[:300]}")
    return shown.stdout


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
        for typed, word in TYPED.items():
            case.check(shell.completes(f"{program} {typed}", word), f"{program} {typed}: {shell.shown}")
        # A word of its own would be the target.
        case.check(shell.leaves(f"{program} --trace fail"), f"{program} --trace fail: {shell.shown}")
        case.check(shell.completes(f"{program} --trace localho", "localhost"), f"{program} --trace: {shell.shown}")
    for program in ("tcp-server", "udp-server"):
        case.check(shell.completes(f"{program} --wit", "--witness"), f"{program}: an option: {shell.shown}")


def complete_in_fish(case: Case, dist: Dist) -> None:
    """fish completes the same, and says what each verdict means"""
    # fish offers no name of this machine itself.
    (case.scratch / ".ssh").mkdir()
    (case.scratch / ".ssh" / "known_hosts").write_text("box.example ssh-ed25519 AAAA\n")
    folder = dist.root / "completions" / "fish"
    for program, verdicts in VERDICTS.items():
        def offered(typed: str) -> dict[str, str]:
            return fish(folder / f"{program}.fish", f"{program} {typed}", case.scratch)

        found = offered("--expect ")
        case.check(set(verdicts) == set(found) and all(found.values()), f"{program}: verdicts: {found}")
        found = offered("--expect refused,wrong-re")
        case.check(set(found) == {"refused,wrong-reply"}, f"{program}: another verdict: {found}")
        for typed, word in (("--hist", "--histogram"), ("--trace=fail", "--trace=failure"), ("--dscp AF4", "AF41"),
                            ("--interface l", "lo"), ("box.ex", "box.example"), ("--trace box.ex", "box.example")):
            case.check(word in (found := offered(typed)), f"{program} {typed}: {found}")
        case.check("failure" not in (found := offered("--trace ")), f"{program} --trace: {found}")
    for program in ("tcp-server", "udp-server"):
        found = fish(folder / f"{program}.fish", f"{program} --wit", case.scratch)
        case.check("--witness" in found, f"{program}: an option: {found}")
