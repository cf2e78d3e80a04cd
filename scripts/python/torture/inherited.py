"""What a process may inherit: signals blocked or ignored, odd descriptors, no /proc, an empty environment."""

import os
import signal
import tempfile
from typing import NamedTuple

from lab import harness
from lab.case import CLIENTS, PROGRAMS, SERVERS, Case
from lab.protocol import PORT
from torture import lives, stdin, waits
from torture.lives import Prepare

FIRST_PORT = 7000  # each server has a port of its own


class State(NamedTuple):
    """What is done in the child before exec, or by a wrapper."""

    name: str
    prepare: Prepare | None = None
    wrapper: tuple[str, ...] = ()


def ignoring(*numbers: signal.Signals) -> Prepare:
    return lambda: [signal.signal(number, signal.SIG_IGN) for number in numbers]


def blocking(*numbers: signal.Signals) -> Prepare:
    return lambda: signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def closing(*descriptors: int) -> Prepare:
    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    return close


def gone() -> None:
    """The working directory was removed."""
    directory = tempfile.mkdtemp(prefix="torture-")
    os.chdir(directory)
    os.rmdir(directory)


SIGNALS = (
    State("SIGTERM and SIGINT blocked", blocking(signal.SIGTERM, signal.SIGINT)),
    State("SIGINT ignored", ignoring(signal.SIGINT)),
    State("all signals blocked", blocking(*signal.valid_signals())),
    State("no /proc", wrapper=("unshare", "--mount", "sh", "-c", 'umount -l /proc && exec "$@"', "sh")),
)
STATES = (
    *SIGNALS,
    State("SIGPIPE, SIGCHLD and SIGALRM ignored", ignoring(signal.SIGPIPE, signal.SIGCHLD, signal.SIGALRM)),
    State("no environment", wrapper=("env", "-i")),
    State("no working directory", gone),
    State("a umask of 777", lambda: os.umask(0o777)),
    *(State(f"descriptors {closed} closed", closing(*closed))
      for closed in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))),
)


def inherited(case: Case) -> None:
    """Odd states of a process at its start.

    Signals blocked or ignored, descriptors closed, no /proc, no environment, and
    standard inputs of every kind. All programs work, and signals end them.
    """
    for program in SERVERS:
        for state in STATES:
            with case.part(f"{program}, {state.name}"):
                server(case, program, state)
    for program in CLIENTS:
        with case.server(program.replace("client", "server"), listen=f"127.0.0.1:{PORT}"):
            for state in STATES:
                with case.part(f"{program}, {state.name}"):
                    client(case, program, state)
            stdin.kinds(case, program)
    for program in PROGRAMS:
        with case.part(f"{program}, signals"):
            signals(case, program)


def server(case: Case, program: str, state: State) -> None:
    port = FIRST_PORT + case.tried
    words = ("--listen", f"127.0.0.1:{port}", *case.random.choice(((), ("--workers", "2"), ("--json",))))
    life = lives.serve(case, program, port, words, state.prepare, state.wrapper)
    case.check(life.answered and life.status == 0 and life.lines == 0, f"{program} {words}, {state.name}: {life}")


def client(case: Case, program: str, state: State) -> None:
    for place, (port, truth, status) in {"healthy": (PORT, "ok", 0), "closed": (1, "refused", 1)}.items():
        for words in (("--message", "hello"), ("--count", "3", "--interval", "5ms")):
            command = [f"127.0.0.1:{port}", *words, "--timeout", "2s"]
            ended = lives.use(case, program, command, prepare=state.prepare, wrapper=state.wrapper)
            right = ended.status == status and lives.verdicts(ended) <= {truth} and not harness.panicked(ended.errors)
            case.check(right, f"{program} {' '.join(words)}, {state.name}, {place}: {ended}")


def signals(case: Case, program: str) -> None:
    for mode in waits.of(program):
        for state in case.random.sample(SIGNALS, case.figure(len(SIGNALS), 2)):
            for number in (signal.SIGTERM, signal.SIGINT):
                waits.check_ends(case, program, mode, number, state.name, state.prepare, state.wrapper)
        waits.check_goes_on(case, program, mode, signal.SIGHUP, ignoring(signal.SIGHUP))
