"""The fates of a run over UDP: which probe each datagram belongs to, and what it means for it."""

from oracle.fate import EDGE_MS, Fate, family_of, under_way, verdict_of_error
from oracle.ledger import Entry


def fates(entries: list[Entry], timeout_ms: float, over: int, expected_reply: bytes | None = None) -> list[Fate]:
    """One for each request in the order of sending.

    `over` is when the client ended: what came after that it cannot have seen, and
    what still had time then is unfinished.
    """
    answers: dict[int, list[Entry]] = {}
    for entry in entries:
        if entry.answers is not None:
            answers.setdefault(entry.answers, []).append(entry)
    requests = [entry for entry in entries if entry.what == "request"]
    return [_fate(number, request, answers.get(request.number, []), timeout_ms, over, expected_reply)
            for number, request in enumerate(requests, 1)]


def _fate(number: int, request: Entry, answers: list[Entry], timeout_ms: float, over: int,
          expected_reply: bytes | None) -> Fate:
    fate = Fate(number, request.at, request.source, request.target)
    for answer in sorted(answers, key=lambda entry: entry.at):
        if answer.at < over:
            _take(fate, answer, timeout_ms, expected_reply)
    if not fate.verdicts:
        fate.verdicts = {"wrong-source" if fate.sender else "no-reply"}
        fate.unfinished = under_way(request.at, timeout_ms, over)
    return fate


def _take(fate: Fate, answer: Entry, timeout_ms: float, expected_reply: bytes | None) -> None:
    after = fate.ms_after(answer)
    in_time = after <= timeout_ms
    open_ = not fate.verdicts and fate.late_at is None
    if answer.what == "foreign":
        fate.foreign += 1
        if open_ and in_time and not fate.sender:
            fate.sender = answer.source
    elif answer.what == "icmp" and answer.icmp:
        if open_ and in_time:
            fate.verdicts = {verdict_of_error(family_of(fate.target), answer.icmp)}
            fate.icmp, fate.router = answer.icmp, answer.source.host
    elif not open_:
        fate.duplicate += 1
    else:
        right = expected_reply in (None, answer.payload)
        came = {"ok" if right else "wrong-reply"}
        silence = {"wrong-source" if fate.sender else "no-reply"}
        near = abs(after - timeout_ms) < EDGE_MS
        fate.verdicts = came | silence if near else came if in_time else silence
        if in_time or near:
            fate.reply_ms, fate.bytes, fate.complete = after, answer.length, True
        if not in_time or near:
            fate.late_at = answer.at


def reused_too_early(entries: list[Entry]) -> list[str]:
    """From which ports a request was sent although an answer to the one before still came after it."""
    last: dict[tuple[str, int], Entry] = {}
    wrong = []
    by_number = {entry.number: entry for entry in entries}
    for entry in sorted(entries, key=lambda each: each.at):
        if entry.what == "request":
            last[entry.source] = entry
        elif entry.answers is not None and (asked := by_number[entry.answers]).what == "request":
            latest = last.get(asked.source)
            if latest and latest is not asked:
                wrong.append(f"port {asked.source.port}: probe {(latest.exchange or 0) + 1} was sent before an answer "
                             f"to probe {(asked.exchange or 0) + 1} had come ({entry.what})")
    return wrong
