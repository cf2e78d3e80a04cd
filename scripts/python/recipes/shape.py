"""Which lines are the same, but for the figures that differ from one run to the next.

These match each other, and everything else has to be the same:

- any number with a decimal point, and another one; but not shares (`5.0 %`), and no addresses;
- any two ports above 32767, which the system has chosen;
- any two times of a clock (2026-11-27T01:38:20.051Z);
- any two durations of more than one unit (`2s 400ms`), and those after `sent in` and `, for`;
- any two runs of spaces.

A line `...` on the page stands for any lines, none among them. What only a busy machine makes a program say may always
be there: the rows `total`, `from due` and `host` of a table, in the line of a probe its delay, and that probes were
sent late. If some were, then the other rows are of fewer samples, and are not compared.
"""

import re
from typing import Sequence

UNIT = r"(?:h|min|ms|us|m|s)\b"
FORMS = (
    (re.compile(r" delay=\d+\.\d+ ms"), ""),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(rf"(?:(?<=sent in )|(?<=, for ))\d+{UNIT}(?: \d+{UNIT})*"), "DURATION"),
    (re.compile(rf"\b\d+{UNIT}(?: \d+{UNIT})+"), "DURATION"),
    (re.compile(r"(?<![\w.])\d+\.\d+(?!\.?\d)(?! %)"), "NUMBER"),
    (re.compile(r"\b(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[45]\d{4}|6[0-5]\d{3})\b"), "PORT"),
    (re.compile(r"\s+"), " "),
)
HELD_UP = "this machine was held up"
BUSY = re.compile(rf'(total|from due|host) +\d|\d+ sent late, because {HELD_UP}|"from due"\.$')
ROW = re.compile(r"(connect|reply|jitter) [A-Z\d -]+")


def shape(line: str) -> str:
    for form, word in FORMS:
        line = form.sub(word, line)
    return line.strip()


def shapes(lines: Sequence[str]) -> list[str]:
    return [shape(line) for line in lines if not BUSY.match(line)]


def match(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether what was printed is what the page shows."""
    wanted, came = shapes(shown), shapes(printed)
    if any(HELD_UP in line for line in printed):
        wanted, came = ([line for line in lines if not ROW.fullmatch(line)] for lines in (wanted, came))
    return _match(wanted, came)


def begin(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether all has come that the page shows."""
    wanted, came = shapes(shown), shapes(printed)
    return any(_match(wanted, came[:count]) for count in range(len(came) + 1))


def _match(shown: list[str], printed: list[str]) -> bool:
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(_match(shown[1:], printed[skipped:]) for skipped in range(len(printed) + 1))
    return bool(printed) and shown[0] == printed[0] and _match(shown[1:], printed[1:])
