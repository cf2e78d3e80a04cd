"""All cases of scripts/oracle."""

from typing import Iterator

from oracle.cases import (endings, endless, fields, flows, late, names, outages, replies, routes, stalls, tcp_errors,
                          tcp_runs, timeouts, udp_errors, udp_runs, waiting)
from oracle.play import Play

TOPICS = (fields, udp_runs, tcp_runs, late, timeouts, stalls, flows, udp_errors, tcp_errors, names, waiting, endings,
          endless, routes, replies, outages)


def plays() -> Iterator[Play]:
    for topic in TOPICS:
        yield from topic.plays()
