"""System calls denied to a program, as a sandbox or an old kernel denies them: seccomp(2).

The filter is installed in the child, between fork and exec, and so it also holds
for the dynamic loader. It returns an error for one call, or for this call with
certain arguments, and allows all others.
"""

import ctypes
import errno
import os
from typing import Callable, NamedTuple, Sequence

# linux/prctl.h, linux/seccomp.h
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
# linux/bpf_common.h: load a word, jump if equal, return.
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
# struct seccomp_data: the number is at 0, the arguments are 64 bits each. The lower
# half comes first on the machines that we know of, which are little-endian.
NUMBER_AT, ARGUMENTS_AT = 0, 16

_libc = ctypes.CDLL(None, use_errno=True)


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


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction))]


def denying(*denials: Denial) -> Callable[[], None]:
    """What a child has to do before exec, so that these calls fail from then on."""
    allow = _Instruction(RETURN, 0, 0, RET_ALLOW)
    instructions = [*(each for denial in denials for each in _instructions(denial)), allow]
    program = _Program(len(instructions), (_Instruction * len(instructions))(*instructions))

    def install() -> None:
        if (_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                or _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)) != 0):
            raise OSError(ctypes.get_errno(), f"prctl: {os.strerror(ctypes.get_errno())}")

    return install


def _instructions(denial: Denial) -> list[_Instruction]:
    """Returns the error if the number and all arguments are these, and goes on otherwise."""
    tests = [(NUMBER_AT, denial.call.number)]
    tests += [(ARGUMENTS_AT + 8 * index, value & 0xFFFFFFFF) for index, value in denial.call.arguments]
    found = []
    for n, (at, value) in enumerate(tests):
        left = 2 * (len(tests) - n - 1) + 1  # instructions until the next denial
        found += [_Instruction(LOAD, 0, 0, at), _Instruction(JUMP_EQUAL, 0, left, value)]
    number = getattr(errno, denial.error)
    return [*found, _Instruction(RETURN, 0, 0, RET_ERRNO | number)]
