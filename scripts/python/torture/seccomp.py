"""System calls denied to a program, as a sandbox or an old kernel denies them.

The filter returns an error for one call, or for this call with certain
arguments, and allows all others.
"""

import errno
import os
from typing import Callable, NamedTuple

from lab import seccomp
from lab.seccomp import JUMP_EQUAL, LOAD, NUMBER_AT, RET_ALLOW, RET_ERRNO, RETURN, Instruction


class Call(NamedTuple):
    """A system call, perhaps only with certain arguments."""

    name: str  # `setsockopt`, or `setsockopt SOL_IP IP_TOS`
    number: int
    arguments: tuple[tuple[int, int], ...] = ()  # which one, and its value

    @property
    def bare(self) -> str:
        return self.name.split(" ", 1)[0]


class Denial(NamedTuple):
    """A call that is made to fail, whenever it is made."""

    call: Call
    error: str

    def __str__(self) -> str:
        return f"{self.call.name}: {self.error}"

    def is_said(self, text: bytes) -> bool:
        """Whether a text names the call or the option, or has the error's words."""
        name = self.call.name.rsplit(" ", 1)[-1].removesuffix("_OLD")
        return any(word.lower().encode() in text.lower() for word in (name, os.strerror(getattr(errno, self.error))))


def denying(*denials: Denial) -> Callable[[], None]:
    """What a child has to do before exec, so that these calls fail from then on."""
    instructions = [each for denial in denials for each in _instructions(denial)]
    return seccomp.installing([*instructions, Instruction(RETURN, RET_ALLOW)])


def _instructions(denial: Denial) -> list[Instruction]:
    """Returns the error if the number and all arguments are these, and goes on otherwise."""
    tests = [(NUMBER_AT, denial.call.number)]
    tests += [(seccomp.argument_at(index), value & 0xFFFFFFFF) for index, value in denial.call.arguments]
    found = []
    for n, (at, value) in enumerate(tests):
        left = 2 * (len(tests) - n - 1) + 1  # instructions until the next denial
        found += [Instruction(LOAD, at), Instruction(JUMP_EQUAL, value, if_false=left)]
    number = getattr(errno, denial.error)
    return [*found, Instruction(RETURN, RET_ERRNO | number)]
