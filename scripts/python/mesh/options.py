"""The command line of scripts/mesh."""

import argparse
import re
from pathlib import Path
from typing import Callable

from lab import command
from mesh import results
from mesh.desks import desk, faults

DURATION = re.compile(r"\d+(\.\d+)?(us|ms|s|m|h)?")
DESK_FAULTS = "what is wrong at the desk, repeatable: " + ", ".join(faults.FORMS.values()) + "; none: nothing is"


def parse(description: str | None) -> argparse.Namespace:
    parser = command.options(description)
    add_what(parser)
    add_how(parser)
    add_output(parser)
    arguments = parser.parse_args()
    if problem := contradiction(arguments):
        parser.error(problem)
    return arguments


def add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is looked at, one of these")
    what.add_argument("fleet", nargs="?", metavar="FLEET",
                      help="a file with a line for each host: NAME[=ADDRESS] [RACK [DATACENTRE]]; -: standard input")
    what.add_argument("--inventory", type=Path, metavar="FILE",
                      help="an Ansible inventory; `rack` and `datacentre` are variables of the hosts")
    what.add_argument("--desk", type=number(desk.FEWEST, desk.MOST), metavar="N",
                      help="N hosts on this machine, in network namespaces, with faults")
    what.add_argument("--report", type=Path, metavar="DIR",
                      help="what --out has kept: its newest round, or that of --minute")


def add_how(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    how.add_argument("--policy", type=Path, metavar="FILE",
                     help="who is to reach whom: lines FROM TO SERVICE EXPECT [everybody everybody, on tcp/6666 "
                          "and udp/6666]")
    how.add_argument("--by", choices=("ssh", "clush"), default="ssh", help="what goes to the hosts [ssh]")
    how.add_argument("--ssh", default="ssh", metavar="COMMAND",
                     help="ssh and options of yours: 'ssh -F config' [ssh]")
    how.add_argument("--clush", default="clush", metavar="COMMAND", help="clush and options of yours [clush]")
    how.add_argument("--programs", type=Path, metavar="DIR",
                     help="programs for the hosts [dist/bin, which scripts/release makes; for this machine's "
                          "hosts, target/release]")
    how.add_argument("--bring", choices=("missing", "never"), default="missing",
                     help="missing: programs are brought to hosts that lack them or have others; never: hosts "
                          "use their own [missing]")
    how.add_argument("--count", type=number(1, 1000), default=7, metavar="N",
                     help="probes from each of 16 source ports [7]")
    how.add_argument("--interval", type=duration, default="100ms", metavar="DUR",
                     help="from one probe to the next [100ms]")
    how.add_argument("--timeout", type=duration, default="1s", metavar="DUR",
                     help="how long an answer may take [1s]")
    how.add_argument("--minute", type=minute, metavar="MINUTE",
                     help="whose plan it is: 2026-11-27T0831Z [now]")
    how.add_argument("--fault", type=fault, action="append", metavar="WORD",
                     help=DESK_FAULTS + " [a blocked pair, a dead host, an uplink that loses 10 %%]")
    how.add_argument("--hide", type=number(0, 2**32 - 1), metavar="SEED",
                     help="three faults at the desk that are not told, drawn by this number; --reveal tells "
                          "them, too")
    how.add_argument("--reveal", action="store_true", help="tell them")


def add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("what comes of it")
    output.add_argument("--plan", nargs="?", const="--all", metavar="HOST",
                        help="only print who probes whom: FROM TO ADDRESS:PORT SERVICE EXPECT SOURCE-PORT")
    output.add_argument("--cells", action="store_true", help="a line for each cell")
    output.add_argument("--json", action="store_true",
                        help="an object for each cell and each finding, instead of text")
    output.add_argument("--svg", type=Path, metavar="FILE", help="the matrix as a picture, too")
    output.add_argument("--out", type=Path, metavar="DIR",
                        help="keep the results there, beside those of other minutes")


def contradiction(arguments: argparse.Namespace) -> str | None:
    """What does not go together."""
    given = [arguments.fleet, arguments.inventory, arguments.desk, arguments.report]
    if sum(each is not None for each in given) != 1:
        return "one of FLEET, --inventory, --desk and --report is needed"
    if not arguments.desk:
        if lonely := [name for name in ("fault", "hide", "reveal") if getattr(arguments, name) not in (None, False)]:
            return f"--{lonely[0]} is for a desk: --desk N"
    if arguments.fault and arguments.hide is not None:
        return "--fault and --hide do not go together"
    if arguments.report and (arguments.policy or arguments.plan or arguments.out):
        return "--report reads what is there: no --policy, --plan or --out"
    return None


def number(least: int, most: int) -> Callable[[str], int]:
    def parsed(word: str) -> int:
        if not re.fullmatch(r"\d{1,10}", word, re.ASCII) or not least <= int(word) <= most:
            raise argparse.ArgumentTypeError(f"{word}: a number from {least} to {most} is needed")
        return int(word)
    return parsed


def duration(word: str) -> str:
    if not DURATION.fullmatch(word):
        raise argparse.ArgumentTypeError(f"{word}: a duration is needed: 100ms, 2s")
    return word


def minute(word: str) -> str:
    if not results.MINUTE.fullmatch(word):
        raise argparse.ArgumentTypeError(f"{word}: it is written 2026-11-27T0831Z")
    return word


def fault(word: str) -> faults.Fault | None:
    return None if word == "none" else faults.parse(word)
