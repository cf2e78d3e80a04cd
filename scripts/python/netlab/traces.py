"""Traces (--trace): of a flow that dies somewhere between three routers, as an ordinary user."""

import json
import time
from typing import Any, Iterator, NamedTuple

from lab.harness import Ended
from lab.protocol import PORT, REPLIES
from netlab import judge, services
from netlab.chain import OTHER, ROUTERS, Chain, Fork
from netlab.firewall import from_server, reject, to_server
from netlab.play import Act, Play, nothing, play
from netlab.scene import Scene
from netlab.topology import Plan
from netlab.trial import SILENCE, Expected, each, verdict

USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
LONGEST_MS = 15_000
DEADLINE = 10  # seconds, of which the last quarter is long enough for a trace
MOST_PORTS = 24  # in one of eight million tries, all of them lead to one router


class Found(NamedTuple):
    """What a trace is to find: its end, and the last hop that answers. `silent` are hops before it that do not."""

    end: str
    hop: int | None
    router: str | None
    silent: tuple[int, ...] = ()


def plays() -> Iterator[Play]:
    for begin, protocol, plan in each():
        yield from of_drops(begin, protocol, plan)
        yield from of_silent_routers(begin, protocol, plan)
        yield from of_ends(begin, protocol, plan)
        yield play(begin, "trace-run", verdict(SILENCE[protocol]), on("r2", "forward", to_server("drop")),
                   network=Chain, run=of_a_run)
        yield play(begin, "trace-wait", verdict(SILENCE[protocol]), on("r2", "forward", to_server("drop")),
                   network=Chain, run=of_attempts, options=("--wait", "--deadline", f"{DEADLINE}s"))
        yield play(begin, "trace-fork", verdict("ok", SILENCE[protocol]), served("r4", "forward", to_server("drop")),
                   network=Fork, run=of_many_ports, timeout="300ms")
    for begin, _, _ in each("udp"):
        yield play(begin, "trace-late-reply", verdict("no-reply"), late, network=Chain, run=of_a_late_reply,
                   timeout="300ms")


def traced(begin: str, name: str, expected: Expected, prepare: Act, found: Found, *, always: bool = False,
           **more: Any) -> Play:
    """A probe whose trace is to find this."""
    when = "--trace=always" if always else "--trace"

    def run(scene: Scene) -> None:
        check(scene, scene.probe(when, wrapper=USER), expected, found)

    return play(begin, f"trace-{name}", expected, prepare, network=Chain, run=run, **more)


def on(host: str, hook: str, *rules: str) -> Act:
    return lambda scene: scene.filter(getattr(scene.network, host), hook, *rules)


def served(host: str, hook: str, *rules: str) -> Act:
    """Rules on a host, and a server that replies."""

    def prepare(scene: Scene) -> None:
        scene.filter(getattr(scene.network, host), hook, *rules)
        scene.serve_reply(REPLIES[scene.protocol])

    return prepare


def of_drops(begin: str, protocol: str, plan: Plan) -> Iterator[Play]:
    """Dropped on the way there: the last that is heard of is the router that does. On the way back: the last router."""
    silence, routers = verdict(SILENCE[protocol]), ROUTERS[plan.family]
    for n, router in enumerate(routers, 1):
        there, back = on(f"r{n}", "forward", to_server("drop")), served(f"r{n}", "forward", from_server("drop"))
        yield traced(begin, f"drop-on-r{n}", silence, there, Found("silent", n, router))
        # Routers answer, the target's answers are lost: as if the last router dropped what goes there.
        yield traced(begin, f"drop-back-on-r{n}", silence, back, Found("silent", 3, routers[2]))
    # If what routers say is lost, too, it looks as if it were dropped here.
    everything = served("r2", "forward", 'oifname "r21" drop')
    yield traced(begin, "drop-all-back-on-r2", silence, everything, Found("silent", 2, routers[1]))
    yield traced(begin, "drop-on-server", silence, on("b", "input", to_server("drop")), Found("silent", 3, routers[2]))
    masked = masquerade_and(on("r3", "forward", to_server("drop")))
    yield traced(begin, "drop-behind-masquerade", silence, masked, Found("silent", 3, routers[2]))


def of_silent_routers(begin: str, protocol: str, plan: Plan) -> Iterator[Play]:
    """Routers that say nothing, or not always."""
    expected, server = verdict("ok", reply=REPLIES[protocol]), plan.server
    quiet = served("r2", "output", exceeded(plan, "drop"))
    yield traced(begin, "silent-router", expected, quiet, Found("reached", 4, server, (2,)), always=True)
    yield play(begin, "trace-limited-router", expected,
               served("r2", "output", exceeded(plan, "limit rate over 1/hour burst 1 packets drop")),
               network=Chain, run=of_a_limited_router)
    # The client's own firewall lets no ICMP error in.
    deaf = on_both("a", "input", errors(plan, "drop"), "b", "input", to_server("drop"))
    yield traced(begin, "no-icmp", verdict(SILENCE[protocol]), deaf, Found("silent", None, None), timeout="300ms")


