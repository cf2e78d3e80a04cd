"""Results as hosts leave them: of real clients, in part, broken, or of older programs."""

import json
import random
from pathlib import Path
from typing import Any, Callable, Iterator

from lab.case import Case
from lab.trial import Trial
from mesh import results
from mesh.cells import Planned, Visit
from mesh.results import Round
from mesh.tables import matrix
from meshlab import rounds
from meshlab.rounds import Fate

MINUTE = "2026-11-27T0831Z"
FLEET = "a=10.0.0.1 r1\nb=10.0.0.2 r1\nc=10.0.0.3 r2\n"
PLAN = "a b 10.0.0.2:6666 udp/6666 ok 20000\na b 10.0.0.2:6666 tcp/6666 ok 20000\na c 10.0.0.3:7 tcp/7 ok 20016\n"


def trials() -> Iterator[Trial]:
    yield Trial("matrix-read-real", real)
    yield Trial("matrix-read-missing", missing)
    yield Trial("matrix-read-broken", broken)
    yield Trial("matrix-read-old", old)
    yield Trial("matrix-read-twice", twice)
    yield Trial("matrix-read-nothing", nothing)


def written(case: Case, lines: str | bytes, plan: str = PLAN, host: str = "a", visits: list[Visit] | None = None,
            directory: str = "out") -> Round:
    """The round of a directory in which this host has written these lines."""
    path = case.scratch / directory
    results.written(path / "fleet", FLEET)
    results.write_plan(path, MINUTE, plan)
    if visits is not None:
        results.write_visits(path, MINUTE, visits)
    file = path / "results" / MINUTE / f"{host}.ndjson"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(lines if isinstance(lines, bytes) else lines.encode())
    return results.read(path, MINUTE)


def summary(endpoint: str = "10.0.0.2:6666", kind: str = "udp", port: int = 20000, **fields: Any) -> str:
    """A line of a run in which all went well, with some other fields."""
    line = Planned("a", "b", endpoint, f"{kind}/6666", ("ok",), port)
    made = json.loads(next(rounds.objects(line, Fate(), 4, rounds.FIRST, random.Random(1))))
    return json.dumps({name: value for name, value in (made | fields).items() if value is not ...}) + "\n"


def real(case: Case) -> None:
    """What the clients print today is read as it is meant, over UDP, TCP and with --connect"""
    with (case.server("udp-server", "--witness", listen="0.0.0.0:0") as udp,
          case.server("tcp-server", "--witness", listen="0.0.0.0:0") as tcp):
        targets = {"udp/6666": udp.address[1], "tcp/6666": tcp.address[1], "connect/22": tcp.address[1], "tcp/7": 1}
        plan, lines = "", b""
        for number, (service, port) in enumerate(targets.items()):
            target = f"127.0.0.{number + 1}:{port}"
            client = "udp-client" if service.startswith("udp/") else "tcp-client"
            words = ["--connect"] if service.startswith("connect/") else []
            begin = 20000 + 16 * number
            plan += f"a b {target} {service} ok {begin}\n"
            ended = case.client(client, "-J", "-q", "--trace", "--flows", "16", "--source-port", str(begin), "-c", "2",
                                "-i", "50ms", "-W", "1s", *words, "--", target)
            lines += b"".join(line + b"\n" for line in ended.output.splitlines() if b'"event":"probe"' not in line)
    found = written(case, lines, plan)
    case.check(not found.flaws, f"flaws: {[str(flaw) for flaw in found.flaws]}")
    for cell, verdict in zip(found.cells, ("ok", "ok", "ok", "refused")):
        figures, service = cell.figures, cell.planned.service
        if not figures:
            case.check(False, f"{service}: {cell.missing}")
            continue
        case.check(cell.verdict == verdict and figures.sent == 32, f"{service}: {cell.verdict}, {figures.sent} sent")
        case.check((figures.p50 is not None) == (verdict == "ok"), f"{service}: p50 {figures.p50}")
        case.check(figures.p99 is None, f"{service}: p99 {figures.p99} of 32 probes")
        ports = [flow.port for flow in figures.flows]
        case.check(ports == list(range(cell.planned.port, cell.planned.port + 16)), f"{service}: ports {ports}")
        case.check([way.end for way in cell.ways] == (["reached"] if verdict == "refused" else []),
                   f"{service}: ways {cell.ways}")
    # What is made up in other cases has all fields, in the same order.
    first = json.loads(lines.splitlines()[0])
    case.check(list(json.loads(summary())) == list(first), "a summary that is made up has other fields")


