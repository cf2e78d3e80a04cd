"""The matrix as text and as JSON, of rounds that are known."""

import json
import os
import pty
import random
import re
from contextlib import ExitStack
from typing import Any, Callable, Iterator
from unittest import mock

from lab.case import Case
from lab.trial import Trial
from mesh import results
from mesh.cells import Cell, Figures, Planned, Visit
from mesh.results import Round
from mesh.tables import matrix
from mesh.tables.tally import SIGNS, tally
from meshlab import rounds
from meshlab.rounds import Fate

FLEET = "b2=10.2.0.2 B\na1=10.1.0.1 A\na2=10.1.0.2 A  # comes last\nb1=10.2.0.1 B\nlone=10.3.0.1\n"
POLICY = "* * tcp/6666 ok\n* * udp/6666 ok\n* rack:B connect/22 refused,timeout\n"
VISITS = [Visit("a1", "ok", "ssh", None, "0.3.0"), Visit("b2", "unreachable", "ssh", "Connection timed out"),
          Visit("lone", "ok", "ssh", None, "0.2.0")]
WIDE = r"""
2026-11-27 08:31 UTC: 5 hosts, 3 racks, 48 cells
12 not as the policy says, 9 without a result
tcp/6666: 760 replies, p50 <= 0.5 ms, p99 <= 0.5 ms
udp/6666: 699 replies, p50 <= 0.5 ms, p99 <= 0.5 ms

        tcp/6666      connect/22    udp/6666
        A    B        A    B        A    B
        1 2  3 4  5   1 2  3 4  5   1 2  3 4  5
1 a1    \ .  . T  .   \    - -      \ .  N N  .
2 a2    . \  . T  .     \  - -      . \  . N  .
3 b1    . .  \ T  1        \ -      . .  \ N  1
4 b2    ? ?  ? \  ?        ? \      ? ?  ? \  ?   unreachable by ssh
5 lone  . .  . T  \        ! -  \   . .  . N  \

. as the policy says   - closed, as the policy says   1 1-9: tenths of the probes failed
! open, which the policy forbids   N all no-reply   T all timeout   ? no result

b2    unreachable by ssh  Connection timed out
lone  old programs        0.2.0; others have 0.3.0

Not as the policy says, the worst first:
from   to     service     verdict                  failed    lost  there  back  p50 ms  max ms
all 4  b2     tcp/6666    timeout                   100 %   100 %
all 4  b2     udp/6666    no-reply                  100 %   100 %    256     0
lone   b1     connect/22  ok, not refused,timeout   100 %     0 %                0.575   0.775
a1     b1     udp/6666    no-reply                  100 %   100 %     64     0
b1     lone   tcp/6666    timeout                  12.5 %  12.5 %                0.275   0.388
b1     lone   udp/6666    no-reply                  7.8 %   7.8 %      3     2   0.288   0.388
b2     all 4  all         unreachable by ssh
No p99: that takes 100 replies a cell.
"""
NARROW = r"""
2026-11-27 08:31 UTC: 5 hosts, 3 racks, 48
  cells
12 not as the policy says, 9 without a
  result
tcp/6666: 760 replies, p50 <= 0.5 ms, p99 <=
  0.5 ms
udp/6666: 699 replies, p50 <= 0.5 ms, p99 <=
  0.5 ms

        tcp/6666     connect/22   udp/6666
        A  B         A  B         A  B
        12 34 5      12 34 5      12 34 5
1 a1    \. .T .      \  --        \. NN .
2 a2    .\ .T .       \ --        .\ .N .
3 b1    .. \T 1         \-        .. \N 1
4 b2    ?? ?\ ?         ?\        ?? ?\ ?
5 lone  .. .T \         !- \      .. .N \

. as the policy says
- closed, as the policy says
1 1-9: tenths of the probes failed
! open, which the policy forbids
N all no-reply   T all timeout   ? no result

b2  unreachable by ssh: Connection timed out
lone  old programs: 0.2.0; others have 0.3.0

Not as the policy says, the worst first:
from   to     verdict
all 4  b2     timeout
all 4  b2     no-reply
lone   b1     ok, not refused,timeout
a1     b1     no-reply
b1     lone   timeout
b1     lone   no-reply
b2     all 4  unreachable by ssh
No p99: that takes 100 replies a cell.
"""
ESCAPES = re.compile(r"\033\[[0-9;]*m")


