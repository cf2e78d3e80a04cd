"""The programs under qemu-user, whose system calls are like Linux's, but not the same."""

import os

from lab.case import PROGRAMS, Case
from lab.protocol import PORT
from torture import lives

EMULATOR = f"qemu-{os.uname().machine}"


def emulated(case: Case) -> None:
    """All four programs in an emulator of the machine.

    qemu-user refuses options and shortens answers as an old kernel would. Servers
    answer, and clients say what is true.
    """
    for program in PROGRAMS:
        with case.part(program):
            server(case, program) if program.endswith("server") else client(case, program)


def server(case: Case, program: str) -> None:
    for words in (("--listen", f"127.0.0.1:{PORT}"),
                  ("--listen", f":{PORT}", "--workers", "2", "--json", "--stats", "100ms"),
                  ("--listen", f"[::]:{PORT}", "--listen", f"127.0.0.1:{PORT}", "--count", "1", "--idle-exit", "5s")):
        life = lives.serve(case, program, PORT, words, wrapper=[EMULATOR])
        case.check(life.answered and life.status == 0 and life.lines == 0, f"{program} {' '.join(words)}: {life}")


def client(case: Case, program: str) -> None:
    with case.server(program.replace("client", "server"), listen=f"127.0.0.1:{PORT}"):
        for place, (port, verdict, status) in {"healthy": (PORT, "ok", 0), "closed": (1, "refused", 1)}.items():
            for words in (("--message", "hello"), ("--count", "3", "--interval", "10ms"),
                          ("--count", "20", "--interval", "0", "--flows", "3", "--json")):
                target = f"127.0.0.1:{port}"
                ended = lives.use(case, program, [target, *words, "--timeout", "2s"], wrapper=[EMULATOR])
                right = ended.status == status and lives.verdicts(ended) <= {verdict}
                case.check(right, f"{program} {' '.join(words)}, {place}: {ended}")
