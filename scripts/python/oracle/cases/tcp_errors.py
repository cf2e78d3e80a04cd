"""ICMP errors about a TCP connection: before it stands they end it, afterwards they do not."""

from functools import partial
from typing import Iterator

from oracle.acts import ERRORS, Icmp
from oracle.play import Play
from oracle.scene import Going, Outcome, tcp
from oracle.stage import Stage
from oracle.tcp_peer import Manner, always
from oracle.tun import ROUTER

SOON, LATER = 0.001, 0.1  # seconds after the connection stands


def plays() -> Iterator[Play]:
    for family in (4, 6):
        for word in ("net", "host", "port", "prohibited"):
            error = Icmp(*ERRORS[family][word], SOON, ROUTER[family])
            before = Manner(Icmp(error.kind, error.code, 0.002, ROUTER[family]))
            after = Manner(after=LATER, errors=(error,), acknowledges=False)
            yield Play(f"tcp{family}-error-{word}-then-reply", "an error 1 ms after the connection stands ends nothing",
                       partial(one, after, "ok", family))
            yield Play(f"tcp{family}-error-{word}-at-once", "an error about the SYN is the verdict",
                       partial(one, before, "refused" if word == "port" else "unreachable", family))
        error = Icmp(*ERRORS[family]["host"], SOON)
        silent = Manner(reply=None, errors=(error,), acknowledges=False)
        yield Play(f"tcp{family}-error-then-silence", "no reply comes after the error: no-reply",
                   partial(one, silent, "no-reply", family))


def one(manner: Manner, verdict: str, family: int, stage: Stage) -> Outcome:
    outcome = tcp(stage, always(manner), Going(timeout_ms=700, family=family, expect=verdict))
    stage.case.check(outcome.said.probe.get("verdict") == verdict,
                     f"verdict {outcome.said.probe.get('verdict')}, not {verdict}: {outcome.said.probe.get('reason')}")
    return outcome