def trials() -> Iterator[Trial]:
    yield Trial("matrix-wide", wide)
    yield Trial("matrix-narrow", narrow)
    yield Trial("matrix-colour", colour)
    yield Trial("matrix-never-wraps", never_wraps)
    yield Trial("matrix-long-names", long_names)
    yield Trial("matrix-alike", alike)
    yield Trial("matrix-racks", racks)
    yield Trial("matrix-each-cell", each_cell)
    yield Trial("matrix-signs", signs)
    yield Trial("matrix-json", json_lines)


def fates(line: Planned) -> Fate | None:
    """One dead host, a blocked pair, a lossy one, a port that is open to one host and should not be."""
    if line.source == "b2":
        return None
    if line.target == "b2":
        return Fate(there=1)
    if line.service == "connect/22":
        return Fate(millis=0.4) if line.source == "lone" else Fate("refused", there=1)
    if (line.source, line.target, line.service) == ("a1", "b1", "udp/6666"):
        return Fate(there=1)
    if (line.source, line.target) == ("b1", "lone"):
        return Fate(there=0.1, back=0.05)
    return Fate()


def known(case: Case, count: int = 4) -> Round:
    directory = case.scratch / f"out{count}"
    minute, = rounds.make(directory, FLEET, fates, random.Random("known"), policy=POLICY, visits=VISITS, count=count)
    return results.read(directory, minute)


def check_text(case: Case, found: list[str], expected: str) -> None:
    """Compares line by line, and names the first that differs."""
    lines = expected.strip("\n").split("\n")
    for number, line in enumerate(lines):
        if number >= len(found) or found[number] != line:
            case.check(False, f"line {number + 1}: {found[number:number + 1]}, not {line!r}")
            return
    case.check(len(found) == len(lines), f"and then {found[len(lines):]}")


def wide(case: Case) -> None:
    """At 100 columns: the services beside each other, and each wrong cell with its figures"""
    round = known(case)
    check_text(case, matrix.lines(round, False, 100), WIDE)
    told = matrix.lines(round, False, 100, faults=["somebody is at fault"])
    places = [told.index(line) for line in ("Whose fault it is:", "- somebody is at fault",
                                            next(line for line in told if line.startswith("Not as the policy")))]
    case.check(places == sorted(places), f"whose fault it is does not come before the list: {told}")


def narrow(case: Case) -> None:
    """At 44 columns: the grids are closer, words go on in the next line, columns are left out"""
    check_text(case, matrix.lines(known(case), False, 44), NARROW)


def colour(case: Case) -> None:
    """The same text with colours, which a terminal gets, and nobody else"""
    known_round = known(case)
    for width in (44, 100):
        coloured = matrix.lines(known_round, True, width)
        case.check([ESCAPES.sub("", line) for line in coloured] == matrix.lines(known_round, False, width),
                   f"the text differs at {width} columns")
        case.check(any("\033[1;31mT\033[0m" in line for line in coloured), "a cell that timed out is not red")
        case.check(all("\033" not in line for line in coloured[:4]), "the head has colours")
    master, terminal = pty.openpty()
    with ExitStack() as opened:
        opened.callback(os.close, master)
        stream = opened.enter_context(open(terminal, "w"))
        file = opened.enter_context(open(case.scratch / "file", "w"))
        for environment, expected in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True),
                                      ({"TERM": "dumb"}, False)):
            with mock.patch.dict(os.environ, {"TERM": "xterm", **environment}):
                if "NO_COLOR" not in environment:
                    os.environ.pop("NO_COLOR", None)
                case.check(matrix.is_coloured(stream) == expected, f"a terminal with {environment}: not {expected}")
                case.check(not matrix.is_coloured(file), f"a file with {environment} has colours")


def never_wraps(case: Case) -> None:
    """No line is longer than the terminal, whatever the fleet; what does not fit is said and replaced"""
    for racks, size in ((1, 2), (3, 2), (4, 4), (30, 1), (13, 4)):
        directory = case.scratch / f"{racks}x{size}"
        minute, = rounds.make(directory, rounds.fleet(racks, size), lambda line: Fate(there=line.target == "r1-h1"),
                              case.random, count=1, visits=[Visit("r1-h1", "failed", "clush", "no space left " * 9)])
        found = results.read(directory, minute)
        for width in (24, 40, 60, 80, 120, 200):
            lines = [ESCAPES.sub("", line) for line in matrix.lines(found, width == 60, width)]
            long = [line for line in lines if len(line) > width]
            case.check(not long, f"{racks} racks of {size}, {width} columns: {long[:1]}")
            text = " ".join(" ".join(lines).split())
            is_drawn = any(line.startswith("  ") and line.split()[0] == "tcp/6666" for line in lines if line.strip())
            case.check(is_drawn or "do not fit into" in text,
                       f"{racks} racks of {size}, {width} columns: nothing is said")
            case.check("worst pairs" not in text or racks + 8 > width,
                       f"{racks} racks of {size}, {width} columns: racks would have fitted")


