"""What most cases do: start a client against a scripted peer, wait for its end, and judge."""

from dataclasses import dataclass
from typing import Callable

from lab.harness import Word
from lab.protocol import MESSAGE, PORT
from oracle import said as said_of
from oracle import numbering, tcp_fate, udp_fate
from oracle.client import Client
from oracle.fate import Fate
from oracle.judge import Judgement
from oracle.packets import Endpoint
from oracle.said import Said
from oracle.stage import Stage
from oracle.tcp_peer import Manners, TcpPeer
from oracle.tun import TARGET
from oracle.udp_peer import Script, UdpPeer

Meanwhile = Callable[[Client], object]  # what else is to happen, on the stage's loop


@dataclass(frozen=True)
class Going:
    """How a client is started."""

    count: int | None = None  # of a run; 0 is endless
    interval: str = "20ms"
    timeout_ms: int = 1000
    options: tuple[str, ...] = ()
    family: int = 4
    target: str | None = None
    expect: str = "ok"
    max_loss: float = 0.0
    wrapper: tuple[Word, ...] = ()
    reads_after: float | None = None
    meanwhile: Meanwhile = lambda _: None

    def words(self) -> list[str]:
        target = self.target or str(Endpoint(TARGET[self.family], PORT))
        words = [target, "--json", "--timeout", f"{self.timeout_ms}ms", *self.options]
        if self.expect != "ok":
            words += ["--expect", self.expect]
        if self.max_loss:
            words += ["--max-loss", f"{self.max_loss:g}"]
        if self.count is None:
            return [*words, "--message", MESSAGE]
        # With -i 0 only --verbose has an object for each probe.
        return [*words, "--count", str(self.count), "--interval", self.interval,
                *(["--verbose"] if self.interval == "0" else [])]


def go(stage: Stage, program: str, going: Going) -> tuple[Client, Said]:
    """Runs the client to its end."""
    client = stage.start(program, *going.words(), wrapper=going.wrapper, reads_after=going.reads_after)
    going.meanwhile(client)
    stage.finish(client)
    return client, said_of.read(client.result())


@dataclass(frozen=True)
class Outcome:
    """What a case can look at, beyond what is judged of every run."""

    client: Client
    said: Said
    fates: list[Fate]
    judgement: Judgement

    def __str__(self) -> str:
        return str(self.said)


def udp(stage: Stage, script: Script, going: Going, expected_reply: bytes | None = None) -> Outcome:
    """Runs udp-client against a scripted peer, and judges all that it says."""
    UdpPeer(stage, script)
    client, said = go(stage, "udp-client", going)
    found = udp_fate.fates(stage.ledger.entries, going.timeout_ms, client.ended_at, expected_reply)
    outcome = judged(stage, client, said, found, going)
    for wrong in udp_fate.reused_too_early(stage.ledger.entries)[:1]:
        stage.case.check(False, wrong)
    return outcome


def tcp(stage: Stage, manners: Manners, going: Going, expected_reply: bytes | None = None) -> Outcome:
    """Runs tcp-client against a scripted peer, and judges all that it says."""
    TcpPeer(stage, manners)
    client, said = go(stage, "tcp-client", going)
    found = tcp_fate.fates(stage.ledger.entries, going.timeout_ms, client.ended_at, expected_reply,
                           tcp_fate.ALONE if going.count is None else tcp_fate.IN_A_RUN)
    return judged(stage, client, said, found, going)


def judged(stage: Stage, client: Client, said: Said, found: list[Fate], going: Going) -> Outcome:
    found = numbering.by_port(found, said)
    for wrong in numbering.out_of_order(found, said)[:1]:
        stage.case.check(False, wrong)
    judgement = Judgement(stage.case, said, found, client.waited_ms, going.timeout_ms, going.expect, going.max_loss,
                          is_endless=going.count == 0)
    if going.count is None:
        judgement.single()
    else:
        judgement.run()
    return Outcome(client, said, found, judgement)
