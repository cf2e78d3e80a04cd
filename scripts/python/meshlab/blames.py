"""Whose fault it is (mesh.blame): rounds by hand with a known fault, and the promise of the simulation in small."""

import random
from typing import Any, Iterable

from lab import harness
from lab.case import Case
from lab.trial import Trial
from mesh import results
from mesh.blame import votes
from mesh.blame.explain import explain, together
from mesh.blame.finding import Finding
from mesh.cells import Cell, Way
from mesh.figures import formula, simulate
from mesh.figures.simulated import KINDS, SENT, Network
from mesh.fleet import Host, parse
from mesh.plan import MESH_PLAN
from mesh.results import Round
from meshlab.fates import Fate, answering, blocked, by_ends, crosses, failing, fleet, rack, table, touching, uplink_out

SEED = "meshlab"  # the same tries each time: how many come out right is no matter of luck here


def trials() -> Iterable[Trial]:
    yield Trial("blame-plan", same_plan)
    yield Trial("blame-nothing", nothing)
    yield Trial("blame-desk", desk)
    yield Trial("blame-kinds", kinds)
    yield Trial("blame-rules", rules)
    yield Trial("blame-answers", answers)
    yield Trial("blame-direction", direction)
    yield Trial("blame-one-of", one_of)
    yield Trial("blame-dead-rack", dead_rack)
    yield Trial("blame-our-side", our_side)
    yield Trial("blame-open", to_be_denied)
    yield Trial("blame-paths", paths)
    yield Trial("blame-promise", promise)
    yield Trial("blame-promise-large", promise_large)
    yield Trial("blame-two", two)
    yield Trial("blame-false-alarms", false_alarms)


def said(case: Case, round: Round, expected: list[tuple[str, str]], *words: str) -> list[Finding]:
    """Checks that these kinds of these things are found and nothing else, and that the sentences have these words."""
    found = explain(round)
    accused = [(each.kind, each.of) for each in found if each.kind != "background"]
    sentences = "\n".join(each.words for each in found)
    case.check(sorted(accused) == sorted(expected), f"expected {expected}, found {accused}: {sentences}")
    for word in words:
        case.check(word in sentences, f"{word!r} is not said: {sentences}")
    return found


def same_plan(case: Case) -> None:
    """The simulation's plan is mesh-plan's, for several fleets and minutes"""
    for text, minute, options in (
        ("".join(f"h{n}\n" for n in range(5)), 0, []),
        ("".join(f"r{r}-h{h}=10.{r}.0.{h} r{r}\n" for r in range(1, 5) for h in range(1, 5)), 7, []),
        ("".join(f"r{r}-h{h} r{r} dc{r % 2}\n" for r in range(9) for h in range(3 + r % 4)), 11,
         ["-k", "5", "-a", "9"]),
        ("".join(f"h{n}=fd00::{n}\n" for n in range(60)), 123, ["-k", "3"]),
        ("".join(f"h{n} r1\n" for n in range(12)), 5, ["-a", "4", "-k", "2"]),
    ):
        file = case.scratch / "fleet"
        file.write_text(text)
        ended = harness.run(["sh", str(MESH_PLAN), *options, str(file), "--all", str(minute)], case.scratch)
        printed = list(results.planned(ended.output.decode(), "plan", []))
        given = dict(zip(options[::2], map(int, options[1::2])))
        slots, most = given.get("-k", formula.SLOTS), given.get("-a", formula.ALL_PAIRS)
        own = list(formula.plan(parse(text), minute, slots, most))
        case.check(printed and printed == own, f"{len(printed)} lines, and {len(own)} by formula: {text[:30]!r}")


def nothing(case: Case) -> None:
    """A round without a fault has no finding, and what is lost here and there is no pattern"""
    case.check(explain(table(fleet(3, 2))) == [], "something is found where nothing is wrong")
    lossy = {("r1-h01", "r2-h02", "udp/6666"), ("r3-h01", "r1-h02", "tcp/6666"), ("r4-h01", "r2-h01", "udp/6666")}
    found = explain(table(fleet(4, 4), lambda line: Fate(1) if line[:2] + line[3:4] in lossy else None))
    case.check([each.kind for each in found] == ["background"], f"found: {found}")
    case.check(found[0].words == "3 probes of 30720 were lost here and there: no pattern", found[0].words)
    case.check(explain(Round("0", fleet(2, 2), [], {}, {})) == [], "a round without cells")


