"""Replies over TCP in pieces, without an end, too long, or not the expected one; SYNs that are lost."""

from functools import partial
from typing import Iterator

from oracle.acts import ERRORS, Icmp, Reply
from oracle.play import Play
from oracle.said import Object
from oracle.scene import Going, Outcome, tcp, udp
from oracle.stage import Stage
from oracle.tcp_peer import Manner, always
from oracle.tcp_peer import listed as listed_tcp
from oracle.udp_peer import Act
from oracle.udp_peer import always as always_udp
from oracle.udp_peer import listed as listed_udp

LONG = b"0123456789" * 500
EXPECTED = b"x" * 1024


def plays() -> Iterator[Play]:
    shapes = {
        "5000-with-end": Manner(reply=LONG),
        "5000-in-pieces": Manner(reply=LONG, pieces=1000, gap=0.003),
        "5000-end-later": Manner(reply=LONG, fin_after=0.03),
        "5000-without-end": Manner(reply=LONG, pieces=500, gap=0.002, fin_after=None),
    }
    for name, manner in shapes.items():
        yield Play(f"tcp4-reply-{name}", "all 5,000 bytes count, and whether that is all",
                   partial(alone, manner, "ok", None))
        yield Play(f"tcp4-reply-{name}-run", "the same in a run", partial(in_run, manner))
    yield Play("tcp6-reply-5000-with-end", "the same over IPv6",
               partial(alone, Manner(reply=LONG), "ok", None, family=6))
    yield Play("tcp4-reply-2-MB", "longer than a client reads: complete is false",
               partial(alone, Manner(reply=b"a" * 2_000_000), "ok", None))
    yield Play("tcp4-reply-200-KB-run", "longer than a run reads", partial(in_run, Manner(reply=b"a" * 200_000)))
    yield Play("tcp4-expect-reply-exact", "the expected 1,024 bytes, in pieces",
               partial(alone, Manner(reply=EXPECTED, pieces=100, gap=0.002), "ok", EXPECTED))
    for name, manner in (("at-once", Manner(reply=EXPECTED + b"!")),
                         ("later", Manner(reply=EXPECTED + b"!", pieces=1024, gap=0.03))):
        yield Play(f"tcp4-expect-reply-longer-{name}", "1,024 expected bytes and one more: wrong-reply",
                   partial(alone, manner, "wrong-reply", EXPECTED))
    yield Play("udp4-expect-reply-longer", "1,024 expected bytes and one more: wrong-reply",
               partial(datagram, EXPECTED + b"!", "wrong-reply"))
    yield Play("udp4-expect-reply-exact", "the expected 1,024 bytes", partial(datagram, EXPECTED, "ok"))
    yield Play("tcp4-syn-retransmits-timeout", "no SYN is answered for 3.5 s: how many there were",
               partial(alone, Manner("ignore"), "timeout", None, timeout_ms=3500))
    yield Play("tcp4-syn-retransmits-connected", "the first two SYNs are lost",
               partial(alone, Manner(deaf=2), "ok", None, timeout_ms=3500))
    for protocol in ("tcp", "udp"):
        yield Play(f"{protocol}4-kinds-of-failure", "refused, unreachable and lost are told apart in loss_percent",
                   partial(kinds, protocol))


def alone(manner: Manner, verdict: str, expected: bytes | None, stage: Stage, timeout_ms: int = 2000,
          family: int = 4) -> Outcome:
    options = ("--expect-reply", expected.decode()) if expected else ()
    outcome = tcp(stage, always(manner), Going(None, "", timeout_ms, options, family, expect=verdict), expected)
    probe = outcome.said.probe
    stage.case.check(probe.get("verdict") == verdict, f"verdict {probe.get('verdict')}, not {verdict}")
    check_bytes(stage, probe, manner, 1 << 20)
    return outcome


def check_bytes(stage: Stage, probe: Object, manner: Manner, most: int) -> None:
    """By what the peer would have sent: a client that closes too early has less in the ledger, too."""
    if manner.reply and manner.opening == "accept":
        number = min(len(manner.reply), most)
        stage.case.check(probe.get("bytes") == number, f"bytes {probe.get('bytes')}, not {number}")
        if probe.get("verdict") == "wrong-reply":
            return
        complete = None if manner.fin_after is None else len(manner.reply) <= most
        stage.case.check(probe.get("complete", "absent") == complete,
                         f"complete {probe.get('complete', 'absent')}, not {complete}")


def in_run(manner: Manner, stage: Stage) -> Outcome:
    outcome = tcp(stage, always(manner), Going(10, "50ms", 1000))
    for probe in outcome.said.probes.values():
        check_bytes(stage, probe, manner, 1 << 16)
    return outcome


def datagram(reply: bytes, verdict: str, stage: Stage) -> Outcome:
    going = Going(timeout_ms=1000, options=("--expect-reply", EXPECTED.decode()), expect=verdict)
    return udp(stage, always_udp(Reply(0.005, reply)), going, EXPECTED)


def kinds(protocol: str, stage: Stage) -> Outcome:
    """Of 20 probes 4 are lost, 3 refused, 2 unreachable: 20 percent loss, 45 percent failed."""
    port, host = Icmp(*ERRORS[4]["port"], 0.003), Icmp(*ERRORS[4]["host"], 0.003)
    going = Going(20, "30ms", 400)
    if protocol == "udp":
        fates: list[tuple[Act, ...]] = [()] * 4 + [(port,)] * 3 + [(host,)] * 2 + [(Reply(0.002),)] * 11
        outcome = udp(stage, listed_udp(stage.random.sample(fates, len(fates))), going)
    else:
        manners = [Manner("ignore")] * 4 + [Manner("refuse")] * 3 + [Manner(host)] * 2 + [Manner()] * 11
        outcome = tcp(stage, listed_tcp(stage.random.sample(manners, len(manners))), going)
    for name, share in (("loss_percent", 20), ("failed_percent", 45)):
        stage.case.check(outcome.said.summary.get(name) == share,
                         f"{name} {outcome.said.summary.get(name)}, not {share}")
    return outcome
