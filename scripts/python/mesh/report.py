"""A round in words: the matrix, whose fault it is, and the exit status."""

import argparse
import json
import shutil
import sys
from pathlib import Path

from mesh import results
from mesh.blame import explain as blame
from mesh.blame.finding import Finding
from mesh.results import Round, Unreadable
from mesh.tables import heatmap, matrix

WIDTH_OF_A_FILE = 120  # columns, where there is no terminal


def of(directory: Path, arguments: argparse.Namespace) -> int:
    """Reports a round of a directory: that of the minute asked for, or the newest. Returns the exit status."""
    there = results.minutes(directory)
    if not there:
        raise Unreadable(f"{directory}: it has no round")
    round = results.read(directory, arguments.minute or there[-1])
    for line in matrix.flaws(round):
        print(f"mesh: {line}", file=sys.stderr)
    findings = blame.explain(round)
    if arguments.svg:
        results.written(arguments.svg, heatmap.svg(round))
    if arguments.json:
        print_objects(round, findings)
    else:
        print_text(round, findings, arguments.cells)
    return status(round)


def print_text(round: Round, findings: list[Finding], cells: bool) -> None:
    width = shutil.get_terminal_size((WIDTH_OF_A_FILE, 0)).columns if sys.stdout.isatty() else WIDTH_OF_A_FILE
    faults = [finding.words for finding in findings]
    print("\n".join(matrix.lines(round, matrix.is_coloured(sys.stdout), width, cells, faults)))


def print_objects(round: Round, findings: list[Finding]) -> None:
    for line in matrix.json_lines(round):
        print(line)
    for finding in findings:
        print(json.dumps({"schema": 1, "event": "finding", "minute": round.minute, **finding._asdict()},
                         separators=(",", ":")))


def status(round: Round) -> int:
    """0: all is as the policy says; 1: something is not; 2: nothing was measured."""
    if round.cells and all(cell.figures is None for cell in round.cells):
        return 2
    is_fine = not any(cell.failed for cell in round.cells) and all(each.state == "ok" for each in round.visits.values())
    return 0 if is_fine else 1