def desk(case: Case) -> None:
    """A dead host, a lossy uplink and a blocked pair at once, on 6 hosts and on 16"""
    for racks, size, pairs in ((3, 2, "6 of 6 pairs"), (4, 4, "44 of 44 pairs")):
        said(case, table(fleet(racks, size), blocked("r1-h01", "r2-h02"), touching("r2-h01", Fate(SENT)),
                         uplink_out("r3", 6), silent=["r2-h01"]),
             [("dead", "r2-h01"), ("policy", "r1-h01 r2-h02"), ("uplink-out", "r3")],
             f"r2-h01 is dead or cut off: all {4 * (racks * size - 1)} cells to and from it fail, and ssh does not",
             "r1-h01 to r2-h02 is blocked, TCP and UDP: ", "; the other way gets through: a policy or firewall",
             "the uplink of rack r3 loses 9.4 % of what goes out of the rack", pairs, "rack r3's own pairs are well")


def kinds(case: Case) -> None:
    """A host, either way of it, a rack, either way of its uplink, two ways between hosts or racks, all of the fabric"""
    hosts = fleet(4, 4)
    said(case, table(hosts, touching("r2-h03", Fate(3, 3))), [("host", "r2-h03")],
         "what it sends, and of what comes to it")
    said(case, table(hosts, by_ends(3, "r2-h03")), [("host-out", "r2-h03")],
         "loses 4.7 % of what it sends (15 of 15 pairs; what comes to it: 0 of ")
    said(case, table(hosts, by_ends(3, None, "r2-h03")), [("host-in", "r2-h03")],
         "loses 4.7 % of what comes to it (15 of 15 pairs; what it sends: 0 of ")
    said(case, table(hosts, lambda line: Fate(3, 3) if "r2" in (rack(line.source), rack(line.target)) else None),
         [("rack", "r2")], "the top-of-rack of r2 loses 4.8 % of what passes, within the rack too (54 of 54 pairs)")
    said(case, table(hosts, uplink_out("r2", 3)), [("uplink-out", "r2")], "48 of 48 pairs; what comes in: 0 of ")
    said(case, table(hosts, lambda line: Fate(3, 3) if crosses(line) else None), [("fabric", "fabric")],
         "the fabric between the racks loses 4.8 % each way, over all paths (96 of 96 pairs; the racks themselves are "
         "well)")
    # TCP loses more than UDP's figures would have it: a second try is lost, too. That is no second fault.
    over = {"udp/6666": Fate(20, 14), "tcp/6666": Fate(38)}
    said(case, table(hosts, lambda line: over[line.service] if crosses(line) else None), [("fabric", "fabric")])
    said(case, table(hosts, lambda line: Fate(3, 3)), [("everywhere", "everywhere")], "no place stands out")
    said(case, table(hosts, by_ends(9, "r1-h01", "r3-h02")), [("path", "r1-h01 r3-h02")],
         "from r1-h01 to r3-h02 the network loses 14.1 %")
    said(case, table(hosts, by_ends(3, "r1", "r3", rack)), [("rack-path", "r1 r3")],
         "from rack r1 to rack r3 the network loses 4.7 %")


def rules(case: Case) -> None:
    """A pair, one service of it, a host's program, all that a host accepts or asks, rack to rack"""
    hosts = fleet(4, 4)
    silence = Fate(SENT)
    said(case, table(hosts, blocked("r1-h01", "r3-h02")), [("policy", "r1-h01 r3-h02")],
         "r1-h01 to r3-h02 is blocked, TCP and UDP: ", "since all else between these racks passes")
    said(case, table(hosts, blocked("r1-h01", "r3-h02", "tcp/6666")), [("policy", "r1-h01 r3-h02 tcp/6666")],
         "r1-h01 to r3-h02 is blocked, tcp/6666: timeout; UDP gets through there and the other way gets through")
    said(case, table(hosts, lambda line: silence if line.target == "r1-h02" and line.service == "udp/6666" else None),
         [("service", "r1-h02 udp/6666")], "udp/6666 on r1-h02 cannot be reached: all 15 cells to it fail (no-reply)",
         "TCP gets through there")
    said(case, table(hosts, lambda line: silence if line.target == "r1-h02" else None), [("service", "r1-h02")],
         "TCP and UDP on r1-h02 cannot be reached: all 30 cells")
    said(case, table(hosts, lambda line: silence if line.source == "r1-h02" else None), [("policy", "r1-h02")],
         "what r1-h02 asks of others is blocked, TCP and UDP")
    said(case, table(hosts, lambda line: silence if (rack(line.source), rack(line.target)) == ("r2", "r4") else None),
         [("policy", "r2 r4")], "rack r2 to rack r4 is blocked, TCP and UDP")
    said(case, table(hosts, lambda line: silence if line.service == "udp/6666" else None), [("policy", "udp/6666")],
         "everybody to everybody is blocked, udp/6666: no-reply")


