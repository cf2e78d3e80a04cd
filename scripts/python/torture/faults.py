"""Faults injected into the system calls of all four programs."""

import json
import socket
import time
from collections import Counter
from itertools import cycle, islice
from typing import Iterable, Iterator, Sequence

from lab import peers
from lab.case import PROGRAMS, SERVERS, Case
from lab.harness import Address, Server, until
from lab.protocol import ACK, HELLO, REPLY
from torture import strace
from torture.strace import Fault, Trace

# The errors that each call may return, from its manual page. accept(2) also
# returns network errors of the new connection.
ACCEPT = "ENETDOWN EPROTO ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH EOPNOTSUPP ENETUNREACH " \
         "EINTR ECONNABORTED EPERM ETIMEDOUT EMFILE ENFILE ENOBUFS ENOMEM"
RECEIVE = "EINTR ECONNRESET ETIMEDOUT ENOMEM ENOBUFS EIO EHOSTUNREACH ENETUNREACH ECONNREFUSED " \
          "ENETDOWN EPERM EFAULT EINVAL EOPNOTSUPP EMSGSIZE"
SEND = "EINTR EAGAIN ECONNRESET EPIPE ENOMEM ENOBUFS EHOSTUNREACH ENETUNREACH ENETDOWN EACCES " \
       "EPERM EMSGSIZE EINVAL EIO EADDRNOTAVAIL ECONNREFUSED EDESTADDRREQ"
OPTION = "ENOMEM ENOBUFS EINVAL ENOPROTOOPT EPERM"
# Not EPIPE: a broken pipe ends a server in order, which the case `outputs` checks.
WRITE = "EIO ENOSPC EDQUOT EFBIG EINTR EAGAIN"
# Other errors of epoll_wait end a server by design.
WAIT = "EINTR"

