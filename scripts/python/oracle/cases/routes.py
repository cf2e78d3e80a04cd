"""Which address of ours a probe leaves from, and which the other side sees."""

from functools import partial
from typing import Iterator

from lab.protocol import PORT
from oracle import tun
from oracle.acts import Reply
from oracle.packets import Endpoint
from oracle.play import Play
from oracle.scene import Going, Outcome, tcp, udp
from oracle.stage import Stage
from oracle.tcp_peer import Manner
from oracle.tun import CLIENT_OTHER

COUNT, CHANGES_AFTER = 60, 0.6  # probes, one each 20 ms; seconds
HOST = "there"


def plays() -> Iterator[Play]:
    for family in (4, 6):
        for protocol in ("udp", "tcp"):
            yield Play(f"{protocol}{family}-route-changes", "our address changes during a run: not a translation",
                       partial(changes, protocol, family))
    for protocol in ("udp", "tcp"):
        yield Play(f"{protocol}4-translated", "the witness sees another address: each reply says so",
                   partial(translated, protocol))


def witness(seen: Endpoint, number: int) -> bytes:
    return f"host={HOST} peer={seen} n={number}".encode()


def run(protocol: str, stage: Stage, going: Going, translate: bool) -> Outcome:
    def seen(source: Endpoint) -> Endpoint:
        return Endpoint("192.0.2.7", source.port) if translate else source

    if protocol == "udp":
        return udp(stage, lambda asked: [Reply(0.002, witness(seen(asked.packet.source), asked.number + 1))], going)
    return tcp(stage, lambda caller: Manner(
        after=0.002, reply=witness(seen(caller.packet.source), caller.number + 1)), going)


def changes(protocol: str, family: int, stage: Stage) -> Outcome:
    stage.loop.later(CHANGES_AFTER, lambda: tun.prefer(family, CLIENT_OTHER))
    outcome = run(protocol, stage, Going(COUNT, "20ms", 1000, family=family), translate=False)
    hosts = {fate.local.host for fate in outcome.fates}
    stage.case.check(len(hosts) == 2, f"the oracle's own fault: probes only from {hosts}")
    last = outcome.fates[-1].local
    check_witness(stage, outcome, 0, Endpoint(last.host, last.port))
    return outcome


def translated(protocol: str, stage: Stage) -> Outcome:
    outcome = run(protocol, stage, Going(COUNT, "20ms", 1000), translate=True)
    check_witness(stage, outcome, COUNT, Endpoint("192.0.2.7", outcome.fates[-1].local.port))
    return outcome


def check_witness(stage: Stage, outcome: Outcome, translations: int, seen: Endpoint) -> None:
    check, said = stage.case.check, outcome.said.summary
    check(said.get("translated") == translations, f"translated {said.get('translated')}, not {translations}")
    check(said.get("hosts") == [{"host": HOST, "replies": COUNT}], f"hosts {said.get('hosts')}")
    check(said.get("seen_as") == str(seen), f"seen_as {said.get('seen_as')}, not {seen}")
    check(said.get("address") == str(Endpoint(outcome.fates[0].target.host, PORT)), f"address {said.get('address')}")
