"""A filter of system calls, seccomp(2): which instructions it has, and how a child gets it.

It is installed in the child, between fork and exec, and so it also holds for the
dynamic loader.
"""

import ctypes
import os
from typing import Callable, NamedTuple, Sequence

# linux/prctl.h, linux/seccomp.h
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ALLOW, RET_ERRNO, RET_KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
# linux/bpf_common.h: load a word, and with a constant, jump if equal, jump if not less, return.
LOAD, AND, JUMP_EQUAL, JUMP_NOT_LESS, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
# struct seccomp_data: the number is at 0, the architecture at 4, the arguments are 64 bits each. The lower
# half comes first on the machines that we know of, which are little-endian.
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16

_libc = ctypes.CDLL(None, use_errno=True)


class Instruction(NamedTuple):
    """One instruction. The jumps skip so many of the next ones."""

    code: int
    constant: int
    if_true: int = 0
    if_false: int = 0


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction))]


def argument_at(index: int) -> int:
    """Where the lower half of an argument is."""
    return ARGUMENTS_AT + 8 * index


def installing(instructions: Sequence[Instruction]) -> Callable[[], None]:
    """What a child has to do before exec, so that the filter holds from then on."""
    raw = (_Instruction(each.code, each.if_true, each.if_false, each.constant) for each in instructions)
    program = _Program(len(instructions), (_Instruction * len(instructions))(*raw))

    def install() -> None:
        if (_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                or _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)) != 0):
            raise OSError(ctypes.get_errno(), f"prctl: {os.strerror(ctypes.get_errno())}")

    return install
