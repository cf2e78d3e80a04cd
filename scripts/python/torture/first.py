"""The programs as process 1 of a PID namespace, for which signals have no default action: pid_namespaces(7)."""

import signal

from lab.case import PROGRAMS, Case
from torture import waits

UNSHARE = ("unshare", "--pid", "--fork", "--kill-child")


def first(case: Case) -> None:
    """Process 1 of a container.

    SIGTERM and SIGINT end all programs within a second, whatever they wait for.
    """
    for program in PROGRAMS:
        for mode in waits.of(program):
            for number in (signal.SIGTERM, signal.SIGINT):
                with case.part(f"{program}, {mode}"):
                    waits.check_ends(case, program, mode, number, "process 1", wrapper=UNSHARE, is_child=True)