def answers(case: Case) -> None:
    """Who said that it goes no further is named; refused is not silent; limited ICMP errors are one thing"""
    hosts = fleet(4, 4)
    way = Way(20000, "stopped", ("10.0.1.1", "10.0.3.1"))
    said(case, table(hosts, blocked("r1-h01", "r3-h02", fate=Fate(SENT, 0, "unreachable", ("10.0.3.1",), (way,))),
                     routers={"10.0.3.1": "tor-r3"}), [("policy", "r1-h01 r3-h02")],
         "r1-h01 to r3-h02 is blocked, TCP and UDP: unreachable, said by tor-r3 (10.0.3.1); the other way gets through")
    silent = Way(20000, "silent", ("10.0.1.1", None, None, None))
    said(case, table(hosts, blocked("r1-h01", "r3-h02", fate=Fate(SENT, ways=(silent,)))),
         [("policy", "r1-h01 r3-h02")],
         "traces were last heard of at 10.0.1.1")
    # A router's answer may be lost: where one trace ends, another of the same pair may go on.
    further = Way(20001, "silent", ("10.0.1.1", None, "10.0.3.1", None))
    said(case, table(hosts, blocked("r1-h01", "r3-h02", "tcp/6666", fate=Fate(SENT, ways=(silent,))),
                     blocked("r1-h01", "r3-h02", "udp/6666", fate=Fate(SENT, ways=(further,)))),
         [("policy", "r1-h01 r3-h02")], "traces were last heard of at 10.0.3.1")
    refused = Fate(SENT, 0, "refused")
    said(case, table(hosts, lambda line: refused if line.target == "r1-h02" and line.service == "tcp/6666" else None),
         [("service", "r1-h02 tcp/6666")], "nothing listens there, or a firewall rejects it")
    mixed = table(hosts, blocked("r1-h01", "r3-h02"))
    verdicts = {"unreachable": 6, "no-reply": SENT - 6}
    cells = [cell._replace(figures=cell.figures._replace(verdicts=verdicts, lost=SENT - 6, routers=("10.0.3.1",)))
             if cell.figures and cell.figures.failed else cell for cell in mixed.cells]
    said(case, mixed._replace(cells=cells), [("policy", "r1-h01 r3-h02")], "no-reply and unreachable, said by 10.0.3.1")


def direction(case: Case) -> None:
    """Where no witness says which way was lost, or everything was, that is said, and no way is guessed"""
    hosts = fleet(4, 4)
    known = table(hosts, uplink_out("r3", 6))
    cells = [cell._replace(figures=cell.figures._replace(lost_there=None, lost_back=None)) if cell.figures else cell
             for cell in known.cells]
    said(case, known._replace(cells=cells), [("uplink", "r3")], "which way is not known")
    said(case, table(hosts, uplink_out("r3", SENT)), [("uplink", "r3")], "lets nothing through: which way is not known")
    said(case, table(hosts, touching("r2-h01", Fate(SENT))), [("dead", "r2-h01")], "though ssh reaches it")


def one_of(case: Case) -> None:
    """What cannot be told apart is not told apart: a rack with one host, a fleet of two"""
    hosts = [*fleet(3, 3), Host("r9-h01", "10.9.0.1", "r9")]
    found = explain(table(hosts, touching("r9-h01", Fate(3, 3))))
    case.check([each.kind for each in found] == ["one of"], f"found: {found}")
    for word in ("r9-h01", "the top-of-rack of r9", "the uplink of r9"):
        case.check(found and word in found[0].of, f"{word} is not among {found}")
    # Without a rack, a host has no top-of-rack that one could accuse.
    alone = [*fleet(3, 3), Host("single", "10.9.0.1")]
    said(case, table(alone, touching("single", Fate(3, 3))), [("host", "single")])
    pair = explain(table([Host("a", "10.0.0.1"), Host("b", "10.0.0.2")], lambda line: Fate(3, 3)))
    case.check([each.kind for each in pair] == ["one of"] and "a" in pair[0].of and "b" in pair[0].of, f"found: {pair}")