SERVER_CALLS = {
    "tcp-server": {
        "accept4": ACCEPT, "recvfrom": RECEIVE, "sendto": SEND, "sendmsg": SEND,
        "shutdown": "ENOTCONN ENOBUFS EINTR EINVAL", "close": "EIO EINTR ENOSPC EDQUOT",
        "epoll_ctl": "ENOMEM ENOSPC EPERM EEXIST EBADF", "epoll_wait": WAIT, "write": WRITE,
        "fcntl": OPTION, "setsockopt": OPTION, "getsockopt": OPTION,
    },
    "udp-server": {
        "recvfrom": RECEIVE, "recvmsg": RECEIVE, "recvmmsg": RECEIVE,
        "sendto": SEND, "sendmsg": SEND, "sendmmsg": SEND,
        "epoll_wait": WAIT, "write": WRITE, "setsockopt": OPTION, "getsockopt": OPTION,
    },
}
CLIENT_CALLS = {
    "socket": "EMFILE ENFILE ENOBUFS ENOMEM EACCES EAFNOSUPPORT",
    "connect": "ECONNREFUSED ENETUNREACH EHOSTUNREACH EADDRNOTAVAIL EACCES EPERM EINTR EAGAIN ETIMEDOUT",
    "sendto": SEND, "sendmsg": SEND, "recvfrom": RECEIVE, "recvmsg": RECEIVE,
    "epoll_create1": "EMFILE ENFILE ENOMEM", "epoll_ctl": "ENOMEM ENOSPC EPERM", "epoll_wait": "EINTR EBADF EINVAL",
    "getsockopt": OPTION, "setsockopt": OPTION, "shutdown": "ENOTCONN ENOBUFS",
    "getpeername": "ENOTCONN ENOBUFS", "getsockname": "ENOBUFS", "write": WRITE + " EPIPE",
}
# Errors that say that the socket, or the event loop, itself is broken: the server
# then ends, and prints one line.
FATAL = {
    "tcp-server": (
        (("accept4",), ("EBADF", "EINVAL", "ENOTSOCK", "ENOSYS")),
        (("epoll_wait",), ("EBADF", "EINVAL", "EFAULT")),
    ),
    "udp-server": (
        (("recvfrom", "recvmsg", "recvmmsg"), ("EBADF", "ENOTSOCK", "ENOSYS")),
        (("epoll_wait",), ("EBADF", "EINVAL", "EFAULT")),
    ),
}
# Errors that last for a while: the server has to rest before it tries again.
LASTING = {
    "tcp-server": ((("accept4",), ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM")),),
    "udp-server": ((("recvfrom", "recvmsg", "recvmmsg"), ("ENOMEM",)),),
}
# Of these, one that lasts until the server ends. tests/counts.rs has EMFILE.
UNTIL_THE_END = {"tcp-server": ((("accept4",), ("ENFILE",)),), "udp-server": LASTING["udp-server"]}
# Calls without which a server is deaf: forbidden again and again, they end it.
NEEDED = {"tcp-server": ("accept4", "recvfrom"), "udp-server": ("recvfrom", "recvmsg", "recvmmsg")}
FORBIDDEN = ("EPERM",)  # EACCES counts the same, and each takes 5 s
MOST_TRIES = 60  # in one second, of a call that fails each time


def faults(case: Case) -> None:
    """Injected system-call faults.

    The 1st, 2nd or 3rd call fails once, with each error that it may return. No
    program dies, and the next client is answered. A run without faults comes
    first, and shows which calls a program makes: only those are made to fail.
    """
    share = case.figure(600, 60) // len(PROGRAMS)
    for program in SERVERS:
        with case.part(program):
            made = server_baseline(case, program)
            server_faults(case, program, choose(case, SERVER_CALLS[program], made), share)
            for fault in every(FATAL[program], made, when=1):
                fatal_fault(case, program, fault)
            for fault in every(LASTING[program], made, when=None):
                lasting_fault(case, program, fault)
            for fault in every(((NEEDED[program], FORBIDDEN),), made, when=None):
                forbidden_for_good(case, program, fault)
            for fault in every(UNTIL_THE_END[program], made, when=None):
                waiting_at_the_end(case, program, fault)
    with case.part("short send"):
        short_send(case)
    with case.part("the last of a count"):
        last_of_a_count(case)
    for server, client in (("tcp-server", "tcp-client"), ("udp-server", "udp-client")):
        with case.part(client), case.server(server) as running:
            client_faults(case, client, running.address, share)


def choose(case: Case, calls: dict[str, str], made: Counter[str]) -> Iterator[Fault]:
    """Faults in the calls that are made, without end: all of them in random order, and then again."""
    found = [
        Fault(call, f"error={error}", when)
        for call, errors in calls.items()
        for error in errors.split()
        for when in range(1, 1 + min(3, made[call]))
    ]
    case.random.shuffle(found)
    return cycle(found)


def every(kinds: Iterable[tuple[Sequence[str], Sequence[str]]], made: Counter[str],
          when: int | None) -> Iterator[Fault]:
    """Each of these errors in each of these calls, of which only those that are made."""
    for calls, errors in kinds:
        for call in filter(made.get, calls):
            yield from (Fault(call, f"error={error}", when) for error in errors)


def drive(server: Server, trace: Trace, clients: int = 6) -> bool:
    """Sends clients until the fault was injected. They need not be answered."""
    for _ in range(clients):
        peers.is_answered(server.program, server.address, 0.3)
        if until(lambda: trace.injected or not server.is_running(), 0.1):
            break
    return trace.injected > 0


def server_baseline(case: Case, program: str) -> Counter[str]:
    """Counts the calls that a server makes for three clients, and checks that all three are answered."""
    with case.server(program) as server:
        with strace.attached(server, strace.tracing(SERVER_CALLS[program]), case.scratch) as trace:
            answered = []
            for _ in range(3):
                written = server.output.stat().st_size
                answered.append(peers.is_answered(program, server.address, 2))
                until(lambda: server.output.stat().st_size > written, 2)
    made = trace.calls()
    case.check(all(answered) and len(made) > 2, f"{program}: not even without faults; its calls: {dict(made)}")
    case.note(f"{program}: calls for three clients: " + ", ".join(f"{n} {c}" for c, n in made.items()))
    return made


def server_faults(case: Case, program: str, chosen: Iterator[Fault], count: int) -> None:
    """Injects so many faults into one server. If it ends, another one takes its place."""
    missed, done = 0, 0
    while done < count and missed < count:
        with case.server(program) as server:
            while done < count and missed < count and server.is_running():
                injected = server_fault(case, server, next(chosen))
                done, missed = done + injected, missed + (not injected)
    case.check(done == count, f"{program}: only {done} of {count} faults were injected")


def server_fault(case: Case, server: Server, fault: Fault) -> bool:
    """Whether the fault was injected: how many calls a server makes depends on timing, too."""
    with strace.attached(server, fault.options, case.scratch) as trace:
        injected = drive(server, trace)
    if injected:
        answered = server.is_running() and peers.is_answered(server.program, server.address, 2)
        case.check(answered, f"{server.program}: {fault}: {'no answer' if server.is_running() else 'dead'} afterwards")
    return injected


def fatal_fault(case: Case, program: str, fault: Fault) -> None:
    with case.server(program, status=1) as server:
        with strace.attached(server, fault.options, case.scratch) as trace:
            drive(server, trace)
            status = server.wait(5)
        lines = server.errors().count(b"\n")
    case.check(status == 1 and lines == 1, f"{program}: {fault}: exit {status}, {lines} lines on standard error")


def lasting_fault(case: Case, program: str, fault: Fault) -> None:
    """For a second, a call does nothing but fail.

    The server tries it now and then, and warns once. Afterwards it answers all
    clients that came meanwhile.
    """
    with case.server(program) as server:
        open_peer = peers.connect if program == "tcp-server" else peers.datagram_socket
        with strace.attached(server, fault.options, case.scratch) as trace:
            waiting = [open_peer(server.address) for _ in range(3)]
            for peer in waiting:
                peer.send(HELLO)
            time.sleep(1)
        expected = ACK if program == "tcp-server" else REPLY
        replies = [first_bytes(peer, 3) for peer in waiting]
        peers.close_all(waiting)
        case.check(replies == [expected] * 3, f"{program}: {fault} for a second: then {replies}")
    tries, lines = trace.injected, server.output.read_bytes().splitlines() + server.errors().splitlines()
    warnings = sum(b"[!]" in line for line in lines)
    case.check(1 <= tries <= MOST_TRIES, f"{program}: {fault}: tried {tries} times in a second")
    case.check(warnings <= 1, f"{program}: {fault}: {warnings} warnings")


def waiting_at_the_end(case: Case, program: str, fault: Fault) -> None:
    """A client waits whom the server cannot serve until --idle-exit ends it: nobody says that nobody came."""
    open_peer = peers.connect if program == "tcp-server" else peers.datagram_socket
    for options, status in (((), 0), (("--count", "1"), 1), (("--expect-message", "hello"), 2)):
        with case.server(program, "--idle-exit", "1s", *options, status=status) as server:
            with strace.attached(server, fault.options, case.scratch):
                peer = open_peer(server.address)
                peer.send(HELLO)
                ended = server.wait(5)
                peers.close_all([peer])
        errors = server.errors()
        case.check(ended == status and b"nobody" not in errors and b"expected message" not in errors,
                   f"{program} {' '.join(options)}: {fault}: exit {ended}, {errors!r}")


def forbidden_for_good(case: Case, program: str, fault: Fault) -> None:
    """A sandbox forbids a call: after some seconds the server ends, and says why."""
    with case.server(program, status=1) as server:
        with strace.attached(server, fault.options, case.scratch):
            for _ in range(20):
                peers.is_answered(program, server.address, 0.5)
                if not server.is_running():
                    break
            status = server.wait(5)
        lines = server.errors().count(b"\n")
    case.check(status == 1 and lines == 1, f"{program}: {fault} for good: exit {status}, {lines} lines on standard error")


def first_bytes(peer: socket.socket, seconds: float) -> bytes | None:
    peer.settimeout(seconds)
    try:
        return peer.recv(1024)
    except OSError:
        return None


def short_send(case: Case) -> None:
    """The kernel claims to have taken one byte, although it took none: the server sends the others."""
    with case.server("tcp-server") as server:
        with strace.attached(server, strace.tracing(["sendto", "sendmsg"]), case.scratch) as trace:
            peers.ask(server.address)
        [call] = trace.calls()
        with strace.attached(server, Fault(call, "retval=1", 1).options, case.scratch):
            reply = peers.ask(server.address)
        case.check(reply == ACK[1:], f"a short {call}: {reply!r}")


def last_of_a_count(case: Case) -> None:
    """While the last reply of --count cannot be sent yet, no other client is served in its place.

    When that reply fails for good, the next client is served.
    """
    with case.server("tcp-server", "--count", "1", "--linger", "1s", "--json") as server:
        # The first reply is tried three times: at once, when the socket is ready for writing,
        # and when its time is up. The fourth call is the next reply's, while strace may still
        # be there.
        held_up = Fault("sendmsg,sendto", "error=EAGAIN", "1..3")
        with strace.attached(server, held_up.options, case.scratch) as trace:
            first, second = (peers.connect(server.address) for _ in range(2))
            first.send(HELLO)
            until(lambda: trace.injected)
            second.send(HELLO)
            early = first_bytes(second, 0.3)
            received = server.output.read_bytes().count(b'"received"')
            until(lambda: b'"lost"' in server.output.read_bytes())
        case.check((early, received) == (None, 1), f"while the last was held up, {received} were received; {early!r}")
        late = first_bytes(second, 3)
        case.check(late == ACK, f"when the last had failed, the next had {late!r}")
        peers.close_all([first, second])
        server.wait()
    totals = server.totals()
    case.check((totals["exchanges"], totals["lost"]) == (1, 1), f"the last of a count: {totals}")


def client_faults(case: Case, program: str, address: Address, count: int) -> None:
    path, target = case.path(program), "%s:%d" % address
    command = [path, target, "--timeout", "1s", "--message", "hello"]
    ended, trace = strace.run(command, strace.tracing(CLIENT_CALLS), case.scratch)
    made = trace.calls()
    case.check(ended.status == 0 and len(made) > 2, f"{program}: not even without faults: {ended}")
    case.note(f"{program}: calls: " + ", ".join(f"{n} {c}" for c, n in made.items()))
    done = 0
    for fault in islice(choose(case, CLIENT_CALLS, made), 2 * count):
        ended, trace = strace.run(command, fault.options, case.scratch)
        if not trace.injected:
            continue
        case.check(ended.status in (0, 1, 2) and ended.is_quiet,
                   f"{program}: {fault}: exit {ended.status}, {ended.errors[:200]!r}")
        done += 1
        if done == count:
            break
    case.check(done == count, f"{program}: only {done} of {count} faults were injected")
    broken_run(case, program, target)


def broken_run(case: Case, program: str, target: str) -> None:
    """The event loop breaks in the middle of a run. The summary is the last object all the same."""
    fault = Fault("epoll_wait", "error=EBADF", "9+")
    for options, events in (((), {"probe", "failure"}), (("-qq",), set())):
        command = [case.path(program), target, "--count", "50", "--interval", "20ms", "--json", *options]
        ended, trace = strace.run(command, fault.options, case.scratch)
        said = [json.loads(line) for line in ended.output.splitlines()]
        last = said[-1] if said else {}
        case.check(trace.injected and ended.status == 2, f"{program}: {fault}: exit {ended.status}")
        case.check(last.get("event") == "summary" and last["ok"] > 0, f"{program}: {fault}: ends with {last}")
        found = {each["event"] for each in said[:-1]}
        case.check(found == events, f"{program}: {fault}: {found}, and not {events}")
