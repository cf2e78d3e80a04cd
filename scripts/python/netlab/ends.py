"""Runs that end early, or go to a name of two addresses."""

from typing import Iterator

from lab.harness import until
from lab.protocol import PORT, REPLIES
from netlab import account, services
from netlab.account import AT_ONCE, LOST, Account, Connections
from netlab.run import Run, finish, measure
from netlab.play import Play, play
from netlab.scene import Scene
from netlab.trial import Expected, each, verdict

MANY = 500  # probes, of which few are sent
ANSWERED = 5  # probes; the others wait for a reply until the run ends
WAITING = 3  # probes, at least, when a run is interrupted
COUNT = 10
PATIENT = ("--interval", "20ms", "--timeout", "20s")
DEADLINE_MS = 1000
# A run may seem shorter than the deadline by this: the deadline counts from the
# program's start, and not from its first probe.
BEFORE_MS = 100
NAME = "two.example"


def plays() -> Iterator[Play]:
    for begin, _, _ in each():
        yield play(begin, "run-deadline", verdict("ok"), falls_silent, run=deadline)
        yield play(begin, "run-deadline-silent", Expected(("nothing",)), is_silent, run=deadline_of_silence)
        yield play(begin, "run-interrupted", verdict("ok"), falls_silent, run=interrupted)
        yield play(begin, "run-two-addresses", verdict("ok"), count_by_address, NAME, run=two_addresses)


def is_silent(scene: Scene) -> None:
    falls_silent(scene, answered=0)


def falls_silent(scene: Scene, answered: int = ANSWERED) -> None:
    """A server answers the first probes, and leaves the others waiting. The router counts all."""
    if scene.protocol == "udp":
        account.serve(scene, [AT_ONCE] * answered + [LOST] * MANY)
        match = f"udp dport {PORT}"
    else:
        answering, silent = ("ok", services.replies(REPLIES["tcp"])), ("", services.says_nothing)
        scene.serve(services.tcp(scene.b, scene.plan.server, Connections(*[answering] * answered, *[silent] * MANY)))
        match = f"tcp dport {PORT} tcp flags & (syn|ack) == syn"
    account.count(scene, "asked", "inet_service", match, f"{scene.protocol} sport")


def asked(scene: Scene) -> int:
    return sum(scene.r.counted("asked").values())


def deadline(scene: Scene) -> None:
    """A probe that the deadline cuts short has no verdict, and is no success."""
    run = measure(scene, MANY, *PATIENT, "--deadline", f"{DEADLINE_MS}ms")
    check_unfinished(scene, run, ANSWERED)
    elapsed = run.summary["elapsed_ms"]
    scene.case.check(elapsed >= DEADLINE_MS - BEFORE_MS, f"elapsed_ms {elapsed}")


def deadline_of_silence(scene: Scene) -> None:
    """A probe that the deadline cuts short has no verdict: --expect no-reply is not met either."""
    for expect in ("ok", "no-reply"):
        before = asked(scene)
        run = measure(scene, MANY, *PATIENT, "--deadline", "300ms", expect=expect)
        check_unfinished(scene, run, 0, before)
        scene.case.check(run.status == 1, f"exit status {run.status} with --expect {expect}")


def interrupted(scene: Scene) -> None:
    """After Ctrl-C, the client prints the summary of what was done so far."""
    running = scene.start_run(MANY, "--json", *PATIENT)
    scene.case.check(until(lambda: asked(scene) >= ANSWERED + WAITING), "too few probes, in all that time")
    running.interrupt()
    check_unfinished(scene, finish(scene, running), ANSWERED)


def check_unfinished(scene: Scene, run: Run, answered: int, before: int = 0) -> None:
    said, came = run.summary, asked(scene) - before
    scene.case.check(said["sent"] == came < MANY, f"sent {said['sent']}, and {came} passed the router")
    scene.case.check((said["ok"], said["unfinished"]) == (answered, came - answered), f"{run}, of {came}")


def count_by_address(scene: Scene) -> None:
    kind, key = ("ipv4_addr", "ip daddr") if scene.plan.family == 4 else ("ipv6_addr", "ip6 daddr")
    account.count(scene, "asked", kind, f"{scene.protocol} dport {PORT}", key)


def two_addresses(scene: Scene) -> None:
    """Nobody listens at the first address: the second one answers every probe.

    So it is also for a probe that tries the first address after another has found the second.
    """
    plan, check = scene.plan, scene.case.check
    (scene.case.scratch / "hosts").write_text(f"{plan.server} {NAME}\n{plan.second} {NAME}\n")
    served: Account | Connections
    if scene.protocol == "udp":
        served = account.serve(scene, address=plan.second)
    else:
        served = Connections()
        scene.serve(services.tcp(scene.b, plan.second, served))
    run = measure(scene, COUNT, "--interval", "5ms", wrapper=with_hosts(scene))
    check(run.verdicts() == {"ok": COUNT}, f"verdicts {run.verdicts()}")
    check(run.by_port() == served.by_port(), f"by port: said {run.by_port()}, were {served.by_port()}")
    addresses = {each["address"] for each in (*run.probes, run.summary)}
    check(addresses == {plan.endpoint(plan.second, PORT)}, f"addresses {addresses}")
    check(run.summary["resolve_ms"] is not None, "resolve_ms is null, of a name")
    check(scene.r.counted("asked").get(plan.server), "the first address was not tried")


def with_hosts(scene: Scene) -> tuple[str, ...]:
    """The command before a program that gives it its own /etc/hosts, of which it uses all addresses: host.conf(5)."""
    bound = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return ("env", "RESOLV_MULTI=on", "unshare", "--mount", "sh", "-c", bound, str(scene.case.scratch / "hosts"))