def long_names(case: Case) -> None:
    """Names that are too long are cut, so that the verdict stays in view"""
    fleet = "".join(f"{letter * 40}.example=10.0.0.{at} r\n" for at, letter in enumerate("abcde", 1))
    minute, = rounds.make(case.scratch / "out", fleet, lambda line: Fate(there=line.source < "b"), case.random)
    for width in (40, 60, 80):
        lines = matrix.lines(results.read(case.scratch / "out", minute), False, width)
        listed = lines[next(at for at, line in enumerate(lines) if line.startswith("from ")) + 1 :]
        case.check(all("timeout" in line or "no-reply" in line for line in listed[:2]),
                   f"{width} columns: {listed[:2]}")
        case.check(max(map(len, lines)) <= width, f"{width} columns: {max(lines, key=len)!r}")


def alike(case: Case) -> None:
    """Cells share a line only if they are all that there is of a host, and failed alike"""
    def listed(fates: Callable[[Planned], Fate | None]) -> list[list[str]]:
        directory = case.scratch / f"{case.tried}"
        minute, = rounds.make(directory, rounds.fleet(6, 1), fates, case.random, policy="* * tcp/6666 ok\n")
        lines = matrix.lines(results.read(directory, minute)._replace(visits={}), False, 100)
        at = next((at for at, line in enumerate(lines) if line.startswith("from ")), len(lines))
        return [line.replace("all 5", "all").split()[:4] for line in lines[at + 1 :] if "p99" not in line]

    for of, fates, expected in (
        ("a host that nobody reaches", lambda line: Fate(there=line.target == "r3-h1"),
         [["all", "r3-h1", "tcp/6666", "timeout"]]),
        ("a host that reaches nobody", lambda line: Fate(there=line.source == "r3-h1"),
         [["r3-h1", "all", "tcp/6666", "timeout"]]),
        ("both", lambda line: Fate(there=line.source == "r3-h1" or line.target == "r4-h1"),
         [["r3-h1", "all", "tcp/6666", "timeout"], ["all", "r4-h1", "tcp/6666", "timeout"]]),
        ("nobody", lambda _: Fate(there=1), [["all", f"r{at}-h1", "tcp/6666", "timeout"] for at in range(1, 7)]),
        ("a host that one other reaches", lambda line: Fate(there=line.target == "r3-h1" != line.source != "r1-h1"),
         [[f"r{number}-h1", "r3-h1", "tcp/6666", "timeout"] for number in (2, 4, 5, 6)]),
        ("one that says two things", lambda line: Fate("refused" if line.source == "r1-h1" else None,
                                                        there=line.target == "r3-h1"),
         [["r1-h1", "r3-h1", "tcp/6666", "refused"],
          *[[f"r{number}-h1", "r3-h1", "tcp/6666", "timeout"] for number in (2, 4, 5, 6)]]),
        ("a host with half of its results", lambda line: None if line.source == "r3-h1" < line.target else Fate(),
         [["r3-h1", f"r{number}-h1", "tcp/6666", "no"] for number in (4, 5, 6)]),
        ("a host that few packets reach", lambda line: Fate(there=0.9 * (line.target == "r3-h1")),
         [[f"r{number}-h1", "r3-h1", "tcp/6666", "timeout"] for number in (1, 2, 4, 5, 6)]),
    ):
        found = listed(fates)
        case.check(sorted(found) == sorted(expected), f"{of}: {found}")


def racks(case: Case) -> None:
    """Beyond 48 hosts: racks by racks, in the order of their numbers, with figures that are added up"""
    lossy = ("r2", "r10")
    minute, = rounds.make(case.scratch / "out", rounds.fleet(11, 5), lambda line: Fate(
        there=0.5 * ((line.source[:-3], line.target[:-3]) == lossy)), case.random)
    found = results.read(case.scratch / "out", minute)
    lines = matrix.lines(found, False, 80)
    case.check(any(line.startswith("More than 48 hosts") for line in lines), "nothing is said of racks")
    rows = {line[3:].split()[0]: line for line in lines if re.match(r" ?\d+ r\d", line)}
    case.check(list(rows) == [f"r{number}" for number in range(1, 12)], f"the rows are {list(rows)}")
    tenths = [sign for sign in rows["r2"] if sign in "456"]
    case.check(len(tenths) == 2, f"the lossy pair of racks, over TCP and UDP: {rows['r2']!r}")
    case.check(all(not set(line[9:]) & set("123456789") for name, line in rows.items() if name != "r2"),
               "another pair of racks has lost something")


