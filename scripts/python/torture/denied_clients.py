"""Denials for clients: the truth, or `local`; a denied call is not the network's fault."""

from typing import NamedTuple, Sequence

from lab.case import Case
from lab.harness import Ended, Word
from lab.protocol import PORT
from torture import calls, cells, lives, seccomp
from torture.seccomp import Call, Denial

FIRST_PORT = 20_000  # each client that has a source port has one of its own: the last one may be in TIME_WAIT


class Mode(NamedTuple):
    """A way to use a client."""

    words: tuple[str, ...]
    host: str = "127.0.0.1"
    stdin: bytes = b""
    is_run: bool = False  # several probes, whose `local` counts as a failed probe
    refused: int = 1  # the exit status where nobody listens


MODES = {
    "exchange": Mode(("-m", "hello", "-v")),
    "run": Mode(("-c", "2", "-i", "5ms", "--flows", "2", "--json"), is_run=True),
    "name": Mode(("-c", "2", "-i", "0", "--histogram"), host="localhost", is_run=True),
    "wait": Mode(("--wait", "--deadline", "500ms", "-m", "hello"), is_run=True, refused=124),
    "stdin": Mode(("-m", "-"), stdin=b"hello"),
    "source": Mode(("-m", "hello", "-s", "::1", "--source-port", "PORT"), host="[::1]"),
}
PLACES = {"healthy": PORT, "closed": 1}  # ports: a server answers on the first
PROMPT = {"prompt": Mode((), stdin=b"hello\n")}

# What a client needs: without it, it says `local`. It goes without everything else.
NEEDED = ("socket AF_INET", "socket AF_INET6", "bind", "connect", "getsockname", "getpeername", "sendto", "sendmsg",
          "recvfrom", "recvmsg", "shutdown", "epoll_create1", "epoll_ctl", "epoll_wait", "read 0", "write 1",
          "clone3", "clone", "setsockopt SOL_IPV6 IPV6_V6ONLY", "getsockopt SOL_SOCKET SO_ERROR")

OUTPUTS = ("write 1", "write 2")


def deny(case: Case, program: str) -> None:
    modes = MODES | (PROMPT if program == "udp-client" else {})
    with case.server(program.replace("client", "server"), "--listen", f"[::1]:{PORT}", listen=f"127.0.0.1:{PORT}",
                     listeners=2):
        found = [(name, made(case, program, name, mode)) for name, mode in modes.items()]
        for cell in cells.chosen(case, found, is_extra):
            for place, port in PLACES.items():
                mode = modes[cell.mode]
                ended = run(case, program, mode, port, cell.denials)
                wrong = what_is_wrong(program, ended, mode, place, cell.denials)
                if not wrong and cell.is_unsaid("-v" in mode.words, ended.errors):
                    wrong = "does not say with -v what it goes without"
                case.check(not wrong, f"{program}, {cell}, {place}: {wrong}; {ended.errors[:200]!r}")


def made(case: Case, program: str, name: str, mode: Mode) -> set[Call]:
    """The calls that a client makes where a server answers, and where none is."""
    trace, found = case.scratch / "trace", set()
    for place, port in PLACES.items():
        ended = run(case, program, mode, port, wrapper=("strace", *calls.OPTIONS, "-o", str(trace)))
        wrong = what_is_wrong(program, ended, mode, place)
        case.check(not wrong, f"{program}, {name}, {place}: not even without denials: {wrong}; {ended}")
        found |= calls.made(trace)
    return found


def run(case: Case, program: str, mode: Mode, port: int, denials: Sequence[Denial] = (),
        wrapper: Sequence[Word] = ()) -> Ended:
    words = [word.replace("PORT", str(FIRST_PORT + case.tried)) for word in mode.words]
    deny = seccomp.denying(*denials)
    target = f"{mode.host}:{port}"
    return lives.use(case, program, [target, *words, "--timeout", "1s"], mode.stdin, deny, wrapper)


def what_is_wrong(program: str, ended: Ended, mode: Mode, place: str,
                  denials: Sequence[Denial] = ()) -> str | None:
    """What a client with this denial did wrong, or None."""
    if unseemly := lives.unseemly(ended.status, ended.errors):
        return unseemly
    truth, status = ("ok", 0) if place == "healthy" else ("refused", mode.refused)
    said = lives.verdicts(ended)
    if wrong := said - {truth, "local"}:
        return f"says {', '.join(sorted(wrong))}"
    if any(denial.call.name in OUTPUTS for denial in denials):
        # What cannot be said is in the exit status: 1, if the result could not be written.
        return None if ended.status in (status, 1, 2) else f"exit {ended.status}"
    if ended.status == 2 or "local" in said:
        return local(program, ended, mode, denials)
    if ended.status != status:
        return f"exit {ended.status}"
    return None if ended.output or "refused" in said else f"exit {ended.status}, and says nothing"


def local(program: str, ended: Ended, mode: Mode, denials: Sequence[Denial]) -> str | None:
    """What is wrong with a client that says that this machine is at fault, or None."""
    if any(is_extra(mode.host, denial.call) for denial in denials):
        return f"exit {ended.status} for want of an extra"
    if mode.is_run:
        return None if ended.status in (1, 2, 124) and ended.errors else f"exit {ended.status}"
    lines = sum(line.startswith(program.encode()) for line in ended.errors.splitlines())  # and those of -v
    return None if ended.status == 2 and lines == 1 else f"exit {ended.status}, reasons: {lines}"


def is_extra(_: str, call: Call) -> bool:
    """Whether a client goes without this call, whatever the mode is."""
    return not call.name.startswith((*NEEDED, *OUTPUTS))
