"""Standard outputs that take nothing: full, closed, a broken pipe, and one that nobody reads."""

import os
import subprocess
from typing import BinaryIO, Callable

from lab import harness, peers
from lab.case import SERVERS, Case
from lab.harness import Ended, until
from lab.protocol import ACK, HELLO, PORT, REPLY
from torture import network

Stdout = BinaryIO | int | None
CLOSED = ("sh", "-c", 'exec "$@" >&-', "sh")


def outputs(case: Case) -> None:
    """Programs whose standard output takes nothing.

    It is full, closed, a broken pipe, or a pipe that nobody reads. A server goes
    on; only a broken pipe ends it, in order. A client shows it by its exit status,
    and prints one line at most. No program panics.
    """
    for program in SERVERS:
        for state in (full_server, closed_server, broken_server, unread_server):
            with case.part(f"{program}, {state.__name__}"):
                state(case, program)
        with case.part(program.replace("server", "client")), case.server(program) as server:
            clients(case, program.replace("server", "client"), "%s:%d" % server.address)


def serve(case: Case, program: str, stdout: Stdout, wrapper: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """Starts a server on PORT, and waits until it listens or has ended."""
    command = [*wrapper, case.path(program), "--listen", f"127.0.0.1:{PORT}"]
    process = harness.start(command, stdout=stdout, stderr=open(case.scratch / "err", "wb"))
    protocol = program.removesuffix("-server")
    until(lambda: PORT in network.bound_ports(protocol) or process.poll() is not None)
    return process


def check_goes_on(case: Case, program: str, name: str, stdout: Stdout, wrapper: tuple[str, ...] = ()) -> None:
    """Checks that a server answers all the same, and ends in order."""
    process = serve(case, program, stdout, wrapper)
    answered = [peers.is_answered(program, ("127.0.0.1", PORT), 2) for _ in range(5)]
    case.check(all(answered), f"{program}, {name}: not answered")
    process.terminate()
    check_end(case, program, name, process)


def check_end(case: Case, program: str, name: str, process: subprocess.Popen[bytes]) -> None:
    """Checks that a server ends with status 0, and without a panic."""
    status, errors = harness.reap(process, 5), (case.scratch / "err").read_bytes()
    case.check(status == 0, f"{program}, {name}: exit {status}")
    case.check(not harness.panicked(errors), f"{program}, {name}: {errors[:200]!r}")


def full_server(case: Case, program: str) -> None:
    with open("/dev/full", "wb") as full:
        check_goes_on(case, program, "full", full)


def closed_server(case: Case, program: str) -> None:
    check_goes_on(case, program, "closed", None, CLOSED)


def broken_server(case: Case, program: str) -> None:
    """As with `server | head -1`: the reader closes after the first line, and the next one ends the server."""
    reader, writer = os.pipe()
    process = serve(case, program, writer)
    os.close(writer)
    os.read(reader, 1024)
    os.close(reader)
    for _ in range(3):
        peers.is_answered(program, ("127.0.0.1", PORT), 0.5)
    check_end(case, program, "a broken pipe", process)


def unread_server(case: Case, program: str) -> None:
    """A server answers all the same. In full figures, its transcript is more than its outbox holds."""
    reader, writer = os.pipe()
    process = serve(case, program, writer)
    os.close(writer)
    address, wrong = ("127.0.0.1", PORT), 0
    message = (HELLO * 50)[:1000]
    count = case.figure(10_000, 500)
    for _ in range(count):
        try:
            wrong += (peers.ask(address, message) != ACK if program == "tcp-server"
                      else peers.ask_datagram(address, message) != REPLY)
        except OSError:
            wrong += 1
            if wrong > 10:
                break
    case.tally(count, wrong, f"{program}, an unread pipe: not answered")
    process.terminate()
    check_end(case, program, "an unread pipe", process)
    os.close(reader)


def clients(case: Case, program: str, target: str) -> None:
    broken, writer = os.pipe()
    os.close(broken)
    unread, room = os.pipe()
    command = [case.path(program), target, "--message", "hello"]
    with open("/dev/full", "wb") as full:
        states: list[tuple[str, tuple[int, ...], Callable[[], Ended]]] = [
            ("full", (1,), lambda: harness.run(command, case.scratch, stdout=full)),
            # Rust's runtime opens /dev/null in place of a closed standard output.
            ("closed", (0, 1), lambda: harness.run([*CLOSED, *command], case.scratch)),
            ("a broken pipe", (1,), lambda: harness.run(command, case.scratch, stdout=writer)),
            ("an unread pipe", (0,), lambda: harness.run(command, case.scratch, stdout=room)),
        ]
        for name, statuses, run in states:
            ended = run()
            case.check(ended.status in statuses and ended.is_quiet, f"{program}, {name}: {ended}")
    for end in (writer, unread, room):
        os.close(end)
