"""Which system calls a program makes, with strace(1), and which of them can be denied.

Some calls are many: an option of a socket is read or set by `getsockopt` and
`setsockopt` with a level and a name. They count as calls of their own.
"""

import re
from pathlib import Path
from typing import Iterator

from torture.seccomp import Call, Denial

# Options of strace whose output `made` reads: all threads, numbers, and names beside values.
OPTIONS = ("-f", "-n", "-X", "verbose", "-s", "0")

# Of these calls, the arguments that say what is asked for.
TELLING = {
    "setsockopt": (1, 2), "getsockopt": (1, 2), "fcntl": (1,), "ioctl": (1,), "prctl": (0,),
    "socket": (0, 1), "read": (0,), "write": (0,),
}
STANDARD = 2  # the last of the standard descriptors; which number others have is chance

# Calls that no sandbox denies, because too little works without them.
LOADER = "the dynamic loader cannot load a program"
RUNTIME = "the language's runtime gives up before `main`"
LIBRARY = "the C library ends the program, and does not report it"
VITAL = {
    "execve": LOADER, "arch_prctl": LOADER, "mmap": LOADER, "mprotect": LOADER, "close": LOADER,
    "openat": LOADER, "newfstatat": LOADER, "fstat": LOADER, "pread64": LOADER, "read": LOADER,
    "poll": RUNTIME, "ppoll": RUNTIME, "rt_sigaction": RUNTIME,
    "futex": LIBRARY, "exit": LIBRARY, "exit_group": LIBRARY,
    "lseek": "the C library cannot read /etc/hosts, and blames the resolver",
    "rt_sigreturn": "the kernel ends a program that cannot leave a signal handler",
}

# The errors that a call is denied with: by an old kernel, by seccomp as containers use it,
# and by systems that imitate Linux. A refused option has words of its own.
OPTION_ERRORS = ("ENOPROTOOPT", "EOPNOTSUPP", "EPERM")
CALL_ERRORS = ("ENOSYS", "EPERM")
OTHER_ERRORS = {"socket": ("EAFNOSUPPORT", "EACCES"), "fcntl": ("EINVAL",), "ioctl": ("ENOTTY",), "prctl": ("EINVAL",)}

LINE = re.compile(r"^(?:\d+ +)?\[ *(\d+)\] (\w+)\((.*)$", re.MULTILINE)
VALUE = re.compile(r"(0x[0-9a-f]+|\d+)(?: /\* ([^*]*) \*/)?")


def made(trace: Path) -> set[Call]:
    """The calls that can be denied, in what strace has written with OPTIONS."""
    lines = LINE.findall(trace.read_text(errors="replace"))
    return {call for number, name, rest in lines for call in _calls(int(number), name, rest.split(", "))}


def _calls(number: int, name: str, words: list[str]) -> Iterator[Call]:
    values = [(index, VALUE.match(words[index])) for index in TELLING.get(name, ()) if index < len(words)]
    found = [(index, int(value[1], 0), value[2] or value[1]) for index, value in values if value]
    call = Call(" ".join([name, *(word for _, _, word in found)]), number, tuple((i, value) for i, value, _ in found))
    if name in ("read", "write"):
        if found[0][1] <= STANDARD:
            yield call
    elif name not in VITAL:
        yield call


def denials(call: Call) -> list[Denial]:
    """All ways to deny a call."""
    errors = OPTION_ERRORS if call.bare.endswith("sockopt") else CALL_ERRORS + OTHER_ERRORS.get(call.bare, ())
    return [Denial(call, error) for error in errors]
