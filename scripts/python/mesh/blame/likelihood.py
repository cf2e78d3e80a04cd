"""How much better a suspect explains what failed than chance does.

A probe that meets a suspect `times` times is let through by it with the probability exp(-times * x): x is what one
searches for, and exp(-x) what the suspect lets through. So the parts of a way simply add up.
"""

import math
from typing import NamedTuple, Sequence

BACKGROUND = 1e-5  # what any network loses, on one way, without a fault
TOTAL = 12.0  # x of a suspect that lets nothing through
# What is explained already is not explained better than this: TCP's second tries and bursts are not reckoned with.
TOLERANCE = 0.15
EXACT = 0.03  # losses below this share are taken as they are


class Group(NamedTuple):
    """Probes for which the same is known."""

    base: float  # x of all else that they meet
    times: int
    sent: float
    failed: float


class Fit(NamedTuple):
    x: float
    gain: float  # how much likelier the failures are with the suspect (a logarithm)

    @property
    def share(self) -> float:
        """What the suspect loses of what passes it."""
        return 1.0 if self.x >= TOTAL - 1 else -math.expm1(-self.x)


def fit(groups: Sequence[Group], enough: float = 0.0) -> Fit:
    """The likeliest x. Where it cannot gain `enough`, it is not searched for."""
    if sum(saturated(group) for group in groups) <= enough:
        return Fit(0.0, 0.0)
    x = likeliest(groups)
    return Fit(x, sum(gain(group, x) for group in groups) if x > 0 else 0.0)


def saturated(group: Group) -> float:
    """What a suspect could gain at most here: if it explained this group alone."""
    through = 1 - group.failed / group.sent
    x = min(TOTAL, -math.log(through)) if through > 0 else TOTAL
    return gain(group, max(0.0, x - group.base) / group.times)


def gain(group: Group, x: float) -> float:
    """How much likelier the failures of a group are with the suspect than without it."""
    with_it = group.base + group.times * x
    return likelihood(group, with_it) - likelihood(group, unaided(group))


def unaided(group: Group) -> float:
    """x of what a group meets without the suspect: as near to what was seen as the tolerance allows."""
    if group.base < EXACT:
        return group.base
    through = 1 - group.failed / group.sent
    seen = -math.log(through) if through > 0 else TOTAL
    return min(max(seen, group.base * (1 - TOLERANCE)), group.base * (1 + TOLERANCE), TOTAL)


def likelihood(group: Group, x: float) -> float:
    """The logarithm of how likely as many fail as did."""
    passed = group.sent - group.failed
    value = -passed * x if passed else 0.0
    return value + (group.failed * math.log(-math.expm1(-x)) if group.failed else 0.0)


def likeliest(groups: Sequence[Group]) -> float:
    """Where the slope is 0: it falls with x, so it is found by halving, on a scale of logarithms."""
    if len(groups) == 1:
        group = groups[0]
        through = 1 - group.failed / group.sent
        x = (-math.log(through) - group.base) / group.times if through > 0 else TOTAL
        return min(max(x, 0.0), TOTAL)
    if slope(groups, TOTAL) >= 0:
        return TOTAL
    low, high = math.log(1e-8), math.log(TOTAL)
    if slope(groups, 1e-8) <= 0:
        return 0.0
    for _ in range(26):
        middle = (low + high) / 2
        if slope(groups, math.exp(middle)) > 0:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def slope(groups: Sequence[Group], x: float) -> float:
    total = 0.0
    for base, times, sent, failed in groups:
        if failed:
            through = math.exp(-base - times * x)
            total += times * failed * through / (1 - through) if through < 1 else math.inf
        total -= (sent - failed) * times
    return total
