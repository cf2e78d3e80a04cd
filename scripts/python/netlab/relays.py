"""Bad ways, on which datagrams and segments are lost, duplicated, delayed and overtaken."""

from typing import Iterator

from lab.protocol import PORT, REPLIES
from netlab import judge, relay, services
from netlab.firewall import served
from netlab.relay import AT_ONCE, LOST, Fate, Relay
from netlab.play import Act, Play, nothing, play
from netlab.scene import Scene
from netlab.topology import Plan
from netlab.trial import each, verdict

DELAY = 0.15  # seconds, each way
BOTH_WAYS_MS = 2 * DELAY * 1000
ROUNDS = 12  # probes, of which five in nine are lost there or back, and take 0.3 s


def plays() -> Iterator[Play]:
    for begin, _, plan in each("udp"):
        yield from of_datagrams(begin, plan)
    for begin, _, plan in each("tcp"):
        yield from of_connections(begin, plan)


def with_relay(there: Fate, back: Fate) -> Act:
    def prepare(scene: Scene) -> None:
        passing = start_relay(scene)
        passing.there, passing.back = there, back

    return prepare


def start_relay(scene: Scene) -> Relay:
    server = (scene.plan.server, PORT)
    scene.serve(services.udp(scene.b, [server], services.answers(REPLIES["udp"])))
    passing = Relay(scene.r, (scene.plan.near, PORT), server)
    scene.serve(passing)
    return passing


def of_datagrams(begin: str, plan: Plan) -> Iterator[Play]:
    answered = verdict("ok", reply=REPLIES["udp"])
    slow = verdict("ok", reply=REPLIES["udp"], longer_than_ms=BOTH_WAYS_MS)
    twice, overtaking = (0.0, 0.0), (DELAY, 0.0)
    for name, expected, there, back in (
        ("lost-there", verdict("no-reply"), LOST, AT_ONCE),
        ("lost-back", verdict("no-reply"), AT_ONCE, LOST),
        ("duplicated", answered, twice, twice),
        ("overtaken", answered, overtaking, overtaking),
        ("delayed", slow, (DELAY,), (DELAY,)),
        ("delayed-for-long", verdict("no-reply"), AT_ONCE, (0.6,)),
    ):
        yield play(begin, name, expected, with_relay(there, back), plan.near)
    yield play(begin, "bad-way", verdict("ok", "no-reply"), nothing, plan.near, run=bad_way)


def bad_way(scene: Scene) -> None:
    """Random fates, with a third lost each way. The verdict of each probe follows from its fates."""
    passing, tally = start_relay(scene), {"ok": 0, "no-reply": 0}
    for _ in range(ROUNDS):
        passing.there, passing.back = random_fate(scene), random_fate(scene)
        reaches = passing.there and passing.back
        expected = verdict("ok", reply=REPLIES["udp"]) if reaches else verdict("no-reply")
        said = judge.check_probe(scene, scene.probe(timeout="300ms"), expected)
        word = str(said.verdict)
        tally[word] = tally.get(word, 0) + 1
    scene.came = ", ".join(f"{n} {word}" for word, n in tally.items())
    scene.case.check(passing.seen == ROUNDS, f"{passing.seen} datagrams for {ROUNDS} probes")


def random_fate(scene: Scene) -> Fate:
    """A loss, or one to three copies, of which none is late."""
    numbers = scene.case.random
    copies = 0 if numbers.random() < 1 / 3 else numbers.randint(1, 3)
    return tuple(numbers.uniform(0, 0.05) for _ in range(copies))


def of_connections(begin: str, plan: Plan) -> Iterator[Play]:
    def through(delay: float = 0.0, cut: bool = False) -> Act:
        def prepare(scene: Scene) -> None:
            scene.serve(services.tcp(scene.b, scene.plan.server, services.replies(REPLIES["tcp"])))
            passing = relay.connections(scene.r, (scene.plan.server, PORT), delay, cut)
            scene.serve(services.tcp(scene.r, scene.plan.near, passing))

        return prepare

    def swallows(scene: Scene) -> None:
        scene.serve(services.tcp(scene.r, scene.plan.near, services.says_nothing))

    slow = verdict("ok", reply=REPLIES["tcp"], longer_than_ms=BOTH_WAYS_MS)
    yield play(begin, "relay-delays", slow, through(delay=DELAY), plan.near)
    yield play(begin, "relay-cuts", verdict("reset"), through(cut=True), plan.near)
    yield play(begin, "relay-swallows", verdict("no-reply"), swallows, plan.near)
    # Every third segment is lost, in both directions, and TCP sends it again.
    third = "numgen inc mod 3 == 1 drop"
    yield play(begin, "third-lost", verdict("ok", reply=REPLIES["tcp"]),
               served("r", "forward", f"tcp dport {PORT} jump thin", f"tcp sport {PORT} jump thin",
                      before=f"chain thin {{ {third}; }}"), timeout="8s")
