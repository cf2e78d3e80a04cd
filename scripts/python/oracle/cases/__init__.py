"""All cases of scripts/oracle."""

from typing import Iterator

from oracle.cases import udp_runs
from oracle.play import Play

TOPICS = (udp_runs,)


def plays() -> Iterator[Play]:
    for topic in TOPICS:
        yield from topic.plays()
