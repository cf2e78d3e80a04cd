"""Every field of docs/json.md is there: of a single exchange and of a run, of both clients."""

from functools import partial
from typing import Iterator

from oracle.acts import Reply
from oracle.play import Play
from oracle.said import fields_missing
from oracle.scene import Going, tcp, udp
from oracle.stage import Stage
from oracle.tcp_peer import Manner
from oracle.tcp_peer import always as always_tcp
from oracle.udp_peer import always


def plays() -> Iterator[Play]:
    for protocol in ("udp", "tcp"):
        for name, count in (("single", None), ("run", 5)):
            yield Play(f"{protocol}4-fields-{name}", "every field of docs/json.md is there",
                       partial(fields, protocol, count))


def fields(protocol: str, count: int | None, stage: Stage) -> str:
    going = Going(count)
    outcome = (udp(stage, always(Reply(0.005)), going) if protocol == "udp"
               else tcp(stage, always_tcp(Manner(after=0.005)), going))
    for wrong in fields_missing(outcome.said):
        stage.case.check(False, wrong)
    return str(outcome)
