"""Single datagrams that are answered by an ICMP error, or by somebody else."""

from functools import partial
from typing import Iterator

from lab.protocol import PORT
from oracle.acts import ERRORS, Icmp, Reply
from oracle.packets import Endpoint
from oracle.play import Play
from oracle.scene import Going, Outcome, udp
from oracle.stage import Stage
from oracle.tun import ROUTER, STRANGER, TARGET
from oracle.udp_peer import Act, always


def plays() -> Iterator[Play]:
    for family in (4, 6):
        for word, (kind, code) in ERRORS[family].items():
            sender = None if word == "port" else ROUTER[family]
            yield Play(f"udp{family}-error-{word}", "an ICMP error is the verdict, with its type, code and sender",
                       partial(one, (Icmp(kind, code, 0.003, sender),), "refused" if word == "port" else "unreachable",
                               family))
        host, port = Endpoint(STRANGER[family], PORT), Endpoint(TARGET[family], PORT + 1)
        for name, stranger in (("host", host), ("port", port)):
            yield Play(f"udp{family}-other-{name}", "only somebody else answers: wrong-source, and who it was",
                       partial(one, (Reply(0.003, source=stranger),), "wrong-source", family))
        yield Play(f"udp{family}-other-then-right", "somebody else answers first, and then the target: ok",
                   partial(one, (Reply(0.003, source=host), Reply(0.05)), "ok", family))


def one(acts: tuple[Act, ...], verdict: str, family: int, stage: Stage) -> Outcome:
    outcome = udp(stage, always(*acts), Going(timeout_ms=500, family=family, expect=verdict))
    stage.case.check(outcome.said.probe.get("verdict") == verdict,
                     f"verdict {outcome.said.probe.get('verdict')}, not {verdict}")
    return outcome
