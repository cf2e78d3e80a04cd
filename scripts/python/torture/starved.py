"""Limits of resources, setrlimit(2): too few descriptors, threads, bytes of files and of memory."""

import os
import resource
import shutil
import signal
from pathlib import Path
from typing import NamedTuple, Sequence

from lab.case import CLIENTS, PROGRAMS, SERVERS, Case
from lab.protocol import PORT
from torture import lives
from torture.lives import Prepare

NOBODY = 65534
FIRST_PORT = 7000  # each server has a port of its own
LOADER = 127  # the exit status of a program that the dynamic loader could not load
KIB, MIB = 1 << 10, 1 << 20
RLIMIT_SIGPENDING = 11  # linux/resource.h; the resource module has no name for it


class Limit(NamedTuple):
    """A limit, at several values."""

    name: str
    resource: int
    values: Sequence[int]
    deadly: tuple[int, ...] = ()  # signals that may end a program which this limit starves
    user: int | None = None  # who is limited: root has as many processes as it likes


# Memory or a stack that runs out may end a program at once: docs/reliability.md.
DEADLY = (signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL)
LIMITS = (
    Limit("descriptors", resource.RLIMIT_NOFILE, range(17)),
    Limit("threads", resource.RLIMIT_NPROC, range(6), user=NOBODY),
    Limit("bytes of a file", resource.RLIMIT_FSIZE, (0, 1, 30, 100, 1000)),
    Limit("pending signals", RLIMIT_SIGPENDING, (0, 1), user=NOBODY),
    Limit("memory", resource.RLIMIT_AS, [n * MIB for n in (*range(1, 12), 16, 32, 64, 128)], DEADLY),
    Limit("stack", resource.RLIMIT_STACK, [n * KIB for n in (16, 64, 128, 256, 1024, MIB)], DEADLY),
)


def starved(case: Case) -> None:
    """Limits of descriptors, threads, files, memory and stack.

    A server answers, or ends with one line. A client says the truth, or that this
    machine is at fault. Memory or a stack that runs out may end a program at once,
    but it is not deaf, and says nothing that is wrong.
    """
    copies = everybodys(case)
    for program in SERVERS:
        for limit in LIMITS:
            with case.part(f"{program}, {limit.name}"):
                for value in case.random.sample(limit.values, case.figure(len(limit.values), 2)):
                    server(case, program, limit, value, copies)
    for program in CLIENTS:
        with case.server(program.replace("client", "server"), listen=f"127.0.0.1:{PORT}"):
            for limit in LIMITS:
                with case.part(f"{program}, {limit.name}"):
                    for value in case.random.sample(limit.values, case.figure(len(limit.values), 2)):
                        client(case, program, limit, value, copies)


def everybodys(case: Case) -> Path:
    """A copy of the programs in a directory that everybody may enter."""
    copies = case.scratch / "programs"
    copies.mkdir()
    case.scratch.chmod(0o711)
    for program in PROGRAMS:
        shutil.copy(case.path(program), copies)
    return copies


def limiting(limit: Limit, value: int) -> Prepare:
    """What the child does before exec."""

    def prepare() -> None:
        if limit.user is not None:
            os.setgroups([])
            os.setresgid(limit.user, limit.user, limit.user)
            os.setresuid(limit.user, limit.user, limit.user)
        resource.setrlimit(limit.resource, (value, value))

    return prepare


def server(case: Case, program: str, limit: Limit, value: int, copies: Path) -> None:
    port = FIRST_PORT + case.tried
    words = ("--listen", f"127.0.0.1:{port}", *case.random.choice(((), ("--workers", "3"), ("--json",))))
    life = lives.serve(case, program, port, words, limiting(limit, value), path=copies / program)
    wrong = unseemly(life.status, life.errors, limit)
    if not wrong and life.status == 0 and not life.answered:
        wrong = "is deaf"
    if not wrong and life.status and not (life.ended_by_itself and is_said(life.status, life.errors, limit)):
        wrong = f"exit {life.status}"
    case.check(not wrong, f"{program}, {value} {limit.name}: {wrong}; {life.errors[:200]!r}")


def client(case: Case, program: str, limit: Limit, value: int, copies: Path) -> None:
    places = {"healthy": (PORT, "ok", 0), "closed": (1, "refused", 1)}
    modes = {"127.0.0.1": ("--message", "hello"), "localhost": ("--count", "3", "--interval", "5ms")}
    for place, (port, truth, status) in places.items():
        for host, words in modes.items():
            target = f"{host}:{port}"
            ended = lives.use(case, program, [target, *words, "--timeout", "1s"],
                              prepare=limiting(limit, value), path=copies / program)
            wrong = unseemly(ended.status, ended.errors, limit)
            if not wrong and (false := lives.verdicts(ended) - {truth, "local"}):
                wrong = f"says {', '.join(sorted(false))}"
            if not wrong and ended.status != status and not is_said(ended.status, ended.errors, limit):
                wrong = f"exit {ended.status}"
            case.check(not wrong, f"{program}, {value} {limit.name}, {host}, {place}: {wrong}; {ended.errors[:200]!r}")


def unseemly(status: int | None, errors: bytes, limit: Limit) -> str | None:
    if status is not None and -status in limit.deadly:
        return None
    return lives.unseemly(status, errors)


def is_said(status: int | None, errors: bytes, limit: Limit) -> bool:
    """Whether a program that cannot work says so, in its exit status and, unless it can write nothing, in one line."""
    if status is not None and -status in limit.deadly or status == LOADER and b"loading shared libraries" in errors:
        return True
    if limit.resource == resource.RLIMIT_FSIZE:
        return status in (1, 2)
    return status == 2 and errors.count(b"\n") == 1
