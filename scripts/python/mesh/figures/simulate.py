"""How often the explanation is right: faults are seeded into simulated fleets, and what is said is held against them.

usage: python3 -m mesh.figures.simulate [--racks N] [--hosts N] [--spines N] [--minutes N] [--tries N]
                                        [--share PERCENT,...]
                                [--kinds KIND,...] [--two] [--no-traces] [--no-ways] [--seed N]

`--tries 0` leaves the faults away, and `--clean N` makes rounds without a fault. `--hosts` counts those of a rack.
Without traces or ways it is as if no client had traced, or no server were a witness. Exit status: 0.
"""

import argparse
import random
from typing import Iterable, NamedTuple, Sequence

from mesh.blame.explain import explain, together
from mesh.blame.finding import Finding
from mesh.figures.simulated import KINDS, Network, Trouble

SHARES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # percent
ASIDE = ("background", "unexplained")  # they accuse nobody
MINUTES = 4  # of which plans are made, which takes longest
SURE = 0.95
RIGHT, VAGUE, SILENT, WRONG = "right", "vague", "silent", "wrong"


class Judged(NamedTuple):
    """How many tries came out how."""

    right: int = 0  # kind, name and way are said, and nothing else
    vague: int = 0  # what is said is true, and leaves open what it cannot know
    silent: int = 0  # nobody is accused
    wrong: int = 0  # somebody else is accused, or somebody besides

    def more(self, word: str) -> "Judged":
        return self._replace(**{word: getattr(self, word) + 1})

    @property
    def tried(self) -> int:
        return sum(self)


def judge(troubles: Sequence[Trouble], findings: Iterable[Finding]) -> str:
    """Whether each trouble was found for what it is, and nothing else was said."""
    accused = [each for each in findings if each.kind not in ASIDE]
    if not accused:
        return SILENT
    words = []
    for trouble in troubles:
        said = [(word, each) for each in accused if (word := agrees(trouble, each))]
        if not said:
            return WRONG
        best = min(said, key=lambda each: (RIGHT, VAGUE).index(each[0]))
        words.append(best[0])
        accused.remove(best[1])
    if accused:
        return WRONG
    return VAGUE if VAGUE in words else RIGHT


def agrees(trouble: Trouble, found: Finding) -> str | None:
    """Whether a finding means this trouble: exactly, or leaving something open."""
    if found.kind == "one of":
        named = "fabric" if trouble.kind == "spine" else trouble.of
        return VAGUE if named in found.of.replace(",", " ").split() else None
    if trouble.kind == "spine":
        return {trouble.of: RIGHT, "fabric": VAGUE}.get(found.of) if found.kind == "fabric" else None
    if found.of != trouble.of:
        return None
    if trouble.kind == "host" and found.kind == "dead":
        return RIGHT if trouble.share >= 0.99 else None
    if found.kind == trouble.kind:
        return RIGHT
    return VAGUE if found.kind == "uplink" and trouble.kind.startswith("uplink") else None


def tried(network: Network, kinds: Sequence[str], share: float, minutes: int, tries: int, seed: str) -> Judged:
    """So many tries of a fault of each of these kinds at once."""
    judged = Judged()
    for number in range(tries):
        dice = random.Random(f"{seed}/{number}")
        troubles: list[Trouble] = []
        while len(troubles) < len(kinds):
            trouble = network.random_trouble(kinds[len(troubles)], share, dice)
            troubles += [trouble] if trouble not in troubles else []
        judged = judged.more(judge(troubles, findings(network, troubles, minutes, dice)))
    return judged


def findings(network: Network, troubles: list[Trouble], minutes: int, dice: random.Random) -> list[Finding]:
    return explain(together(network.rounds(dice.randrange(MINUTES), minutes, troubles, dice)))


def false_alarms(network: Network, minutes: int, rounds: int, seed: str) -> int:
    """In how many of so many rounds without a fault somebody is accused."""
    alarms = 0
    for number in range(rounds):
        said = findings(network, [], minutes, random.Random(f"{seed}/clean/{number}"))
        alarms += any(each.kind not in ASIDE for each in said)
    return alarms


def at_most(seen: int, tries: int) -> float:
    """The share that is not exceeded, for all that was seen, with the confidence SURE (Clopper and Pearson)."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if no_more_than(seen, tries, middle) > 1 - SURE:
            low = middle
        else:
            high = middle
    return high


def no_more_than(seen: int, tries: int, share: float) -> float:
    """How probable it is that no more than these are seen."""
    term, total = (1 - share) ** tries, 0.0
    for number in range(seen + 1):
        total += term
        term *= (tries - number) / (number + 1) * share / (1 - share) if share < 1 else 0.0
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = options().parse_args(arguments)
    network = Network(chosen.racks, chosen.hosts, chosen.spines, not chosen.no_traces, not chosen.no_ways)
    print(f"{len(network.fleet)} hosts, {len(network.racks)} racks, {len(network.spines)} spines, "
          f"{len(network.clean(0))} cells, {chosen.minutes} min, seed {chosen.seed}", flush=True)
    pairs: list[tuple[str, ...]] = [(kind,) for kind in chosen.kinds]
    if chosen.two:
        pairs = [(kind, other) for number, kind in enumerate(chosen.kinds) for other in chosen.kinds[number:]]
    if chosen.tries:
        print(f"{'fault':24}{'loses':>8}{'right':>8}{'vague':>8}{'silent':>8}{'wrong':>8}{'tried':>8}")
        for kinds in pairs:
            for share in chosen.share:
                seed = f"{chosen.seed}/{kinds}/{share}"
                result = tried(network, kinds, share / 100, chosen.minutes, chosen.tries, seed)
                numbers = "".join(f"{number:8}" for number in (*result, result.tried))
                print(f"{' + '.join(kinds):24}{share:6g} %{numbers}", flush=True)
    if chosen.clean:
        alarms = false_alarms(network, chosen.minutes, chosen.clean, str(chosen.seed))
        print(f"without a fault: {alarms} of {chosen.clean} rounds accuse somebody; at most "
              f"{100 * at_most(alarms, chosen.clean):.2g} % do, with {100 * SURE:g} % confidence")
    return 0


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("--racks", type=int, default=4)
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--spines", type=int, default=2)
    parser.add_argument("--minutes", type=int, default=1)
    parser.add_argument("--tries", type=int, default=100)
    parser.add_argument("--clean", type=int, default=0)
    parser.add_argument("--share", type=lambda words: [float(word) for word in words.split(",")], default=SHARES)
    parser.add_argument("--kinds", type=lambda words: words.split(","), default=KINDS)
    parser.add_argument("--two", action="store_true")
    parser.add_argument("--no-traces", action="store_true")
    parser.add_argument("--no-ways", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
