"""The queries for DuckDB, beside what Python reads from the same files; and whether those for ClickHouse can be parsed.

Both need packages from PyPI, which are installed into an environment of its own under target/, once.
"""

import functools
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

from lab import harness
from lab.case import Case
from lab.command import ROOT
from lab.harness import Word
from lab.trial import Trial
from mesh import results
from mesh.cells import Cell, Planned, Visit
from mesh.results import Round
from mesh.tables.tally import tally
from meshlab import reading, rounds
from meshlab.rounds import Fate

QUERIES = ROOT / "deploy" / "queries"
PACKAGES = ("duckdb==2.0.1", "sqlglot==30.30.0")
PATIENCE = 300.0  # seconds to install them

# Runs some queries one after the other in the same memory, and prints the rows of the last one.
RUN = """
import duckdb, json, sys
db = duckdb.connect()
db.sql("SET threads = 2")
for name in sys.argv[1:]:
    found = db.sql(open(name).read())
print(json.dumps([dict(zip(found.columns, row)) for row in found.fetchall()], default=float))
"""
PARSE = """
import json, sqlglot, sys
found = []
for each in sqlglot.parse(open(sys.argv[1]).read(), read="clickhouse"):
    of = each.find(sqlglot.exp.Table)
    columns = [column.name for column in each.this.expressions] if each.key == "create" and each.kind == "TABLE" else \\
        each.expression.named_selects if each.key == "insert" else []
    found.append([each.key, of.sql() if of else None, columns])
print(json.dumps(found))
"""


def trials() -> Iterator[Trial]:
    yield Trial("queries-matrix", of_matrix, lacks=environment)
    yield Trial("queries-minutes", of_minutes, lacks=environment)
    yield Trial("queries-odd-input", odd_input, lacks=environment)
    yield Trial("queries-visits", visits, lacks=environment)
    yield Trial("queries-clickhouse", clickhouse, lacks=environment)


def python() -> Path:
    target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    return target / "queries" / "bin" / "python"