def of_ends(begin: str, protocol: str, plan: Plan) -> Iterator[Play]:
    """Ways that end in an answer."""
    routers, server = ROUTERS[plan.family], plan.server
    reached = Found("reached", 4, server)
    answer = lambda scene: scene.serve_reply(REPLIES[protocol])  # noqa: E731
    yield traced(begin, "open", verdict("ok", reply=REPLIES[protocol]), answer, reached, always=True)
    masked = masquerade_and(answer)
    yield traced(begin, "masquerade", verdict("ok", reply=REPLIES[protocol]), masked, reached, always=True)
    closed = verdict("refused", router=(server,) if protocol == "udp" else (None,))
    yield traced(begin, "closed-port", closed, nothing, reached)
    # A connection stands; over UDP nobody knows that somebody has heard it.
    hangs = Found("silent", 3, routers[2]) if protocol == "udp" else reached
    yield traced(begin, "hanging-program", verdict("no-reply"), hang, hangs)
    stopped = Found("stopped", 2, routers[1])
    rejected = on("r2", "forward", to_server(reject(plan, "admin-prohibited")))
    yield traced(begin, "reject-on-r2", verdict("unreachable", router=(routers[1],)), rejected, stopped)
    # On the server itself, the limit is used up nowhere before.
    rejected = on("b", "input", to_server(reject(plan, "admin-prohibited")))
    stopped = Found("stopped", 4, server)
    yield traced(begin, "reject-on-server", verdict("unreachable", router=(server,)), rejected, stopped)
    if protocol == "tcp":
        reset = on("r2", "forward", f"tcp dport {PORT} reject with tcp reset")
        # Somebody answers in the target's name, at a hop where it is not.
        yield traced(begin, "reset-on-r2", verdict("refused"), reset, Found("reached", 3, server))


def exceeded(plan: Plan, action: str) -> str:
    return f"{'icmp' if plan.family == 4 else 'icmpv6'} type time-exceeded {action}"


def errors(plan: Plan, action: str) -> str:
    kinds = "icmp type { destination-unreachable, time-exceeded }" if plan.family == 4 else \
        "icmpv6 type { destination-unreachable, time-exceeded }"
    return f"{kinds} {action}"


def on_both(one: str, hook: str, rule: str, other: str, other_hook: str, other_rule: str) -> Act:
    def prepare(scene: Scene) -> None:
        on(one, hook, rule)(scene)
        on(other, other_hook, other_rule)(scene)

    return prepare


def masquerade_and(act: Act) -> Act:
    def prepare(scene: Scene) -> None:
        chain = ("chain post { type nat hook postrouting priority srcnat;", 'oifname "r12" masquerade', "}")
        scene.r.nft("table inet nat {", *chain, "}")
        act(scene)

    return prepare


def late(scene: Scene) -> None:
    """A server whose reply comes when the time of the probe is over, and a silent router."""
    on("r2", "output", exceeded(scene.plan, "drop"))(scene)
    scene.serve_reply("late", after=0.35)


def hang(scene: Scene) -> None:
    """A program that accepts, and says nothing."""
    if scene.protocol == "tcp":
        scene.serve(services.tcp(scene.b, scene.plan.server, services.says_nothing))
    else:
        scene.serve(services.udp(scene.b, [(scene.plan.server, PORT)], services.ignores))


def check(scene: Scene, ended: Ended, expected: Expected, found: Found) -> dict[str, Any]:
    """Checks what a client said of a probe, and of its way."""
    said = judge.check_probe(scene, ended, expected)
    probe = judge.parse(ended.output) or {}
    trace: dict[str, Any] = probe.get("trace") or {}
    for wrong in wrong_in(scene, trace, found):
        scene.case.check(False, wrong)
    scene.case.check(trace.get("local") == probe.get("local"), f"from {trace.get('local')}, not {probe.get('local')}")
    scene.came = f"{said.text}; {in_words(trace)}"
    return probe


