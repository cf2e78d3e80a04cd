"""What the cells of a round are evidence of: how many probes did not get through, and in which direction.

Only what the network or the target did counts. What this side could not do (`local`, `unresolved`, `skipped`) is no
evidence, nor is the silence of a cell that is to be silent.
"""

from typing import NamedTuple

from mesh.cells import Cell, Figures

SILENCE = frozenset(("timeout", "no-reply"))
OURS = frozenset(("local", "unresolved"))  # verdicts that say nothing about the network
THERE, BACK, BOTH = "there", "back", "both"


class Evidence(NamedTuple):
    """Datagrams or probes of a cell that went a way, and how many of them did not arrive.

    Of a cell that lost nothing, or whose losses nobody can place, the way is `both`: there and back again.
    """

    cell: int  # its number in the round
    source: str
    target: str
    service: str
    way: str
    sent: int
    failed: int


def gather(cells: list[Cell], left_out: frozenset[str]) -> list[Evidence]:
    """The evidence of all cells but those of hosts that are `left_out`."""
    found = []
    for number, cell in enumerate(cells):
        plan = cell.planned
        figures = cell.figures
        if figures is None or plan.source in left_out or plan.target in left_out:
            continue
        sent = ended(figures)
        if not sent or not SILENCE.isdisjoint(plan.expect):
            continue
        failed = not_through(figures, plan.expect)
        there, back = figures.lost_there, figures.lost_back
        if failed and there is not None and back is not None and there + back == failed:
            found.append(Evidence(number, plan.source, plan.target, plan.service, THERE, sent, there))
            if sent > there:
                found.append(Evidence(number, plan.source, plan.target, plan.service, BACK, sent - there, back))
        else:
            found.append(Evidence(number, plan.source, plan.target, plan.service, BOTH, sent, failed))
    return found


def ended(figures: Figures) -> int:
    """How many probes have a verdict that says something about the network."""
    counted = sum(figures.verdicts.values()) - sum(figures.verdicts.get(word, 0) for word in OURS)
    return counted if figures.verdicts else figures.sent


def not_through(figures: Figures, expect: tuple[str, ...]) -> int:
    """How many probes were lost, or answered by something else than what is expected. A late reply is no loss."""
    return lost(figures) + sum(count for word, count in figures.verdicts.items()
                               if word not in expect and word not in SILENCE and word not in OURS and word != "ok")


def lost(figures: Figures) -> int:
    """Probes that nothing came back for, not even late."""
    return min(figures.lost, silent(figures)) if figures.verdicts else figures.lost


def silent(figures: Figures) -> int:
    return sum(figures.verdicts.get(word, 0) for word in SILENCE)
