"""Runs that meet a limit: of ICMP errors that the kernel sends, and of how fast it sends a lost SYN again."""

from typing import Iterator

from lab.protocol import PORT
from netlab import account, services
from netlab.account import Connections
from netlab.run import measure, port_of
from netlab.play import Play, nothing, play
from netlab.scene import Scene
from netlab.topology import add
from netlab.trial import each, verdict

COUNT = 40
FAST = ("--interval", "5ms", "--timeout", "700ms")
SOURCES = {4: ("10.0.0.11", "10.0.0.12", "10.0.0.13"), 6: ("fd00:a::11", "fd00:a::12", "fd00:a::13")}
SYNS_LOST = 3


def plays() -> Iterator[Play]:
    for begin, _, _ in each("udp"):
        yield play(begin, "run-icmp-limited", verdict("refused", "no-reply"), limited, run=some_refused)
        yield play(begin, "run-icmp-unlimited", verdict("refused"), nothing, run=all_refused)
    for begin, _, _ in each("tcp"):
        yield play(begin, "run-syn-lost", verdict("ok"), lose_syns, run=syns_lost)


def limited(scene: Scene) -> None:
    """The server's kernel limits ICMP errors as it does by default: icmp(7).

    The router counts them by the address that they go to. Each peer has a limit of
    its own, so each run has its own source address.
    """
    scene.b.set(ipv4__icmp_ratelimit=1000, ipv4__icmp_ratemask=6168, ipv6__icmp__ratelimit=1000)
    add(scene.a, "a", *SOURCES[scene.plan.family])
    kind, key, icmp = (("ipv4_addr", "ip daddr", "icmp") if scene.plan.family == 4 else
                       ("ipv6_addr", "ip6 daddr", "icmpv6"))
    account.count(scene, "errors", kind, f"{icmp} type destination-unreachable", key)


def some_refused(scene: Scene) -> None:
    """Some probes get an error, and the summary says why not all may get one."""
    check, (first, second, third) = scene.case.check, SOURCES[scene.plan.family]
    # At least a few are refused: so a run succeeds if 99 percent may fail, and fails if none may.
    for source, max_loss, status in ((first, None, 1), (second, 99, 0)):
        run = measure(scene, COUNT, *FAST, "--source", source, expect="refused", max_loss=max_loss)
        errors = scene.r.counted("errors").get(source, 0)
        check(0 < errors < COUNT, f"{errors} errors for {COUNT} datagrams")
        check(run.verdicts() == {"refused": errors, "no-reply": COUNT - errors},
              f"{run.verdicts()}, and {errors} errors passed the router")
        check(run.status == status, f"exit status {run.status} with --max-loss {max_loss}")
    text = text_summary(scene, "--source", third)
    check(b"ICMP" in text, f"no remark on ICMP: {text!r}")


def all_refused(scene: Scene) -> None:
    """Without the limit each probe gets an error, and the summary has no remark."""
    check = scene.case.check
    run = measure(scene, COUNT, *FAST, expect="refused")
    check(run.verdicts() == {"refused": COUNT} and run.status == 0, f"exit status {run.status}, {run.verdicts()}")
    named = {(probe["router"], probe["icmp_type"], probe["icmp_code"]) for probe in run.probes}
    port_unreachable = (3, 3) if scene.plan.family == 4 else (1, 4)
    check(named == {(scene.plan.server, *port_unreachable)}, f"the errors: {named}")
    text = text_summary(scene)
    check(b"ICMP" not in text, f"a remark on ICMP: {text!r}")


def text_summary(scene: Scene, *options: str) -> bytes:
    """The summary in text, without the lines of the probes, which may name the error."""
    came = scene.came
    ended = scene.start_run(COUNT, *FAST, "--quiet", *options).end()
    scene.came = came
    scene.case.check(ended.status == 1 and ended.output, f"exit status {ended.status}: {ended.output!r}")
    return ended.output


def lose_syns(scene: Scene) -> None:
    """The router drops the first SYNs. It counts all SYNs by the port that they come from."""
    syn = f"tcp dport {PORT} tcp flags & (syn|ack) == syn"
    account.count(scene, "syns", "inet_service", syn, "tcp sport", "",
                  f"{syn} numgen inc mod 1000 < {SYNS_LOST} drop")


def syns_lost(scene: Scene) -> None:
    """The connections stand a second later, and each probe says how many SYNs were sent again."""
    connections, check = Connections(), scene.case.check
    scene.serve(services.tcp(scene.b, scene.plan.server, connections))
    run = measure(scene, 2 * SYNS_LOST, "--interval", "50ms")
    check(run.verdicts() == {"ok": 2 * SYNS_LOST}, f"verdicts {run.verdicts()}")
    check(run.by_port() == connections.by_port(), f"by port: said {run.by_port()}, were {connections.by_port()}")
    syns: dict[int, int] = {}
    for probe in run.probes:
        again, took = probe["syn_retransmits"], probe["connect_ms"]
        check((again > 0) == (took > 1000), f"syn_retransmits {again}, connect_ms {took}")
        port = port_of(probe["local"])
        syns[port] = syns.get(port, 0) + 1 + (again or 0)
    seen = {int(port): number for port, number in scene.r.counted("syns").items()}
    check(syns == seen, f"SYNs by port: said {syns}, passed the router {seen}")
    check(sum(seen.values()) >= 3 * SYNS_LOST, f"only {seen}")