def dead_rack(case: Case) -> None:
    """A rack that nobody reaches is one finding; a host may be its rack; who answers others is not dead"""
    hosts = fleet(4, 4)
    members = [host.name for host in hosts if host.rack == "r2"]
    said(case, table(hosts, silent=members), [("rack", "r2")], "rack r2 is dead or cut off", "ssh does not reach it")
    single = [*fleet(3, 3), Host("r9-h01", "10.9.0.1", "r9")]
    found = explain(table(single, silent=["r9-h01"]))
    case.check([each.kind for each in found] == ["one of"] and "top-of-rack" in found[0].of, f"found: {found}")
    # ssh does not reach it, and it answers the others.
    alive = table(hosts, silent=["r2-h01"])
    said(case, answering(alive, "r2-h01"), [("visit", "r2-h01")],
         "ssh does not reach r2-h01: its 30 cells are not known; it answers others")


def our_side(case: Case) -> None:
    """What this side could not do is told as its own trouble: skipped, local, unresolved, late, no result"""
    hosts = fleet(3, 2)
    clean = table(hosts)

    def but(source: str, **changes: Any) -> Round:
        cells = [cell._replace(figures=cell.figures._replace(**changes))
                 if cell.figures and cell.planned.source == source and cell.planned.service == "udp/6666" else cell
                 for cell in clean.cells]
        return clean._replace(cells=cells)

    said(case, but("r1-h01", skipped=9, sent=SENT - 9, verdicts={"ok": SENT - 9}), [("local", "r1-h01")],
         "r1-h01 was too busy to send 45 probes, which count nowhere: its own trouble, not the network's")
    busy = clean._replace(cells=[cell._replace(figures=cell.figures._replace(skipped=1)) if cell.figures else cell
                                 for cell in clean.cells])
    found = explain(busy)
    case.check([each.kind for each in found] == ["local"] and found[0].cells == 60, f"found: {found}")
    said(case, but("r1-h01", verdicts={"local": SENT}, failed=0), [("local", "r1-h01")], "could not send 320 probes")
    said(case, but("r1-h01", verdicts={"unresolved": 1}, failed=1, sent=0), [("local", "r1-h01")],
         "could not resolve the name")
    late = explain(but("r1-h01", verdicts={"ok": SENT - 4, "no-reply": 4}, failed=4, lost=0))
    case.check([each.kind for each in late] == ["late"] and "20 replies came too late" in late[0].words, f"{late}")
    lost = table(hosts, silent=["r1-h01"], unvisited="failed")
    said(case, answering(lost, "r1-h01"), [("visit", "r1-h01")], "was reached, and it did not work there")
    failed = clean.visits | {"r1-h01": clean.visits["r1-h01"]._replace(state="failed", reason="a port is taken")}
    said(case, clean._replace(visits=failed), [("visit", "r1-h01")],
         "r1-h01 was reached, and it did not work there (a port is taken), but there are figures of all its cells")
    cells = [cell._replace(figures=None, missing="no result") if cell.planned.source == "r2-h01" else cell
             for cell in clean.cells]
    said(case, clean._replace(cells=cells), [("visit", "r2-h01")], "has not measured all that it was to (no result)")


def to_be_denied(case: Case) -> None:
    """What the policy denies and gets through is told, be it one probe; what is denied is no loss"""
    hosts = fleet(3, 2)
    clean = table(hosts)
    deny = ("timeout", "no-reply")

    def denied(verdicts: dict[str, int]) -> Round:
        passed = verdicts.get("ok", 0)
        cells = list(clean.cells)
        for number, cell in enumerate(cells):
            plan, figures = cell.planned, cell.figures
            if figures and (plan.source, plan.target, plan.service) == ("r1-h01", "r3-h02", "tcp/6666"):
                figures = figures._replace(verdicts=verdicts, failed=passed, lost=SENT - passed)
                cells[number] = Cell(plan._replace(expect=deny), figures)
        return clean._replace(cells=cells)

    case.check(explain(denied({"timeout": SENT})) == [], "something is found where all is as the policy says")
    said(case, denied({"ok": SENT}), [("open", "r1-h01 to r3-h02")],
         "tcp/6666 is to be denied and gets through (64 of 64 probes): r1-h01 to r3-h02; expected: no-reply or timeout")
    said(case, denied({"ok": 1, "timeout": SENT - 1}), [("open", "r1-h01 to r3-h02")], "(1 of 64 probes)")


