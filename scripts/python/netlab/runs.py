"""Runs (--count) to servers that lose, delay and duplicate: the summary has to agree with the server's account."""

from typing import Iterator

from lab.protocol import PORT, REPLIES
from netlab import account, services
from netlab.account import AT_ONCE, LOST, Connections, Fate, Reply
from netlab.relays import DELAY
from netlab.run import MICROSECOND, measure, port_of
from netlab.play import Play, nothing, play
from netlab.scene import Scene
from netlab.trial import each, verdict

COUNT = 25  # probes, so that each is 4 percent
SHARE = 100 // COUNT
BRISK = ("--interval", "20ms")
TWICE: Fate = (Reply(), Reply())
# The last probes have no special fate: a run ends with its last probe, and may not
# see a stray reply after that.
LAST = 3


def plays() -> Iterator[Play]:
    for begin, _, _ in each("udp"):
        yield play(begin, "run-lossy", verdict("ok", "no-reply"), nothing, run=lossy)
        yield play(begin, "run-duplicates", verdict("ok"), nothing, run=duplicates)
        yield play(begin, "run-late", verdict("ok", "no-reply"), nothing, run=late)
        yield play(begin, "run-jitter", verdict("ok"), nothing, run=jitter)
        yield play(begin, "run-foreign", verdict("ok", "wrong-source", "no-reply"), nothing, run=foreign)
        yield play(begin, "run-one-by-one", verdict("ok"), nothing, run=one_by_one)
    for begin, _, _ in each("tcp"):
        yield play(begin, "run-moody", verdict("ok", "reset", "no-reply"), nothing, run=moody)


def chosen(scene: Scene, fates: tuple[Fate, ...], count: int) -> list[Fate]:
    """So many of these fates in random order, each of them at least once."""
    more = scene.case.random.choices(fates, k=count - len(fates))
    return scene.case.random.sample([*fates, *more], count)


def lossy(scene: Scene) -> None:
    """Some datagrams are lost: the run fails, unless as many percent may be lost."""
    fates = chosen(scene, (AT_ONCE, LOST, AT_ONCE), COUNT)
    lost = SHARE * fates.count(LOST)
    served = account.serve(scene)
    for max_loss, status in ((None, 1), (lost - 1, 1), (lost, 0)):
        served.begin(fates)
        run = measure(scene, COUNT, *BRISK, "--timeout", "700ms", max_loss=max_loss)
        account.compare(scene, run, served)
        said = run.summary
        scene.case.check(said["lost"] == fates.count(LOST), f"lost {said['lost']}, not {fates.count(LOST)}")
        scene.case.check(run.status == status, f"exit status {run.status} with --max-loss {max_loss} and {lost} % lost")


def duplicates(scene: Scene) -> None:
    """Some replies are sent twice, or four times."""
    fates = chosen(scene, (AT_ONCE, TWICE, TWICE + TWICE), COUNT - LAST)
    served = account.serve(scene, fates)
    run = measure(scene, COUNT, "--interval", "40ms")
    account.compare(scene, run, served)
    scene.case.check(run.verdicts() == {"ok": COUNT}, f"verdicts {run.verdicts()}")
    scene.case.check(served.duplicate > 0, "no reply was sent twice")


def late(scene: Scene) -> None:
    """Some replies come after their timeout, while other probes wait: none is taken for another probe's."""
    delay_ms = 1000
    some = (AT_ONCE, (Reply(delay_ms / 1000, held=True),))
    served = account.serve(scene, chosen(scene, (*some, LOST, *some), 12))
    run = measure(scene, 40, "--interval", "45ms", "--timeout", "700ms")
    account.compare(scene, run, served)
    check, said = scene.case.check, run.summary
    check(served.late > 0, "no reply was late")
    locals_ = {probe["number"]: probe["local"] for probe in run.probes}
    for stray in run.strays:
        check(stray["kind"] == "late" and stray["after_ms"] >= delay_ms, f"a stray: {stray}")
        check(stray["local"] == locals_.get(stray["number"]), f"probe {stray['number']} had another port: {stray}")
    # Replies that are not late are sent at once: no probe that is ok took as long as a late one.
    slow = [probe["reply_ms"] for probe in run.probes if probe["verdict"] == "ok" and probe["reply_ms"] >= delay_ms]
    check(not slow, f"reply_ms {slow}, of replies that were sent at once")
    check(said["lost"] > 0, "none was lost")


def jitter(scene: Scene) -> None:
    """Replies take longer than an interval, and overtake each other."""
    numbers = scene.case.random
    delays = [numbers.uniform(DELAY, 2 * DELAY) for _ in range(COUNT)]
    served = account.serve(scene, [(Reply(delay),) for delay in delays])
    run = measure(scene, COUNT, *BRISK)
    account.compare(scene, run, served)
    scene.case.check(run.verdicts() == {"ok": COUNT}, f"verdicts {run.verdicts()}")
    scene.case.check(len(served.by_port()) > 1, "all from one port, though they overlapped")
    waits = {port: [entry.fate[0].after * 1000 for entry in served.entries if entry.port == port]
             for port in served.by_port()}
    for probe in run.probes:
        least = waits[port_of(probe["local"])].pop(0)
        took = probe["reply_ms"]
        scene.case.check(took >= least - MICROSECOND, f"probe {probe['number']} took {took} ms, less than {least}")


def foreign(scene: Scene) -> None:
    """Replies come from another address, before the right one or in its place."""
    other, right = Reply(source=1), Reply()
    fates = chosen(scene, ((right,), (other, right), (other,), (other, other), LOST), COUNT - LAST)
    served = account.serve(scene, fates, (scene.plan.second, PORT))
    run = measure(scene, COUNT, *BRISK, "--timeout", "700ms")
    account.compare(scene, run, served)
    check, sender = scene.case.check, scene.plan.endpoint(scene.plan.second, PORT)
    senders = {stray["from"] for stray in run.strays}
    check(senders == {sender}, f"strays from {senders}, not {sender}")
    for probe in run.probes:
        named = sender if probe["verdict"] == "wrong-source" else None
        check(probe["from"] == named, f"probe {probe['number']}: {probe['verdict']} from {probe['from']}")


def one_by_one(scene: Scene) -> None:
    """With --interval 0, the next probe waits for the reply to the one before."""
    served = account.serve(scene, [(Reply(0.01),)] * COUNT)
    run = measure(scene, COUNT, "--interval", "0", "--verbose")
    account.compare(scene, run, served)
    scene.case.check(run.verdicts() == {"ok": COUNT}, f"verdicts {run.verdicts()}")
    scene.case.check(len(run.probes) == COUNT, f"{len(run.probes)} probes printed")
    scene.case.check(served.most_waiting == 1, f"{served.most_waiting} at once")


def moody(scene: Scene) -> None:
    """A server that answers, resets and closes."""
    moods = (("ok", services.replies(REPLIES["tcp"])), ("reset", services.resets), ("no-reply", services.closes),
             ("reset", services.leaves_unread))
    connections = Connections(*moods)
    scene.serve(services.tcp(scene.b, scene.plan.server, connections))
    run = measure(scene, COUNT, *BRISK)
    were = connections.by_port()
    scene.case.check(run.by_port() == were, f"by port: said {run.by_port()}, were {were}")
    scene.case.check(run.status == 1, f"exit status {run.status}")