def missing(case: Case) -> None:
    """A cell without a summary says why: the host, the client, or nobody knows"""
    failure = json.dumps({"schema": 1, "event": "failure", "thing": "10.0.0.3:7", "reason": "no \x1b[2Jdescriptors",
                          "exit_status": 2}) + "\n"
    unreachable = Visit("a", "unreachable", "ssh", "no route")
    for lines, visits, expected in (
        ("", None, ["no result"] * 3),
        ("", [unreachable], ["unreachable by ssh"] * 3),
        ("", [unreachable._replace(by="clush")], ["unreachable by clush"] * 3),
        ("", [Visit("a", "failed", "ssh", "no space left")], ["no space left"] * 3),
        ("", [Visit("a", "failed", "ssh")], ["failed there"] * 3),
        ("", [Visit("a", "ok", "ssh")], ["no result"] * 3),
        (summary() + failure, [Visit("a", "ok", "ssh")], [None, *["no result (10.0.0.3:7: no  [2Jdescriptors)"] * 2]),
        # The way to it may have been lost when it had already measured.
        (summary(), [unreachable], [None, *["unreachable by ssh"] * 2]),
        (summary(sent=0, ok=0, verdicts={"ok": 0, "local": 1}, flows=[]), None, ["local", "no result", "no result"]),
        (summary(sent=9, ok=0, verdicts={"ok": 0}, unfinished=9), None, ["cut short", "no result", "no result"]),
    ):
        found = written(case, lines, visits=visits, directory=str(case.tried))
        said = [cell.missing for cell in found.cells]
        case.check(said == expected and not found.flaws, f"{said}, not {expected}; {found.flaws}")
        case.check(all(cell.failed == (cell.missing is not None) for cell in found.cells), f"{said}: what is wrong")


def broken(case: Case) -> None:
    """What cannot be used is named, with its file and line, and the rest counts"""
    deep = "[" * 100_000
    for line, reason in (
        ("{", "this is no JSON object"), ("[1]", "this is no JSON object"), (deep, "this is no JSON object"),
        ("{}", "the object has no event"), (summary(sent="9"), "sent is no count"),
        (summary(sent=-1), "sent is no count"), (summary(sent=True), "sent is no count"),
        (summary(sent=None), "there is no sent"), (summary(failed=...), "there is no failed"),
        (summary(verdicts=...), "there are no verdicts"), (summary(verdicts={"\x1b[2J": 1}), "there are no verdicts"),
        (summary(reply_ms={"p50": float("nan")}), "NaN is no number"), (summary(reply_ms=7), "reply_ms is no object"),
        (summary(flows=[7]), "flows is no list of objects"),
        (summary(protocol="sctp"), "protocol is neither tcp nor udp"),
        (summary(target=...), "there is no target"), ('{"event":"trace","target":"x"}', "the trace has no hops"),
        (summary(kind="tcp", endpoint="10.9.9.9:1"), "10.9.9.9:1 over tcp is not in the host's plan"),
        (summary(), "a second summary of 10.0.0.2:6666: line 1 counts"),
    ):
        found = written(case, summary() + line.rstrip("\n") + "\n" + summary(kind="tcp"), directory=str(case.tried))
        said = [str(flaw) for flaw in found.flaws]
        case.check(said == [f"results/{MINUTE}/a.ndjson: line 2: {reason}"], f"{line[:60]!r}: {said}")
        case.check([cell.verdict for cell in found.cells] == ["ok", "ok", "no result"], f"{line[:60]!r}: another cell")
    others(case)


def others(case: Case) -> None:
    """What is not in the line of a summary."""
    whole = summary().encode()
    for lines, reason in ((whole + whole[:90],
                           "line 2: the file ends in the middle of this line: this is no JSON object"),
                          (whole + b'{"event":"\xff"}\n', "line 2: this is no JSON object"),
                          (whole + b"\n" + b'{"event":"of-a-newer-program","x":{}}\n', None),
                          (whole.replace(b'"sent"', b'"new":[{}],"sent"'), None)):
        found = written(case, lines, directory=str(case.tried))
        said = [str(flaw) for flaw in found.flaws]
        case.check(said == ([f"results/{MINUTE}/a.ndjson: {reason}"] if reason else []), f"{lines[-60:]!r}: {said}")
    found = written(case, summary(), host="stranger")
    case.check([str(flaw) for flaw in found.flaws]
               == [f"results/{MINUTE}/stranger.ndjson: no host of the fleet has this name"], f"{found.flaws}")
    (case.scratch / "out" / "results" / MINUTE / "b.ndjson").mkdir()
    (case.scratch / "out" / "visits").mkdir()
    (case.scratch / "out" / "visits" / f"{MINUTE}.ndjson").write_text('{"host":"a","state":"odd","by":"ssh"}\n7\n')
    found = written(case, summary(), plan=PLAN + "a d d:1 tcp/1 ok 20032\nnonsense\n")
    said = [str(flaw) for flaw in found.flaws]
    for expected in (f"plans/{MINUTE}: d is not in the fleet", f"plans/{MINUTE}: line 5: this is no line of a plan",
                     f"visits/{MINUTE}.ndjson: line 1: this is no visit",
                     f"visits/{MINUTE}.ndjson: line 2: this is no JSON object",
                     f"results/{MINUTE}/b.ndjson: cannot be read: Is a directory"):
        case.check(expected in said, f"{expected!r} is not in {said}")
    case.check(len(found.cells) == 4 and len(matrix.lines(found, False, 80)) > 9, "the rest does not count")
    many = written(case, "{\n" * 50, directory="many")
    case.check(list(matrix.flaws(many))[-1] == "... and 40 flaws more", f"{list(matrix.flaws(many))}")