def paths(case: Case) -> None:
    """A spine is named where traces agree on it, alone or not; without traces the share of the flows is told"""
    network = Network(4, 4, 4)
    for seed in range(3):
        dice = random.Random(seed)
        trouble = network.random_trouble("spine", 1.0, dice)
        round = together(network.rounds(0, 1, [trouble], dice))
        said(case, round, [("fabric", trouble.of)], "of the flows are hit, and lose 100 % of their probes", trouble.of)
        # A flow has one of four spines on the way there, and one on the way back: 1 - (3/4)^2 of them meet the bad one.
        part = votes.part([cell for cell in round.cells if crosses(cell.planned)])
        case.check(part and abs(part.flows - 7 / 16) < 0.03 and part.loses > 0.99, f"the flows that fail: {part}")
        untraced = round._replace(cells=[cell._replace(ways=()) for cell in round.cells])
        said(case, untraced, [("fabric", "fabric")], "no trace says where", "100 % of their probes")
    # As chance has it once in 50 times: too little where nothing else speaks for a router.
    by_chance = {"spine-1": 14, "spine-2": 4}
    case.check(votes.winner(by_chance, votes.AGREED) and not votes.winner(by_chance, votes.SURE), "chance convicts")
    case.check(votes.winner({"spine-1": 18, "spine-2": 1}, votes.SURE), "18 of 19 traces say nothing")
    # Where there and back go by the same spine, no flow that fails goes by another one.
    only = [cell._replace(ways=tuple(way._replace(routers=(way.routers[0], "spine-x")) for way in cell.ways))
            for cell in round.cells]
    traces = sum(len(cell.ways) for cell in only)
    said(case, round._replace(cells=only), [("fabric", "spine-x")], f"spine-x is on all {traces} traces")
    # What a rule lets nothing through of is traced, too, by whichever spine, and has no say about one that loses.
    number = next(at for at, cell in enumerate(only) if cell.ways and crosses(cell.planned))
    line = only[number].planned
    by_another = Fate(SENT, ways=(only[number].ways[0]._replace(routers=("tor", "spine-y")),))
    mixed = [failing(cell.planned, by_another) if cell.planned[:2] == line[:2] else cell for cell in only]
    left = sum(len(cell.ways) for cell in mixed if cell.figures and cell.figures.verdicts.get("ok"))
    case.check(left < traces, "nothing is mixed")
    said(case, round._replace(cells=mixed), [("fabric", "spine-x"), ("policy", f"{line.source} {line.target}")],
         f"spine-x is on all {left} traces")


def promise(case: Case) -> None:
    """Of 16 hosts: a single fault of 1 % and more is named, with its place and its way"""
    network = Network(4, 4, 2)
    for kind in KINDS:
        for share in (0.01, 0.1, 1.0):
            judged = simulate.tried(network, [kind], share, 1, 8, SEED)
            # At 100 % nobody knows which way of an uplink. A spine's name at 1 % rests on some 90 traces.
            may_be_vague = (kind.startswith("uplink") and share == 1) or (kind, share) == ("spine", 0.01)
            vague = judged.vague if may_be_vague else 0
            case.tally(judged.tried, judged.tried - judged.right - vague, f"{kind} loses {100 * share:g} %: {judged}")


def promise_large(case: Case) -> None:
    """Of 1,000 hosts, in a minute: the same, and it takes some seconds"""
    network = Network(25, 40, 8)
    for kind in ("host", "uplink-in", "spine"):
        judged = simulate.tried(network, [kind], 0.01, 1, 1, SEED)
        case.tally(judged.tried, judged.tried - judged.right, f"{kind} that loses 1 %: {judged}")


def two(case: Case) -> None:
    """Two faults at once are both found, most of the time: two hosts of a rack, a host and a spine, two racks"""
    network = Network(4, 4, 2)
    for pair in (("host", "host"), ("host", "spine"), ("rack", "rack"), ("uplink-out", "host")):
        for share in (0.01, 0.1):
            judged = simulate.tried(network, pair, share, 1, 4, SEED)
            case.check(judged.right + judged.vague >= 3, f"{pair}: {judged}")


def false_alarms(case: Case) -> None:
    """Rounds without a fault accuse nobody, in a small fleet and in a large one"""
    alarms = simulate.false_alarms(Network(4, 4, 2), 1, 100, SEED)
    alarms += simulate.false_alarms(Network(25, 40, 8), 1, 2, SEED)
    case.check(not alarms, f"{alarms} of 102 rounds without a fault accuse somebody")
    case.check(abs(simulate.at_most(0, 300) - 0.00994) < 1e-4, "the bound for none of 300 is 1 - 0.05^(1/300)")
