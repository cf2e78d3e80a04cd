"""All cases of scripts/oracle."""

from typing import Iterator

from oracle.cases import tcp_runs, udp_runs
from oracle.play import Play

TOPICS = (udp_runs, tcp_runs)


def plays() -> Iterator[Play]:
    for topic in TOPICS:
        yield from topic.plays()
