"""The cells of the table of denials: each way to deny each call, in each mode that makes the call."""

from collections import defaultdict
from typing import Callable, Iterable, Iterator, NamedTuple

from lab.case import Case
from torture import calls
from torture.seccomp import Call, Denial

# A program that goes without these says so with -v.
SAID = ("setsockopt", "signalfd4", "timerfd_create")
# These only save calls: the kernel is asked whether it has them.
UNSAID = ("setsockopt SOL_UDP UDP_SEGMENT", "setsockopt SOL_UDP UDP_GRO")


class Cell(NamedTuple):
    """A program is run in this mode, with these denials."""

    mode: str
    denials: tuple[Denial, ...]

    def __str__(self) -> str:
        return f"{self.mode}, {self.denials[0] if len(self.denials) == 1 else 'all extras at once'}"

    def is_unsaid(self, is_verbose: bool, text: bytes) -> bool:
        """Whether a program that goes without an option had to say so, and did not."""
        denial = self.denials[0]
        has_to = is_verbose and len(self.denials) == 1 and denial.call.bare in SAID and denial.call.name not in UNSAID
        return has_to and not denial.is_said(text)


def chosen(case: Case, made: Iterable[tuple[str, set[Call]]], is_extra: Callable[[str, Call], bool]) -> list[Cell]:
    """All cells; with --quick one for each call, by chance.

    And one for each mode, in which all is denied at once that is an extra in it.
    """
    modes: defaultdict[Call, list[str]] = defaultdict(list)
    together = []
    for mode, found in made:
        for call in found:
            modes[call].append(mode)
        extras = [calls.denials(call) for call in sorted(found) if is_extra(mode, call)]
        together.append(Cell(mode, tuple(case.random.choice(denials) for denials in extras)))
    return [*(cell for call in sorted(modes) for cell in _of_call(case, call, modes[call])), *together]


def _of_call(case: Case, call: Call, modes: list[str]) -> Iterator[Cell]:
    cells = [Cell(mode, (denial,)) for denial in calls.denials(call) for mode in modes]
    yield from [case.random.choice(cells)] if case.quick else cells
