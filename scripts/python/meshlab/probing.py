"""deploy/host/mesh-round: what it runs, how many at once, what it prints, and that nothing is left of it."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Iterator

from lab import harness
from lab.case import Case
from lab.harness import Ended
from lab.trial import Trial
from mesh.plan import HOST_SCRIPTS
from meshlab.scripted import SHELL_TOOLS, SHELLS, scripted

ROUND = HOST_SCRIPTS / "mesh-round"
MOST = 16  # slots at once
SLOTS = 40
# A client that says what it was asked, and for how long. The line is longer than what a pipe takes at once.
SAYS = """\
now() { read -r up _ </proc/uptime; echo "$up"; }
begun=$(now)
sleep 0.2
for event in probe summary trace failure progress; do
    printf '{"schema":1,"event":"%s","words":"%s","begun":%s,"ended":%s,"long":"%09000d"}\\n' \
        "$event" "${0##*/} $*" "$begun" "$(now)" 0
done
"""
# A trace from a port that has lost a probe would keep the server from saying in which direction, over UDP.
HOW = {"tcp": "-q --trace", "connect": "-q --trace --connect", "udp": "-qq"}
# A run of which two ports have lost probes, and then a trace, which has a probe and a summary of its own.
LOSES = r"""
case "$*" in
    *--trace*) events='probe trace summary' status=0 ;;
    *) events=summary status=1 ;;
esac
for event in $events; do
    printf '{"schema":1,"event":"%s","words":"%s","flows":[%s],"end":0}\n' "$event" "${0##*/} $*" \
        '{"port":20000,"sent":7,"failed":0},{"port":20002,"sent":7,"failed":10},{"port":20003,"sent":7,"failed":0}'
