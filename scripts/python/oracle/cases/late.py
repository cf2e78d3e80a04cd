"""Late replies at a thousand probes a second, and what a shift by one reply would look like."""

from functools import partial
from typing import Iterator

from oracle.acts import ERRORS, Icmp, Reply
from oracle.play import BUSY, MEASURES, Play
from oracle.scene import Going, Outcome, udp
from oracle.stage import Stage
from oracle.udp_peer import Act, always, listed

STALL = (0.7, 2.0)  # seconds from the first request
CONSTANT = 0.02
ODD = 10  # the probe that has another fate


def plays() -> Iterator[Play]:
    yield Play("udp4-all-late", "1,000 probes a second, each reply 1.5 s late, -W 1s: none is ok", all_late, BUSY)
    yield Play("udp4-stall", "the peer stalls for 1.3 s at 1,000 probes a second", stall, BUSY)
    constant = Reply(CONSTANT)
    odd: dict[str, tuple[Act, ...]] = {
        "twice-at-once": (constant, constant),
        "twice-later": (constant, Reply(CONSTANT + 0.018)),
        "lost": (),
        "error-then-reply": (Icmp(*ERRORS[4]["host"], 0.005), constant),
        "error-then-late": (Icmp(*ERRORS[4]["port"], 0.005), Reply(0.03)),
        "late": (Reply(0.24),),
    }
    for name, fate in odd.items():
        yield Play(f"udp4-shift-{name}", "one odd fate among constant 20 ms, with -i 0: no reply is taken for another",
                   partial(shift, fate), MEASURES)


def all_late(stage: Stage) -> Outcome:
    outcome = udp(stage, always(Reply(1.5)), Going(2000, "1ms", 1000))
    said = outcome.said.summary
    stage.case.check(said.get("ok") == 0, f"ok {said.get('ok')}, and no reply came in time")
    stage.case.check(said.get("late") == said.get("sent"), f"late {said.get('late')} of {said.get('sent')}")
    return outcome


def stall(stage: Stage) -> Outcome:
    begin, end = STALL
    script = lambda request: [Reply(end - request.elapsed if begin <= request.elapsed < end else 0.0)]  # noqa: E731
    outcome = udp(stage, script, Going(3000, "1ms", 1000))
    said = outcome.said.summary
    for name in ("lost", "duplicate", "foreign"):
        stage.case.check(said.get(name) == 0, f"{name} {said.get(name)}, not 0")
    return outcome


def shift(fate: tuple[Act, ...], stage: Stage) -> Outcome:
    constant = (Reply(CONSTANT),)
    fates: list[tuple[Act, ...]] = [constant] * ODD + [fate]
    outcome = udp(stage, listed(fates, constant), Going(40, "0", 200))
    quick = [(number, probe["reply_ms"]) for number, probe in outcome.said.probes.items()
             if probe["verdict"] == "ok" and probe["reply_ms"] < 1000 * CONSTANT]
    stage.case.check(not quick, f"probes {quick[:3]} are ok in less than 20 ms: a reply to another probe")
    return outcome
