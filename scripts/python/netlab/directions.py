"""In which direction probes were lost, as a witness says: it has to agree with what the router has dropped and counted."""

import time
from typing import Iterator

from lab.harness import until
from lab.protocol import PORT
from netlab import nat
from netlab.egress import NOBODY
from netlab.paths import balance, named
from netlab.play import Act, Play, nothing, play
from netlab.run import Run, finish, measure
from netlab.scene import Scene
from netlab.trial import each, verdict

COUNT = 30
BRISK = ("--interval", "20ms", "--timeout", "300ms")
PAUSE = 2.0  # seconds
AGE = 0.1  # seconds by which a server is older than a run: more than their clocks may differ in it
ASKS = "@th,64,40 0x7365656e3f"  # the bytes after the header of UDP: seen?
SETS = "".join(f"set {name} {{ type inet_service; flags dynamic; size 1024; }}\n" for name in ("there", "back", "asking"))


def plays() -> Iterator[Play]:
    for begin, _, plan in each("udp"):
        def one(name: str, prepare: Act, run: Act, target: str | None = None) -> Play:
            return play(begin, f"directions-{name}", verdict("ok", "no-reply"), prepare, target, run=run)

        yield one("there", drops(there=3), agrees())
        yield one("back", drops(back=3), agrees())
        yield one("both", drops(there=5, back=4), agrees())
        yield one("asked-again", drops(there=4, asks="numgen inc mod 3 != 2 drop"), agrees())
        yield one("flows", drops(there=6, back=6), agrees("--flows", "4"))
        yield one("one-port", drops(there=6, back=6), one_port)
        yield one("closed-loop", drops(there=7, back=5), agrees("--interval", "0"))
        yield one("workers", drops(there=5, back=4, options=("--workers", "4")), agrees())
        yield one("nobody", drops(there=3), agrees(wrapper=NOBODY))
        yield one("interrupted", drops(there=5, back=4), interrupted)
        yield one("unanswered", drops(there=3, asks="drop"), unknown)
        yield one("plain", drops(there=3, witness=False), unknown)
        yield one("none", drops(back=1), unknown)
        yield one("nat", translated, unknown)
        yield one("rate", drops(options=("--rate", "5")), unknown)
        yield one("restarted", drops(there=3), restarted)
        yield one("balanced", nothing, two_servers("one", "two"), plan.near)
        yield one("same-name", nothing, two_servers("one", "one"), plan.near)
        yield one("same-name-back", nothing, two_servers("one", "one", back=3), plan.near)


def drops(there: int = 0, back: int = 0, asks: str = "accept", options: tuple[str, ...] = (), witness: bool = True) -> Act:
    """A witness on b; and the router drops every so-manieth probe or reply, and counts those by port."""

    def prepare(scene: Scene) -> None:
        filter_some(scene, there, back, asks)
        scene.start_server(*(("--witness",) if witness else ()), *options)
        time.sleep(AGE)

    return prepare


def filter_some(scene: Scene, there: int, back: int, asks: str) -> None:
    rules = [f"udp dport {PORT} {ASKS} add @asking {{ udp sport }} {asks}", f"udp dport {PORT} {ASKS} accept",
             f"udp sport {PORT} udp dport @asking accept"]
    if there:
        rules.append(f"udp dport {PORT} numgen inc mod {there} == 1 add @there {{ udp sport counter }} drop")
    if back:
        rules.append(f"udp sport {PORT} numgen inc mod {back} == 0 add @back {{ udp dport counter }} drop")
    scene.filter(scene.r, "forward", *rules, before=SETS)


def check(scene: Scene, run: Run) -> None:
    """What the client says is what the router has dropped."""
    said, were = run.summary, {name: sum(scene.r.counted(name).values()) for name in ("there", "back")}
    found = {"there": said["lost_there"], "back": said["lost_back"]}
    scene.came = f"{said['lost']} lost: {found['there']} there, {found['back']} back"
    scene.case.check(found == were, f"lost {said['lost']}: said {found}, were {were}")
    scene.case.check(said["lost"] == sum(were.values()) > 0, f"lost {said['lost']}, were {were}")


def agrees(*options: str, wrapper: tuple[str, ...] = ()) -> Act:
    return lambda scene: check(scene, measure(scene, COUNT, *BRISK, *options, wrapper=wrapper))


def one_port(scene: Scene) -> None:
    """All probes leave from one port, which an earlier run has used, too: each run is told of its own alone."""
    first = measure(scene, 10, *BRISK, "--source-port", "7000")
    time.sleep(PAUSE)  # longer than any between two probes of a run
    second = measure(scene, 10, *BRISK, "--source-port", "7000")
    said = [(run.summary["lost_there"], run.summary["lost_back"]) for run in (first, second)]
    were = [sum(scene.r.counted(name).values()) for name in ("there", "back")]
    scene.came = f"{said}"
    known = all(None not in each for each in said)
    scene.case.check(known and [sum(each) for each in zip(*said)] == were, f"said {said}, were {were}")


def interrupted(scene: Scene) -> None:
    """A run without an end is interrupted, and asks all the same."""
    running = scene.start_run(0, "--json", *BRISK)
    scene.case.check(until(lambda: len(scene.r.counted("back")) >= 6), "too little was lost, in all that time")
    running.interrupt()
    said = finish(scene, running).summary
    found = {"there": said["lost_there"] or 0, "back": said["lost_back"] or 0}
    scene.came = f"{said['lost']} lost: {found}"
    # What was out at that moment has not ended, and is not counted as lost.
    are_few = all(number <= sum(scene.r.counted(name).values()) for name, number in found.items())
    scene.case.check(said["lost"] == sum(found.values()) > 0 and are_few, f"lost {said['lost']}, said {found}")


def unknown(scene: Scene) -> None:
    """Probes were lost, and nobody can say where."""
    is_unknown(scene, measure(scene, COUNT, *BRISK))


def is_unknown(scene: Scene, run: Run) -> None:
    said = run.summary
    found = said["lost_there"], said["lost_back"]
    scene.came = f"{said['lost']} lost, not known where"
    scene.case.check(said["lost"] > 0 and found == (None, None), f"lost {said['lost']}: {found}")


def translated(scene: Scene) -> None:
    scene.r.nft("table inet nat {", *nat.masquerade(), "}")
    drops(there=3)(scene)


def restarted(scene: Scene) -> None:
    """The server has been started again since the first losses: it does not know of them."""
    running = scene.start_run(COUNT, "--json", "--interval", "100ms", "--timeout", "300ms")
    scene.case.check(until(lambda: len(scene.r.counted("there")) >= 2), "too little was lost, in all that time")
    scene.restart_server("--witness")
    is_unknown(scene, finish(scene, running))


def two_servers(*names: str, back: int = 0) -> Act:
    """Two servers stand behind one address, which take turns at flows. They may have the same name."""

    def run(scene: Scene) -> None:
        balance(scene)
        filter_some(scene, 0 if back else 3, back, "accept")
        for name, address in zip(names, (scene.plan.server, scene.plan.second)):
            scene.start_server("--witness", address=address, wrapper=named(name))
        # Each server may be the one that is asked.
        for _ in range(2):
            is_unknown(scene, measure(scene, COUNT, *BRISK))

    return run