def each_cell(case: Case) -> None:
    """With --cells, or if there are few, each cell has its line, and p99 where there are 100 replies"""
    known_round = known(case, count=7)
    lines = matrix.lines(known_round, False, 200, cells=True)
    listed = [tuple(line.split()[:3]) for line in lines[lines.index("Each cell:") + 2 :]]
    planned = {(cell.planned.source, cell.planned.target, cell.planned.service) for cell in known_round.cells}
    case.check(set(listed) == planned and len(listed) == len(planned), f"{len(listed)} lines of {len(planned)} cells")
    one = next(line for line in lines if line.startswith("a1    a2    udp/6666"))
    case.check(one.split()[3:] == ["ok", "0", "%", "0", "%", "0.288", "0.388", "0.388"], f"one of them: {one!r}")
    minute, = rounds.make(case.scratch / "few", rounds.fleet(2, 2), lambda _: Fate(), case.random)
    lines = matrix.lines(results.read(case.scratch / "few", minute), False, 100)
    case.check("all as the policy says" in lines and "Each cell:" in lines, f"four hosts: {lines}")


def signs(case: Case) -> None:
    """The sign of each thing that may come of a cell, and of several together"""
    def cell(verdicts: dict[str, int], failed: int, expect: str = "ok") -> Cell:
        planned = Planned("a", "b", "b:6666", "tcp/6666", tuple(expect.split(",")), 20000)
        return Cell(planned, Figures(64, failed, verdicts, 0, None, None, 0, None, None))

    planned = cell({}, 0).planned
    missing = Cell(planned, None, missing="no result")
    expected: tuple[tuple[list[Cell], str], ...] = (
        ([], " "), ([missing], "?"), ([cell({"ok": 64}, 0)], "."), ([cell({"ok": 64}, 0), missing], "~"),
        ([cell({"refused": 64}, 0, "refused")], "-"), ([cell({"ok": 64}, 64, "refused")], "!"),
        ([cell({"timeout": 64}, 64)], "T"), ([cell({"no-reply": 64}, 64)], "N"), ([cell({"refused": 64}, 64)], "R"),
        ([cell({"new-word": 64}, 64)], "X"), ([cell({"timeout": 64}, 64), cell({"refused": 64}, 64)], "X"),
        ([cell({"ok": 63, "timeout": 1}, 1)], "1"), ([cell({"ok": 1, "timeout": 63}, 63)], "9"),
        ([cell({"ok": 32, "timeout": 32}, 32)], "5"), ([cell({"unresolved": 1}, 1)], "D"),
        ([cell({"timeout": 64}, 64), cell({"ok": 64}, 0)], "5"),
        ([cell({"refused": 64}, 0, "refused"), cell({"ok": 64}, 0)], "."),
    )
    for cells, sign in expected:
        found = tally(cells).sign
        case.check(found == sign, f"{[each.verdict for each in cells]}: {found!r}, not {sign!r}")
        case.check(found in " 23456789" or found in SIGNS, f"{found!r} has no words")


def json_lines(case: Case) -> None:
    """An object a cell, with the same fields in each, and null where nothing is known"""
    known_round = known(case)
    objects = [json.loads(line) for line in matrix.json_lines(known_round)]
    case.check(len(objects) == len(known_round.cells), f"{len(objects)} objects")
    case.check(len({tuple(each) for each in objects}) == 1, "their fields differ")
    by_pair = {(each["source"], each["target"], each["service"]): each for each in objects}
    expected: dict[tuple[str, str, str], dict[str, Any]] = {
        ("b2", "a1", "udp/6666"): {"as_expected": None, "missing": "unreachable by ssh", "verdict": None, "sent": None},
        ("lone", "b1", "connect/22"): {"as_expected": False, "verdict": "ok", "expect": ["refused", "timeout"],
                                       "source_rack": None, "target_rack": "B", "p50_ms": 0.575, "p99_ms": None},
        ("a1", "b1", "udp/6666"): {"as_expected": False, "failed_percent": 100.0, "lost_there": 64, "lost_back": 0},
        ("a2", "b1", "connect/22"): {"as_expected": True, "verdict": "refused", "loss_percent": 0.0},
        ("b1", "lone", "udp/6666"): {"failed": 5, "failed_percent": 7.813, "lost_there": 3, "lost_back": 2},
    }
    for key, fields in expected.items():
        found = {name: by_pair[key][name] for name in fields}
        case.check(found == fields, f"{key}: {found}")
