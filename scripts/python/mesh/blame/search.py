"""The search for the smallest set of suspects that explains what failed.

The suspect that explains most is taken, then the next one by what the first does not explain, and so on. After each
step it is asked of all whether they are still needed, and whether another one in their place would do better: so a
fabric that looked guilty for two lossy hosts goes when both are found.
"""

import math
from collections import Counter, defaultdict
from typing import Callable, NamedTuple, Sequence

from mesh.blame import fitness
from mesh.blame.evidence import BOTH, Evidence
from mesh.blame.likelihood import BACKGROUND, Fit, Group, fit, likelihood
from mesh.blame.suspects import Met, Suspect

# What a suspect has to explain beyond what the number of its kind demands: so false alarms are rare (docs/blame.md).
CAUTION = 9.0
UNSURE = math.log(100)  # suspects that are nearer to each other than this cannot be told apart
MOST = 24  # faults that are searched for at a time: beyond, nothing is simple any more
# How often a poor explanation is searched for anew, with how many more suspects: it takes as much time each time.
ELSEWHERE, ELSEWHERE_IN_MUCH = 6, 3
OF_A_KIND, MORE, REVIEWS = 2, 2, 3

Class = tuple[Met, ...]


class Guilty(NamedTuple):
    """A suspect that explains something, and those that would explain it as well."""

    suspect: Suspect
    fit: Fit
    instead: tuple[Suspect, ...]


class Worth(NamedTuple):
    """How likely what was seen is by an explanation, and what has to be demanded of those whom it names."""

    likely: float
    demanded: float
    clump: float

    def is_better_than(self, other: "Worth") -> bool:
        gained = (self.likely - other.likely) / max(self.clump, other.clump)
        return gained > self.demanded - other.demanded