done
exit $status
"""
WAITS = 'echo $$ >>"$PIDS"; exec sleep 600'


def trials() -> Iterator[Trial]:
    for shell in SHELLS:
        yield Trial(f"round-prints-{shell}", lambda case, shell=shell: prints(case, shell), SHELL_TOOLS)
        yield Trial(f"round-traces-{shell}", lambda case, shell=shell: traces(case, shell), SHELL_TOOLS)
        yield Trial(f"round-fails-{shell}", lambda case, shell=shell: fails(case, shell), SHELL_TOOLS)
        yield Trial(f"round-interrupted-{shell}", lambda case, shell=shell: interrupted(case, shell), SHELL_TOOLS)


def start(case: Case, shell: str, plan: str, *options: str | Path, **variables: str) -> subprocess.Popen[bytes]:
    """Starts it in a directory of its own for what it keeps."""
    (case.scratch / "tmp").mkdir(exist_ok=True)
    file = case.scratch / "plan"
    file.write_text(plan)
    words = [f"{name}={value}" for name, value in {"TMPDIR": str(case.scratch / "tmp"), **variables}.items()]
    command = ["env", *words, *SHELLS[shell], ROUND, *options]
    with open(file, "rb") as lines, open(case.scratch / "out", "wb") as out, open(case.scratch / "err", "wb") as err:
        return harness.start(command, stdin=lines, stdout=out, stderr=err)


def end(case: Case, process: subprocess.Popen[bytes]) -> Ended:
    status = harness.reap(process)
    left = list((case.scratch / "tmp").iterdir())
    case.check(not left, f"left behind: {left}")
    return Ended(status, (case.scratch / "out").read_bytes(), (case.scratch / "err").read_bytes())


def prints(case: Case, shell: str) -> None:
    """Whole lines, the three events, services one after another, 16 slots at once"""
    clients = scripted(case, "clients", {"tcp-client": SAYS, "udp-client": SAYS})
    plan = [f"me h{slot} h{slot}:66 {service} ok,refused {20000 + 16 * slot}\n"
            for slot in range(SLOTS) for service in ("tcp/66", "udp/66", "connect/66")]
    ended = end(case, start(case, shell, "".join(plan), "-d", clients, "-c", "7", "-i", "5ms", "-W", "2s"))
    case.check(ended.status == 0 and not ended.errors, f"{ended.status}, {ended.errors[:200]!r}")
    said = [json.loads(line) for line in ended.output.splitlines()]
    case.check(len(said) == 3 * len(plan), f"{len(said)} lines of {len(plan)} clients")
    case.check({each["event"] for each in said} == {"summary", "trace", "failure"}, "other events")
    runs = [each for each in said if each["event"] == "summary"]
    for line, run in zip(plan, runs):
        _, _, target, service, expect, port = line.split()
        kind = service.partition("/")[0]
        client = "udp-client" if kind == "udp" else "tcp-client"
        wanted = f"{client} -J -i 5ms -W 2s --expect {expect} --max-loss 0 {HOW[kind]} -c 7 --flows 16 " \
                 f"--source-port {port} -- {target}"
        case.check(run["words"] == wanted, f"called: {run['words']}, and not {wanted}")
    for first, second in zip(runs, runs[1:]):
        same = first["words"].split()[-1] == second["words"].split()[-1]
        case.check(not same or first["ended"] <= second["begun"], f"at once: {first['words']}, {second['words']}")
    # /proc/uptime has hundredths of a second: who begins when another ends may seem to be beside it.
    most = max(sum(other["begun"] <= run["begun"] < other["ended"] - 0.01 for other in runs) for run in runs)
    case.check(MOST / 2 < most <= MOST, f"{most} clients at once")


def traces(case: Case, shell: str) -> None:
    """What has lost probes over UDP is traced afterwards, from a port that has, and that is no summary more"""
    clients = scripted(case, "clients", {"tcp-client": LOSES, "udp-client": LOSES})
    plan = "me a a:66 tcp/66 ok 20000\nme a a:66 udp/66 ok 20000\n"
    ended = end(case, start(case, shell, plan, "-d", clients))
    said = [json.loads(line) for line in ended.output.splitlines()]
    events = [(each["event"], each["words"].split()[0]) for each in said]
    wanted = [("trace", "tcp-client"), ("summary", "tcp-client"), ("summary", "udp-client"), ("trace", "udp-client")]
    case.check(ended.status == 0 and events == wanted, f"{ended.status}, {ended.errors!r}: {events}")
    words = "udp-client -J -i 100ms -W 1s --expect ok --max-loss 0 --trace=always -c 1 --source-port 20002 -- a:66"
    case.check(said[-1]["words"] == words, f"called: {said[-1]['words']}")


def fails(case: Case, shell: str) -> None:
    """Clients that cannot run are named with the reason; no plan, and no clients"""
    clients = scripted(case, "clients", {
        "tcp-client": 'echo "tcp-client: --expect $0: this is no verdict" >&2; exit 2', "udp-client": "kill -9 $$",
    })
    plan = "me a a:66 tcp/66 ok 20000\nme a a:66 udp/66 ok 20000\n"
    ended = end(case, start(case, shell, plan, "-d", clients))
    lines = ended.errors.decode().splitlines()
    case.check(ended.status == 1 and len(lines) == 2, f"{ended}")
    wanted = [f"mesh-round: tcp-client a:66: --expect {clients}/tcp-client: this is no verdict",
              "mesh-round: udp-client a:66: it ended with status 137"]
    case.check(lines == wanted, f"said: {lines}")
    cut = plan.splitlines()[0].rpartition(" ")[0]
    for words, text, reason in (
        (("-d", clients), f"{cut}\n", f"mesh-round: line 1: this is no line of a plan: {cut}\n"),
        (("-d", case.scratch), plan, f"mesh-round: tcp-client: not found in {case.scratch}\n"),
        (("-d", clients, "-c", "0"), plan, "mesh-round: -c 0: a number above 0 is needed\n"),
    ):
        ended = end(case, start(case, shell, text, *words))
        case.check(ended == Ended(2, b"", reason.encode()), f"{ended}, and not {reason}")
    ended = end(case, start(case, shell, plan, "-d", clients, TMPDIR="/proc/nothing"))
    case.check(ended.status == 2 and ended.errors.startswith(b"mesh-round: ") and b"/proc/nothing" in ended.errors,
               f"nowhere to write: {ended}")
    ended = end(case, start(case, shell, "", "-d", clients))
    case.check(ended == Ended(0, b"", b""), f"an empty plan: {ended}")


def interrupted(case: Case, shell: str) -> None:
    """A signal ends it with its clients"""
    clients = scripted(case, "clients", {"tcp-client": WAITS, "udp-client": WAITS})
    plan = "".join(f"me h{slot} h{slot}:66 tcp/66 ok {20000 + 16 * slot}\n" for slot in range(SLOTS))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        begun = case.scratch / f"pids-{number.name}"
        process = start(case, shell, plan, "-d", clients, PIDS=str(begun))
        harness.until(lambda: begun.exists() and len(begun.read_text().split()) == MOST)
        process.send_signal(number)
        ended = end(case, process)
        case.check((ended.status, ended.output) == (128 + number, b""), f"{number.name}: {ended}")
        pids = begun.read_text().split()
        alive = [pid for pid in pids if Path("/proc", pid, "exe").exists()]
        case.check(len(pids) == MOST and not alive, f"{number.name}: {len(pids)} clients, of which {alive} run on")
