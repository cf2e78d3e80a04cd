"""System calls and options that a sandbox or an old kernel denies, to all four programs."""

from lab.case import CLIENTS, SERVERS, Case
from torture import denied_clients, denied_servers


def denied(case: Case) -> None:
    """System calls and options denied for good.

    Each call and each option that a program makes in its normal life is denied in
    turn, from its start to its end. A server answers, or ends with one line; it is
    never deaf. A client says the truth, or `local`; a denied call is never the
    network's fault. What is an extra is gone without.
    """
    for program in SERVERS:
        with case.part(program):
            denied_servers.deny(case, program)
    for program in CLIENTS:
        with case.part(program):
            denied_clients.deny(case, program)
