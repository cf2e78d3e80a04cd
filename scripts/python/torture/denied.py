"""System calls and options that a sandbox or an old kernel denies, to all four programs."""

from torture import denied_clients, denied_servers
from lab.case import Case


def denied(case: Case) -> None:
    """System calls and options denied for good.

    Each call and each option that a program makes in its normal life is denied in
    turn, from its start to its end. A server answers, or ends with one line; it is
    never deaf. A client says the truth, or `local`; a denied call is never the
    network's fault. What is an extra is gone without.
    """
    for program in ("tcp-server", "udp-server"):
        with case.part(program):
            denied_servers.deny(case, program)
    for program in ("tcp-client", "udp-client"):
        with case.part(program):
            denied_clients.deny(case, program)