@functools.cache
def environment() -> str | None:
    """Installs what the queries are tried with. Says what is missing, if that fails."""
    folder = python().parent.parent
    stamp = folder / "packages"
    if stamp.exists() and stamp.read_text() == " ".join(PACKAGES):
        return None
    commands: list[list[Word]] = [
        [sys.executable, "-m", "venv", "--clear", folder],
        [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
    ]
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        except (subprocess.SubprocessError, OSError):
            return f"{' and '.join(PACKAGES)} from PyPI cannot be installed (apt-get install python3-venv?)"
    stamp.write_text(" ".join(PACKAGES))
    return None


def asked(case: Case, directory: Path, *queries: str) -> list[dict[str, Any]]:
    """The rows of the last of these queries."""
    files = [QUERIES / f"{name}.sql" if "/" not in name else Path(name) for name in queries]
    rows: list[dict[str, Any]] = printed(case, RUN, directory, *files)
    return rows


def printed(case: Case, program: str, directory: Path, *words: Path) -> Any:
    ran = harness.run([python(), "-c", program, *words], case.scratch, seconds=120, cwd=directory)
    if not case.check(ran.status == 0, f"{[word.name for word in words]}: {ran.errors.decode()[-300:]}"):
        return []
    return json.loads(ran.output)


def fates(line: Planned) -> Fate | None:
    """Something of everything."""
    if line.source == "r2-h3":
        return None
    if line.target == "r1-h2" and line.service == "tcp/6666":
        return Fate("refused", there=1)
    if line.source == "r1-h1":
        return Fate(there=0.2, back=0.1, millis=3)
    return Fate(there=0.01, millis=0.2 if line.target < "r2" else 0.9)


def three_minutes(case: Case, count: int) -> tuple[Path, list[Round]]:
    """What 2 racks of 3 hosts have measured in 3 minutes."""
    directory = case.scratch / "out"
    policy = "* * tcp/6666 ok\n* * udp/6666 ok\nrack:r1 rack:r2 connect/22 timeout,refused\n"
    seen = [Visit("r1-h1", "ok", "ssh", None, "0.3.0"), Visit("r2-h3", "unreachable", "ssh", "Connection timed out")]
    names = rounds.make(directory, rounds.fleet(2, 3), fates, case.random, 3, count, policy, seen)
    # In one minute nobody knows in which direction this host's were lost.
    file = directory / "results" / names[1] / "r1-h1.ndjson"
    file.write_text(re.sub(r'"lost_(there|back)":[0-9]+', r'"lost_\1":null', file.read_text()))
    return directory, [results.read(directory, name) for name in names]


def of_matrix(case: Case) -> None:
    """One minute: each cell as Python has it, with the verdict, the losses and the percentiles of its summary"""
    directory, read = three_minutes(case, 7)
    for each in read:
        chosen = case.scratch / f"{each.minute}.sql"
        chosen.write_text(f"SET VARIABLE minute = '{each.minute}'")
        rows = {(row["source"], row["target"], row["service"]): row
                for row in asked(case, directory, "load", str(chosen), "matrix")}
        case.check(len(rows) == len(each.cells), f"{len(rows)} rows, not {len(each.cells)}")
        for cell in each.cells:
            key = (cell.planned.source, cell.planned.target, cell.planned.service)
            row, figures = rows.get(key, {}), cell.figures
            expected = common([cell]) | {
                "worst_verdict": figures and cell.verdict, "p50_ms": figures and figures.p50,
                "p99_ms": figures and figures.p99, "max_ms": figures and figures.slowest}
            check_row(case, f"{each.minute}, {key}", row, expected)


def of_minutes(case: Case) -> None:
    """Three minutes together, for each pair, pair of racks, and minute: the buckets are added up, not percentiles"""
    directory, read = three_minutes(case, 4)
    cells = [(each.minute, cell) for each in read for cell in each.cells]
    rack = {host.name: host.rack for host in read[0].fleet}
    keys: dict[str, tuple[tuple[str, ...], Callable[[str, Planned], tuple[str | None, ...]]]] = {
        "matrix": (("source", "target", "service"), lambda _, line: (line.source, line.target, line.service)),
        "racks": (("source_rack", "target_rack", "service"),
                  lambda _, line: (rack[line.source], rack[line.target], line.service)),
        "timeline": (("minute", "service"), lambda minute, line: (minute, line.service)),
    }
    for query, (names, key_of) in keys.items():
        together: dict[tuple[str | None, ...], list[Cell]] = defaultdict(list)
        for minute, cell in cells:
            together[key_of(minute, cell.planned)].append(cell)
        rows = {tuple(row[name] for name in names): row for row in asked(case, directory, "load", query)}
        case.check(set(rows) == set(together), f"{query}: {set(rows) ^ set(together)}")
        for key, some in together.items():
            expected = common(some)
            row = rows.get(key, {})
            check_row(case, f"{query}, {key}", row, {name: expected[name] for name in expected if name in row})
            case.check(len(set(expected) & set(row)) > 5, f"{query}, {key}: {list(row)}")
    check_worst(case, asked(case, directory, "load", "worst"), cells)


def check_worst(case: Case, rows: Sequence[dict[str, Any]], cells: Sequence[tuple[str, Cell]]) -> None:
    shares = [row["failed_percent"] for row in rows]
    known = [share for share in shares if share is not None]
    case.check(known == sorted(known, reverse=True) and shares[: len(known)] == known, f"worst: {shares}")
    found = {(row["source"], row["target"], row["service"]) for row in rows}
    wrong = {(cell.planned.source, cell.planned.target, cell.planned.service) for _, cell in cells if cell.failed}
    case.check(found == wrong or len(rows) == 50 and found <= wrong, f"worst: {found ^ wrong}")
    last = max(minute for minute, cell in cells if cell.planned.target == "r1-h2" and cell.figures and cell.failed)
    case.check(any((row["last_failed"], row["worst_verdict"]) == (last, "refused") for row in rows), f"{rows[:1]}")


def common(cells: Sequence[Cell]) -> dict[str, Any]:
    """What the queries say of cells, by Python's account."""
    found = tally(cells)
    return {"cells": found.cells, "without_a_result": found.missing, "not_as_the_policy_says": found.wrong,
            "failed_percent": percent(found.failed, found.ended), "loss_percent": percent(found.lost, found.ended),
            "lost_there": found.there, "lost_back": found.back,
            "p50_ms_at_most": found.percentile(500), "p99_ms_at_most": found.percentile(990)}


def percent(part: int, whole: int) -> float | None:
    return -(-part * 100_000 // whole) / 1000 if whole else None


def check_row(case: Case, of: str, row: dict[str, Any], expected: dict[str, Any]) -> None:
    wrong = {name: (row.get(name), value) for name, value in expected.items() if name in row and row[name] != value}
    case.check(row and not wrong, f"{of}: found, expected: {wrong}")


def odd_input(case: Case) -> None:
    """Missing fields, broken lines, a second summary, older programs, targets planned twice: as Python takes them"""
    directory, plan = case.scratch / "out", "".join(f"a b [::1]:6666 udp/6666 ok {port}\n" for port in (20032, 20048))
    lines = (reading.summary(lost=1) + "{\n" + reading.summary(lost=2) + reading.summary(kind="tcp", protocol=...)
             + reading.summary("10.0.0.3:7", protocol=..., jitter_ms=..., new_field=[{}])
             + reading.summary("[::1]:6666", port=20048, lost=3) + reading.summary("10.9.9.9:1")
             + reading.summary("[::1]:6666", port=20032, sent=0, ok=0, verdicts={"ok": 0, "local": 1}, flows=[])
             + '{"schema":1,"event":"trace","target":"10.0.0.2:6666"}\n' + reading.summary()[:99])
    read = reading.written(case, lines, reading.PLAN + plan)
    counted, = asked(case, directory, "load")
    case.check(counted == {"cells": 5, "not_as_the_policy_says": 0, "without_a_result": 2, "broken_lines": 2,
                           "summaries_of_no_cell": 4}, f"{counted}")
    select = case.scratch / "cells.sql"
    select.write_text("SELECT lost, failed IS NULL AS is_missing FROM cells")
    rows = asked(case, directory, "load", str(select))
    found = [(row["lost"], row["is_missing"]) for row in rows]
    expected = [(cell.figures.lost if cell.figures and cell.figures.sent else None, cell.figures is None)
                for cell in read.cells]
    case.check(sorted(found, key=str) == sorted(expected, key=str), f"{found}, not {expected}")


def visits(case: Case) -> None:
    """The hosts that could not be visited come first, with the reason and how often"""
    directory, _ = three_minutes(case, 1)
    rows = asked(case, directory, "visits")
    case.check([(row["host"], row["state"], row["reason"], row["minutes"], row["first"], row["last"]) for row in rows]
               == [("r2-h3", "unreachable", "Connection timed out", 3, "2026-11-27T0831Z", "2026-11-27T0833Z"),
                   ("r1-h1", "ok", None, 3, "2026-11-27T0831Z", "2026-11-27T0833Z")], f"{rows}")


def clickhouse(case: Case) -> None:
    """The statements for ClickHouse can be parsed, and what is inserted fits the columns"""
    found = printed(case, PARSE, case.scratch, QUERIES / "clickhouse.sql")
    kinds = [kind for kind, _, _ in found]
    case.check(kinds == ["create"] * 4 + ["insert"] * 2 + ["select"], f"{kinds}")
    tables = {table: columns for kind, table, columns in found if kind == "create" and columns}
    for kind, table, columns in found:
        if kind == "insert":
            case.check(len(columns) == len(tables.get(table, [])), f"{table}: {columns}, not {tables.get(table)}")
            named = [name for name in columns if name in tables.get(table, [])]
            case.check(named == [name for name in tables.get(table, []) if name in named] and len(named) > 5,
                       f"{table}: another order: {columns}")
