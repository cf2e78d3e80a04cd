"""Source ports: how many a run uses, and what it says of them."""

from collections import Counter
from functools import partial
from typing import Iterator

from oracle.acts import Reply
from oracle.play import MEASURES, Play
from oracle.scene import Going, Outcome, tcp, udp
from oracle.stage import Stage
from oracle.tcp_peer import Manner
from oracle.tcp_peer import always as always_tcp
from oracle.udp_peer import always

FLOWS, COUNT = 4, 15
WAY = 0.005  # seconds: half of a round trip of 10 ms


def plays() -> Iterator[Play]:
    yield Play("tcp4-flows-keep-ports", "4 flows of 15 probes with -i 0: 4 ports, or the summary says how many",
               partial(tcp_flows, "0"), MEASURES)
    yield Play("tcp4-flows-interval", "4 flows of 15 probes, one each 50 ms: 4 ports", partial(tcp_flows, "50ms"),
               MEASURES)
    yield Play("udp4-flows-interval", "4 flows of 15 probes, one each 50 ms: 4 ports", udp_flows, MEASURES)


HASTE_MS = 20.0  # by which a packet may be late, and each flow is still done before its next probe


def tcp_flows(interval: str, stage: Stage) -> Outcome:
    """The server ends first, so that no port is in TIME_WAIT at the client."""
    manner = Manner(latency=2 * WAY)
    outcome = tcp(stage, always_tcp(manner), Going(COUNT, interval, 1000, ("--flows", str(FLOWS))))
    check_flows(stage, outcome)
    return outcome


def udp_flows(stage: Stage) -> Outcome:
    outcome = udp(stage, always(Reply(2 * WAY)), Going(COUNT, "50ms", 1000, ("--flows", str(FLOWS))))
    check_flows(stage, outcome)
    return outcome


def check_flows(stage: Stage, outcome: Outcome) -> None:
    """The summary says which ports were on the wire, each with its probes. There is one for each flow."""
    ports = Counter(fate.local.port for fate in outcome.fates)
    said = {flow["port"]: flow["sent"] for flow in outcome.said.summary.get("flows") or ()}
    stage.case.check(said == dict(ports), f"flows {dict(list(said.items())[:5])}, on the wire {ports.most_common(5)}")
    late = max([stage.ledger.worst_slip_ms(), *(probe["delay_ms"] for probe in outcome.said.probes.values())])
    if late > HASTE_MS:
        stage.case.note(f"something was {late:.1f} ms late: how many ports there are is not checked")
    else:
        stage.case.check(len(ports) == FLOWS, f"{len(ports)} ports on the wire, of {FLOWS} flows")
