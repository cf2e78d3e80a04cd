"""The filter of system calls that a unit asks for, without a service manager.

SystemCallFilter=, RestrictAddressFamilies= and MemoryDenyWriteExecute= are put
into one filter. systemd-analyze says which calls a group has, and libseccomp
their numbers. Where the service manager would let a call fail, this filter kills:
so a test sees that a program makes a call that it is denied.
"""

import ctypes
import mmap
import platform
import socket
import subprocess
from functools import cache
from typing import Callable, Iterator, Sequence

from boxes.unit_file import UnitFile
from lab import seccomp
from lab.seccomp import AND, JUMP_EQUAL, JUMP_NOT_LESS, LOAD, RETURN, Instruction

MACHINE = "x86_64"  # the one whose numbers and arguments are known here
ARCHITECTURE = 0xC000003E  # AUDIT_ARCH_X86_64, linux/audit.h
X32 = 0x40000000  # calls of another interface begin here: SystemCallArchitectures=native
LIBRARY = "libseccomp.so.2"
KILL, ALLOW = Instruction(RETURN, seccomp.RET_KILL_PROCESS), Instruction(RETURN, seccomp.RET_ALLOW)
LOAD_NUMBER = Instruction(LOAD, seccomp.NUMBER_AT)
WRITE_AND_EXECUTE = mmap.PROT_WRITE | mmap.PROT_EXEC
PROTECTION = 2  # the argument of mmap and of mprotect


def lacks() -> str | None:
    """What is missing for such a filter, if anything is."""
    if platform.machine() != MACHINE:
        return f"the filter is for {MACHINE}, and this is {platform.machine()}"
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return f"{LIBRARY} missing: apt-get install libseccomp2"
    return None


def confining(unit: UnitFile) -> Callable[[], None]:
    """What a child has to do before exec, to be confined as the unit says."""
    return seccomp.installing([
        Instruction(LOAD, seccomp.ARCHITECTURE_AT), Instruction(JUMP_EQUAL, ARCHITECTURE, if_true=1), KILL,
        LOAD_NUMBER, Instruction(JUMP_NOT_LESS, X32, if_false=1), KILL,
        *_families(unit), *_memory(unit), *_calls(unit), KILL,
    ])


def allowed(unit: UnitFile) -> set[str]:
    """The names of the calls that SystemCallFilter= allows: each line adds to them, or with ~ takes away."""
    calls = set(groups()["@default"])  # whatever the unit says
    for value in unit.values("SystemCallFilter"):
        named = {call for word in value.removeprefix("~").split() for call in groups().get(word, {word})}
        calls = calls - named if value.startswith("~") else calls | named
    return calls


@cache
def groups() -> dict[str, set[str]]:
    """The calls of each group of systemd's, those of the groups in it too."""
    said = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout
    listed: dict[str, list[str]] = {}
    for line in said.splitlines():
        if line.startswith("@"):
            listed[line] = []
        elif line.startswith("    ") and "#" not in line and listed:
            listed[list(listed)[-1]].append(line.strip())

    def calls(word: str) -> set[str]:
        return {call for each in listed[word] for call in calls(each)} if word.startswith("@") else {word}

    return {group: calls(group) for group in listed}


@cache
def number(call: str) -> int | None:
    """The number of a call; none if this kind of machine does not have it."""
    found: int = ctypes.CDLL(LIBRARY).seccomp_syscall_resolve_name(call.encode())
    return found if found >= 0 else None


def _calls(unit: UnitFile) -> Iterator[Instruction]:
    for call in sorted(allowed(unit)):
        if (found := number(call)) is not None:
            yield from (Instruction(JUMP_EQUAL, found, if_false=1), ALLOW)


def _families(unit: UnitFile) -> list[Instruction]:
    named = [getattr(socket, name).value for value in unit.values("RestrictAddressFamilies") for name in value.split()]
    tests = [Instruction(JUMP_EQUAL, family, if_true=len(named) - n) for n, family in enumerate(named)]
    return _of_call("socket", 0, [*tests, KILL])


def _memory(unit: UnitFile) -> list[Instruction]:
    if unit.last("MemoryDenyWriteExecute") != "yes":
        return []
    both = [Instruction(AND, WRITE_AND_EXECUTE), Instruction(JUMP_EQUAL, WRITE_AND_EXECUTE, if_false=1), KILL]
    later = [Instruction(AND, mmap.PROT_EXEC), Instruction(JUMP_EQUAL, mmap.PROT_EXEC, if_false=1), KILL]
    return [*_of_call("mmap", PROTECTION, both), *_of_call("mprotect", PROTECTION, later)]


def _of_call(call: str, argument: int, tests: Sequence[Instruction]) -> list[Instruction]:
    """Tests of an argument of one call, which kill or go on. The number of the call is loaded before and after."""
    block = [Instruction(LOAD, seccomp.argument_at(argument)), *tests, LOAD_NUMBER]
    return [Instruction(JUMP_EQUAL, number(call) or 0, if_false=len(block)), *block]