def wrong_in(scene: Scene, trace: dict[str, Any], found: Found) -> list[str]:
    """What is wrong with a trace."""
    came = tuple(trace.get(name) for name in ("end", "last_hop", "last_router"))
    if came != found[:3]:
        return [f"{in_words(trace)}, not {found}: {trace}"]
    wrong, hops = [], trace["hops"]
    known = (*ROUTERS[scene.plan.family], scene.plan.server)
    for at, hop in enumerate(hops, 1):
        if hop["hop"] != at:
            wrong.append(f"hop {at}: {hop}")
        is_silent = at in found.silent or at > (found.hop or 0)
        router = None if is_silent else found.router if at == found.hop else known[at - 1]
        if hop["router"] != router or (hop["ms"] is not None and not 0 <= hop["ms"] < LONGEST_MS):
            wrong.append(f"hop {at}: {hop}, not {router}")
    silent = 3 if found.end == "silent" else 0
    if len(hops) != (found.hop or 0) + silent:
        wrong.append(f"{len(hops)} hops: {hops}")
    if (trace["reason"] is not None) != (found.end in ("stopped", "failed")):
        wrong.append(f"reason {trace['reason']}")
    return wrong


def in_words(trace: dict[str, Any]) -> str:
    return f"{trace.get('end')} {trace.get('last_hop')} {trace.get('last_router')}"


def of_a_limited_router(scene: Scene) -> None:
    """r2 answers once. After that its silence ends nothing."""
    expected = scene.trial.expected
    for silent in ((), (2,)):
        found = Found("reached", 4, scene.plan.server, silent)
        check(scene, scene.probe("--trace=always", wrapper=USER), expected, found)


def of_many_ports(scene: Scene) -> None:
    """r1 balances by port. Flows that r4 drops name r4, and the others come by r2."""
    family, seen = scene.plan.family, set()
    for _ in range(MOST_PORTS):
        ended = scene.probe("--trace=always", wrapper=USER)
        probe = judge.parse(ended.output) or {}
        trace = probe.get("trace") or {}
        routers = [hop["router"] for hop in trace.get("hops", ())]
        is_dead = probe.get("verdict") != "ok"
        seen.add(is_dead)
        second = OTHER[family] if is_dead else ROUTERS[family][1]
        last = ("silent", 2, second) if is_dead else ("reached", 4, scene.plan.server)
        came = tuple(trace.get(name) for name in ("end", "last_hop", "last_router"))
        scene.case.check(came == last and routers[1] == second, f"{probe.get('verdict')}: {came}, {routers}")
        if len(seen) == 2:
            break
    scene.case.check(len(seen) == 2, f"{MOST_PORTS} ports lead to one router: {seen}")
    scene.came = f"dead: {sorted(seen)}"


def of_attempts(scene: Scene) -> None:
    """The last attempt is traced, and the client gives up at its deadline all the same."""
    begun = time.monotonic()
    ended = scene.probe("--trace", wrapper=USER)
    took = time.monotonic() - begun
    probe = judge.parse(ended.output) or {}
    trace = probe.get("trace") or {}
    for wrong in wrong_in(scene, trace, Found("silent", 2, ROUTERS[scene.plan.family][1])):
        scene.case.check(False, wrong)
    is_in_time = DEADLINE - 0.1 < took < DEADLINE + 2
    scene.case.check(ended.status == 124 and is_in_time, f"exit status {ended.status} after {took:.1f} s")
    scene.came = f"{probe.get('verdict')}; {in_words(trace)}"


def of_a_run(scene: Scene) -> None:
    """Each probe of a run fails, and the first is traced beside the others."""
    running = scene.start_run(6, "--json", "--interval", "500ms", "--timeout", "300ms", "--trace", wrapper=USER)
    ended = running.end()
    said = [json.loads(line) for line in ended.output.splitlines()]
    traces = [each for each in said if each["event"] == "trace"]
    probes = {each["number"]: each for each in said if each["event"] == "probe"}
    scene.case.check(len(traces) == 1 and len(probes) == 6, f"{len(traces)} traces, {len(probes)} probes")
    for trace in traces:
        probe, router = probes[trace["number"]], ROUTERS[scene.plan.family][1]
        for wrong in wrong_in(scene, trace["trace"], Found("silent", 2, router)):
            scene.case.check(False, wrong)
        is_same = all(trace[name] == probe[name] for name in ("protocol", "target", "address", "local"))
        scene.case.check(is_same and probe["trace"] is None, f"{trace}, {probe}")
    scene.case.check(said[-1]["event"] == "summary" and said[-1]["sent"] == 6, f"{said[-1]}")
    scene.came = f"{len(traces)} of {len(probes)} traced"


def of_a_late_reply(scene: Scene) -> None:
    """The reply to the probe comes while the second hop is asked, which is silent. It says nothing about that."""
    ended = scene.probe("--trace", wrapper=USER)
    probe = judge.parse(ended.output) or {}
    trace = probe.get("trace") or {}
    routers = [hop["router"] for hop in trace.get("hops", ())]
    first, _, third = ROUTERS[scene.plan.family]
    is_right = trace.get("end") == "reached" and trace["last_hop"] >= 4 and routers[:3] == [first, None, third]
    scene.case.check(is_right, f"{trace}")
    scene.came = f"{probe.get('verdict')}; {in_words(trace)}"
