"""Denials for servers: none is deaf, none dies, and one line says why if it cannot serve."""

import os
import socket
from contextlib import contextmanager
from typing import Callable, Iterator, Sequence

from lab.case import Case
from lab.harness import Word
from torture import calls, cells, lives, seccomp
from torture.cells import Cell
from torture.lives import Life
from torture.seccomp import Call, Denial

FIRST_PORT = 7000  # each server has a port of its own: without SO_REUSEADDR it could not have another's at once

# As a service manager starts a server: with a socket, and waiting for READY=1.
SERVICE = ("sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 NOTIFY_SOCKET=@torture exec "$@"', "sh")
FIRST_PASSED = 3  # the descriptor of that socket
MODES: dict[str, tuple[str, ...]] = {
    "one listener": ("--listen", "127.0.0.1:PORT", "-v"),
    "workers": ("--listen", ":PORT", "--workers", "2", "--stats", "50ms", "--witness", "--json"),
    "count": ("--listen", "127.0.0.1:PORT", "--count", "1", "--idle-exit", "3s"),
    "service": (),
}

# What a server may end for want of. It goes without everything else.
SOCKETS = ("socket AF_INET", "socket AF_INET6", "bind", "listen", "getsockname", "fcntl F_GETFL", "fcntl F_SETFL",
           "setsockopt SOL_IPV6 IPV6_V6ONLY", "getsockopt SOL_IPV6 IPV6_V6ONLY")
LOOP = ("epoll_create1", "epoll_ctl", "epoll_wait", "eventfd2", "fcntl F_DUPFD_CLOEXEC")
MESSAGES = ("accept4", "recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg", "shutdown")
PASSED = ("getpid", "fcntl F_SETFD", "getsockopt SOL_SOCKET")  # for whom a passed socket is, and what it is
THREADS = ("clone3", "clone", "rt_sigprocmask")
NEEDED = (*SOCKETS, *LOOP, *MESSAGES, *PASSED, *THREADS)
WORKERS = "setsockopt SOL_SOCKET SO_REUSEPORT"  # needed by several

# A firewall says so too, for one peer and for a while: a server then reports each peer, and goes on.
FIREWALL = ("EPERM", "EACCES")
SENDING = ("sendto", "sendmsg", "sendmmsg", "recvfrom")

MOST_LINES = 3  # on standard error, of a server that serves


def deny(case: Case, program: str) -> None:
    made = []
    for mode in MODES:
        trace = case.scratch / "trace"
        life = live(case, program, mode, wrapper=("strace", *calls.OPTIONS, "-o", str(trace)))
        if case.check(life.answered and life.status == 0, f"{program}, {mode}: not even without denials: {life}"):
            made.append((mode, calls.made(trace)))
    for cell in cells.chosen(case, made, is_extra):
        life = live(case, program, cell.mode, cell.denials)
        wrong = what_is_wrong(cell, life)
        case.check(not wrong, f"{program}, {cell}: {wrong}; {life.errors[:200]!r}")


def what_is_wrong(cell: Cell, life: Life) -> str | None:
    """What a server with this denial did wrong, or None."""
    if unseemly := lives.unseemly(life.status, life.errors):
        return unseemly
    if life.status == 0:
        if not life.answered and not reports_each(cell, life):
            return "is deaf"
        if cell.mode == "count" and not life.ended_by_itself:
            return "goes on after its count"
        if cell.is_unsaid("-v" in MODES[cell.mode], life.output + life.errors):
            return "does not say with -v what it goes without"
        return f"{life.lines} lines" if life.lines > MOST_LINES else None
    if not life.answered and b"nobody" in life.errors and not reports_each(cell, life):
        return "says that nobody came"
    if not life.ended_by_itself or life.status not in (1, 2) or life.lines != 1:
        return f"exit {life.status} with {life.lines} lines"
    if any(is_extra(cell.mode, denial.call) for denial in cell.denials):
        return f"exit {life.status} for want of an extra"
    return None


def reports_each(cell: Cell, life: Life) -> bool:
    """Whether a server that cannot answer one peer says so, as it does at a firewall."""
    denial = cell.denials[0]
    return denial.call.bare in SENDING and denial.error in FIREWALL and denial.is_said(life.output)


def is_extra(mode: str, call: Call) -> bool:
    """Whether a server goes without this call."""
    return not call.name.startswith(NEEDED) and not (call.name == WORKERS and mode == "workers")


def live(case: Case, program: str, mode: str, denials: Sequence[Denial] = (), wrapper: Sequence[Word] = ()) -> Life:
    port = FIRST_PORT + case.tried
    words = [word.replace("PORT", str(port)) for word in MODES[mode]]
    manager = SERVICE if mode == "service" else ()
    with passed_socket(program, mode, port) as passed:
        return lives.serve(case, program, port, words, preparing(denials, passed), [*wrapper, *manager], bool(wrapper))


@contextmanager
def passed_socket(program: str, mode: str, port: int) -> Iterator[socket.socket | None]:
    """The socket of the service manager, if there is one."""
    if mode != "service":
        yield None
        return
    kind = socket.SOCK_STREAM if program == "tcp-server" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as passed:
        passed.bind(("127.0.0.1", port))
        if program == "tcp-server":
            passed.listen()
        yield passed


def preparing(denials: Sequence[Denial], passed: socket.socket | None) -> Callable[[], None]:
    """What the child does before exec."""
    deny = seccomp.denying(*denials)
    descriptor = passed.fileno() if passed else None

    def prepare() -> None:
        if descriptor is not None:
            os.dup2(descriptor, FIRST_PASSED)
            os.set_inheritable(FIRST_PASSED, True)  # it may have been this one before
        deny()

    return prepare
