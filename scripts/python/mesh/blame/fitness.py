"""Whether an explanation fits: whether hosts and pairs of hosts fail about as often as it says."""

import math
from collections import defaultdict
from typing import Sequence

from mesh.blame.evidence import Evidence

LEAST = 0.5  # failures that are expected: less is taken for so many
POOR = 4.0  # standard deviations beyond what chance makes: 1 in 30,000
POOR_IN_MUCH, MUCH = 8.0, 10_000  # of so much evidence: there each small flaw of the model shows


def is_poor(evidence: Sequence[Evidence], loads: Sequence[float], clumped: Sequence[float]) -> bool:
    """Whether hosts, in asking or in answering, or pairs of them differ from the explanation more than by chance."""
    hosts: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * 3)
    pairs: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * 3)
    for each, load, clump in zip(evidence, loads, clumped):
        failing = -math.expm1(-load)
        expected = each.sent * failing
        varies = expected * (1 - failing) * clump
        # Not by the way: it is known where something was lost, and so would pick those who lose.
        for into in (hosts["from", each.source], hosts["to", each.target], pairs[each.source, each.target]):
            into[0] += expected
            into[1] += varies
            into[2] += each.failed
    limit = POOR if len(evidence) < MUCH else POOR_IN_MUCH
    return any(excess(list(groups.values())) > limit for groups in (hosts, pairs))


def excess(groups: Sequence[Sequence[float]]) -> float:
    """By how many standard deviations the groups differ more than chance makes them (Pearson's chi squared)."""
    differing = variance = 0.0
    for expected, varies, failed in groups:
        # One probe lost where next to nothing is expected says nothing of the explanation.
        scale = max(varies, LEAST)
        differing += ((failed - expected) ** 2 - varies) / scale
        variance += 2 + 1 / scale
    return differing / math.sqrt(variance) if variance else 0.0
