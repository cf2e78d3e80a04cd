"""The sizes of the programs, and the most that they may have."""

from pathlib import Path
from typing import Iterable

from lab.case import PROGRAMS
from release.steps import Failure
from release.targets import Kind

# ARCHITECTURE.md: a megabyte is copied at once, over any network.
LARGEST = 1_000_000

# Five percent above what was measured when they were last changed: a dependency that costs more than that is noticed,
# and is either worth a new number here or is left out.
BUDGETS = {
    "x86_64-musl": {"tcp-server": 734_000, "tcp-client": 851_000, "udp-server": 756_000, "udp-client": 881_000},
    "aarch64-musl": {"tcp-server": 678_000, "tcp-client": 768_000, "udp-server": 696_000, "udp-client": 792_000},
    "x86_64-gnu": {"tcp-server": 629_000, "tcp-client": 747_000, "udp-server": 651_000, "udp-client": 776_000},
    "aarch64-gnu": {"tcp-server": 581_000, "tcp-client": 670_000, "udp-server": 598_000, "udp-client": 694_000},
}

# The four static programs together: an image that has nothing else stays below 4 MB, and leaves room for a user's name
# and the licences.
STATIC_TOGETHER = 3_800_000


def table(bin: Path, kinds: Iterable[Kind]) -> tuple[list[str], list[str]]:
    """The lines of the table, and what is too large."""
    lines = [f"{'kind':14}{'program':12}{'bytes':>10}{'budget':>11}{'used':>7}"]
    large = []
    for kind in kinds:
        sizes = {program: (bin / kind.name / program).stat().st_size for program in PROGRAMS}
        budgets = {program: min(BUDGETS[kind.name][program], LARGEST) for program in PROGRAMS}
        if kind.is_static:
            sizes["together"], budgets["together"] = sum(sizes.values()), STATIC_TOGETHER
        for program, size in sizes.items():
            budget = budgets[program]
            lines.append(f"{kind.name:14}{program:12}{size:10,}{budget:11,}{size / budget:7.1%}")
            if size > budget:
                large.append(f"{kind.name}/{program} has {size:,} bytes, and may have {budget:,}")
    return lines, large


def hold(bin: Path, kinds: Iterable[Kind]) -> None:
    """Prints the table. A Failure if a budget is passed."""
    lines, large = table(bin, kinds)
    print("\n".join(lines), flush=True)
    if large:
        raise Failure("; ".join(large))