def old(case: Case) -> None:
    """A program that does not say its protocol is named, unless the plan has one service only there"""
    plan = PLAN.replace("a c 10.0.0.3:7 tcp/7", "a c 10.0.0.3:6666 udp/6666")
    found = written(case, summary(protocol=...) + summary(protocol=..., endpoint="10.0.0.3:6666"), plan)
    said = [cell.verdict for cell in found.cells]
    case.check(said == ["the program is too old", "the program is too old", "ok"], f"{said}")
    case.check([str(flaw) for flaw in found.flaws] == [
        f"results/{MINUTE}/a.ndjson: line 1: no protocol for 10.0.0.2:6666: the program is too old"], f"{found.flaws}")


def twice(case: Case) -> None:
    """A target that is planned twice: the source ports say which is which, also of a trace; IPv6 in any spelling"""
    plan = "".join(f"a b [0:0::0:1]:6666 udp/6666 ok {port}\n" for port in (20000, 20016, 20032))
    trace = {"event": "trace", "protocol": "udp", "number": 1, "target": "[::1]:6666", "local": "[::2]:20020",
             "trace": {"end": "stopped", "reason": "prohibited by a filter", "hops": [
                 {"hop": 1, "router": "::9", "ms": 1}, {"hop": 2, "router": None, "ms": None},
                 {"hop": 3, "router": "fe80::3", "ms": 1}]}}
    lines = "".join(summary("[::1]:6666", port=port, duplicate=port, lost=port) for port in (20032, 20000, 20016))
    found = written(case, lines + json.dumps(trace) + "\n", plan)
    said = [cell.figures.lost if cell.figures else None for cell in found.cells]
    case.check(said == [20000, 20016, 20032] and not found.flaws, f"{said}, {found.flaws}")
    ways = [[way.port for way in cell.ways] for cell in found.cells]
    case.check(ways == [[], [20020], []], f"ways of {ways}")
    figures, routers = found.cells[1].figures, [way.routers for way in found.cells[1].ways]
    case.check(figures and figures.routers == ("fe80::3",) and routers == [("::9", None, "fe80::3")], f"{routers}")


def nothing(case: Case) -> None:
    """Without a plan or a fleet there is no round, and that is said in a line"""
    path = case.scratch / "out"
    case.check(results.minutes(path) == [], "there are minutes of nothing")
    written(case, "")
    results.write_plan(path, "2026-11-27T0830Z", PLAN)
    (path / "plans" / "notes").write_text("x")
    case.check(results.minutes(path) == ["2026-11-27T0830Z", MINUTE], f"{results.minutes(path)}")
    case.check(len(results.read(path, "2026-11-27T0830Z").cells) == 3, "a minute without results has no cells")
    case.check(results.minute_name(results.minute_number(MINUTE)) == MINUTE, "the name of a minute is not its own")
    for spoil, reason in ((lambda: None, "plans/2026-11-27T0900Z: cannot be read: No such file or directory"),
                          (lambda: (path / "fleet").unlink(), "fleet: cannot be read: No such file or directory"),
                          (lambda: (path / "fleet").write_bytes(b"\xff"), "fleet: this is no text")):
        check_unreadable(case, path, spoil, reason)


def check_unreadable(case: Case, path: Path, spoil: Callable[[], Any], reason: str) -> None:
    spoil()
    try:
        results.read(path, "2026-11-27T0900Z")
        case.check(False, f"{reason}: it could be read")
    except results.Unreadable as error:
        case.check(str(error) == f"{path}/{reason}", f"{error}")