class Search:
    """The suspects of some evidence, and those chosen so far."""

    def __init__(self, evidence: Sequence[Evidence], meets: Callable[[Evidence], Sequence[Met]],
                 prior: dict[str, float], clumping: Callable[[Sequence[int]], float]):
        self.evidence = evidence
        self.prior = prior
        self.clumping = clumping
        self.chosen: dict[Suspect, float] = {}  # and their x
        self.clumps: dict[Suspect, float] = {}
        self.met: list[list[Met]] = [[] for _ in evidence]
        self.members: dict[Suspect, list[tuple[int, int]]] = defaultdict(list)  # evidence, and how often it is met
        self.classes: list[Class] = [()] * len(evidence)
        self.counts: dict[Suspect, dict[tuple[Class, int, int], list[int]]] = {}
        self._call(meets)

    def _call(self, meets: Callable[[Evidence], Sequence[Met]]) -> None:
        """Finds out whom the evidence is about. Who has met one lost probe alone is no suspect: that is no pattern."""
        failed: dict[Suspect, int] = defaultdict(int)
        for each in self.evidence:
            if each.failed:
                for suspect, _ in meets(each):
                    failed[suspect] += each.failed
        called = {suspect for suspect, count in failed.items() if count > 1}
        if not called:
            return
        for number, each in enumerate(self.evidence):
            met = self.met[number] = [one for one in meets(each) if one[0] in called]
            for suspect, times in met:
                self.members[suspect].append((number, times))

    def run(self) -> list[Guilty]:
        """Those to blame, the one who explains most first."""
        self._search()
        self._search_elsewhere()
        found = [Guilty(suspect, self._fit(suspect, suspect), self._instead(suspect)) for suspect in self.chosen]
        return sorted(found, key=lambda guilty: -guilty.fit.gain)

    def _search(self, most: int = MOST) -> None:
        while len(self.chosen) < most:
            best = self._best()
            if best is None:
                break
            self._choose(best[0], best[1].x)
            self._settle()
            self._review()
            if best[0] not in self.chosen and len(self.chosen) > 1:
                break  # it went round in a circle

    def _search_elsewhere(self) -> None:
        """Where the explanation does not fit well, searches anew, beginning with others than the best one.

        Two lossy hosts of a rack look like the rack at first, two racks like everything.
        """
        if not self.chosen or not fitness.is_poor(self.evidence, self.loads(), self.clumped()):
            return
        best, found, most = self._worth(), dict(self.chosen), len(self.chosen) + MORE
        self._start_with({})
        for suspect, x in self._beginnings():
            self._start_with({suspect: x})
            self._search(most)
            worth = self._worth()
            if worth.is_better_than(best):
                best, found = worth, dict(self.chosen)
        self._start_with(found)
        self._settle()

    def _beginnings(self) -> list[tuple[Suspect, float]]:
        """Those that explain most for themselves alone, not too many of a kind."""
        fits = [(suspect, self._fit(suspect, None, self._demanded(suspect))) for suspect in self.members]
        fits.sort(key=lambda each: -each[1].gain)
        found: list[tuple[Suspect, float]] = []
        kinds = Counter[str]()
        enough = ELSEWHERE if len(self.evidence) < fitness.MUCH else ELSEWHERE_IN_MUCH
        for suspect, fitted in fits:
            if fitted.gain > 0 and kinds[suspect.kind] < OF_A_KIND and len(found) < enough:
                kinds[suspect.kind] += 1
                found.append((suspect, fitted.x))
        return found

    def _start_with(self, suspects: dict[Suspect, float]) -> None:
        for suspect in list(self.chosen):
            self._acquit(suspect)
        for suspect, x in suspects.items():
            self._choose(suspect, x)

    def loads(self) -> list[float]:
        """What each piece of evidence meets, by those that are chosen: -log of the share that gets through."""
        of_class: dict[Class, float] = {}
        for met in set(self.classes):
            of_class[met] = sum(times * self.chosen[suspect] for suspect, times in met)
        return [(2 if each.way == BOTH else 1) * BACKGROUND + of_class[met]
                for each, met in zip(self.evidence, self.classes)]

    def clumped(self) -> list[float]:
        """For each piece of evidence, how many times as much as chance its figures vary."""
        of_class = {met: max((self.clumps[suspect] for suspect, _ in met), default=1.0) for met in set(self.classes)}
        return [of_class[met] for met in self.classes]

    def _worth(self) -> Worth:
        likely = sum(likelihood(Group(load, 1, each.sent, each.failed), load)
                     for each, load in zip(self.evidence, self.loads()))
        return Worth(likely, sum(self._demanded(suspect) for suspect in self.chosen), max(self.clumped()))

    def _best(self, best: float = 0.0, without: Suspect | None = None) -> tuple[Suspect, Fit] | None:
        """Who explains most of what is unexplained, beyond what has to be demanded, and more than the `best` so far."""
        found = None
        for suspect in self.members:
            if suspect in self.chosen:
                continue
            demanded = self._demanded(suspect)
            fitted = self._fit(suspect, without, best + demanded)
            if fitted.gain - demanded > best:
                best, found = fitted.gain - demanded, (suspect, fitted)
        return found

    def _demanded(self, suspect: Suspect) -> float:
        return self.prior[suspect.kind] + CAUTION

    def _fit(self, suspect: Suspect, without: Suspect | None = None, enough: float = 0.0) -> Fit:
        return fit(self._groups(suspect, without), enough)

    def _groups(self, suspect: Suspect, without: Suspect | None) -> list[Group]:
        """What is known of a suspect, with the chosen ones as they are, but for one."""
        groups: dict[tuple[float, int, float], list[float]] = {}
        for (of, ways, times), (sent, failed) in self._counted(suspect).items():
            base, clump = ways * BACKGROUND, 1.0
            for other, often in of:
                if other != without:
                    base += often * self.chosen[other]
                    clump = max(clump, self.clumps[other])
            into = groups.setdefault((base, times, clump), [0.0, 0.0])
            into[0] += sent
            into[1] += failed
        return [Group(base, times, sent / clump, failed / clump)
                for (base, times, clump), (sent, failed) in groups.items()]

    def _counted(self, suspect: Suspect) -> dict[tuple[Class, int, int], list[int]]:
        """The suspect's evidence added up by who else is met."""
        counted = self.counts.get(suspect)
        if counted is None:
            counted = self.counts[suspect] = {}
            for number, times in self.members[suspect]:
                each = self.evidence[number]
                key = (self.classes[number], 2 if each.way == BOTH else 1, times)
                into = counted.get(key)
                if into is None:
                    counted[key] = [each.sent, each.failed]
                else:
                    into[0] += each.sent
                    into[1] += each.failed
        return counted

    def _choose(self, suspect: Suspect, x: float) -> None:
        self.clumps[suspect] = self.clumping([number for number, _ in self.members[suspect]])
        self.chosen[suspect] = x
        for number, times in self.members[suspect]:
            self.classes[number] = (*self.classes[number], (suspect, times))
            self._forget(number)

    def _acquit(self, suspect: Suspect) -> None:
        del self.chosen[suspect], self.clumps[suspect]
        for number, _ in self.members[suspect]:
            self.classes[number] = tuple(met for met in self.classes[number] if met[0] != suspect)
            self._forget(number)

    def _forget(self, number: int) -> None:
        for suspect, _ in self.met[number]:
            self.counts.pop(suspect, None)

    def _settle(self) -> None:
        """Fits all that are chosen to each other."""
        for _ in range(8 if len(self.chosen) > 1 else 0):
            for suspect in self.chosen:
                self.chosen[suspect] = self._fit(suspect, suspect).x

    def _review(self) -> None:
        """Lets go who is not needed any more, and replaces whom another one does better, until all stay."""
        for _ in range(REVIEWS):
            if len(self.chosen) < 2 or not any([self._is_replaced(suspect) for suspect in list(self.chosen)]):
                return

    def _is_replaced(self, suspect: Suspect) -> bool:
        worth = self._fit(suspect, suspect).gain - self._demanded(suspect)
        better = self._best(max(worth, 0.0) + 0.5, suspect)
        if not better and worth > 0:
            return False
        self._acquit(suspect)
        if better:
            self._choose(better[0], better[1].x)
        self._settle()
        return True

    def _instead(self, suspect: Suspect) -> tuple[Suspect, ...]:
        """Who would explain nearly as much in the suspect's place."""
        worth = self._fit(suspect, suspect).gain - self._demanded(suspect) - UNSURE
        found = []
        for other in self.members:
            if other in self.chosen:
                continue
            demanded = self._demanded(other)
            fitted = self._fit(other, suspect, worth + demanded)
            if fitted.gain > 0 and fitted.gain - demanded >= worth:
                found.append((demanded - fitted.gain, other))
        return tuple(other for _, other in sorted(found))
