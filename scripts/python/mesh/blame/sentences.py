"""The sentences for who is to blame, as one would say them to a colleague."""

from mesh.blame import votes
from mesh.blame.evidence import Evidence
from mesh.blame.finding import (
    WHOLE, Finding, Hearing, Touched, count, last_heard, listed, outcome, percent, services, some,
)
from mesh.blame.search import Guilty
from mesh.blame.suspects import RULES, Suspect

NOUNS = {
    "host": "{of}", "host-out": "{of}", "host-in": "{of}", "to": "what {of} accepts",
    "from": "a rule for what {of} asks",
    "rack": "the top-of-rack of {of}",
    "uplink": "the uplink of {of}", "uplink-out": "the uplink of {of}", "uplink-in": "the uplink of {of}",
    "datacentre": "the way in and out of {of}", "datacentre-out": "the way out of {of}",
    "datacentre-in": "the way into {of}",
    "fabric": "the fabric between the racks", "far": "what is between the datacentres",
    "everywhere": "all of the network",
    "path": "the way from {of} to {to}", "paths": "the way between {of} and {to}",
    "rack-path": "the way from rack {of} to rack {to}", "rack-paths": "the way between racks {of} and {to}",
    "pair": "a rule for {of} to {to}", "rack-to": "a rule for all that go to rack {of}",
    "rack-from": "a rule for all that come from rack {of}", "rack-pair": "a rule for rack {of} to rack {to}",
    "service": "a rule for all hosts",
}
OTHER_WAY = {"host-in": "what comes to it", "host-out": "what it sends", "uplink-in": "what comes in",
             "uplink-out": "what goes out"}
FAMILIES = {"host-out": "host", "host-in": "host", "uplink-out": "uplink", "uplink-in": "uplink", "path": "paths",
            "rack-path": "rack-paths", "datacentre-out": "datacentre", "datacentre-in": "datacentre"}


def finding(hearing: Hearing, guilty: Guilty) -> Finding:
    """What is to be said of a suspect that was found guilty, and of those who might be it instead."""
    suspect, share = guilty.suspect, guilty.fit.share
    touched = hearing.touched(suspect)
    loss = round(100 * share, 3)
    families = {family(each) for each in (suspect, *guilty.instead)}
    if len(families) > 1:
        names = list(dict.fromkeys(noun(each) for each in (suspect, *guilty.instead)))
        lost = "let nothing through" if share >= WHOLE else f"lost about {percent(share)}"
        words = (f"one of: {some(names)}: {lost} ({touched.pairs}, {outcome(touched.failing, hearing)}). "
                 "What was measured does not tell which")
        return Finding("one of", some(names), loss, len(touched.failing), words)
    kind = suspect.kind
    if guilty.instead:
        kind = FAMILIES.get(kind, kind)
    if kind in RULES:
        found, words = rule(hearing, suspect, share, touched)
        of = " ".join(word for word in (suspect.of, suspect.to, suspect.service) if word)
        return Finding(found, of, loss, len(touched.failing), words)
    if kind in ("fabric", "far", "everywhere"):
        return fabric(hearing, suspect, share, touched)
    if kind.startswith("host"):
        found, words = host(hearing, suspect._replace(kind=kind), share, touched, bool(guilty.instead))
        return Finding(found, suspect.of, loss, len(touched.failing), words)
    words = place(hearing, suspect._replace(kind=kind), share, touched, bool(guilty.instead))
    of = f"{suspect.of} {suspect.to}".strip()
    return Finding(kind, of, loss, len(touched.failing), words + agreed(hearing, touched))


def family(suspect: Suspect) -> tuple[str, str, str, str]:
    """What is one thing, whichever way it loses."""
    kind = FAMILIES.get(suspect.kind, suspect.kind)
    one, other = sorted((suspect.of, suspect.to)) if kind.endswith("paths") else (suspect.of, suspect.to)
    return kind, one, other, suspect.service


def noun(suspect: Suspect) -> str:
    words = NOUNS[suspect.kind].format(of=suspect.of, to=suspect.to)
    return f"{words} ({suspect.service})" if suspect.service else words


def host(hearing: Hearing, suspect: Suspect, share: float, touched: Touched, is_unsure: bool) -> tuple[str, str]:
    name = suspect.of
    if share >= WHOLE and (is_unsure or suspect.kind == "host"):
        visit = hearing.round.visits.get(name)
        reached = "" if visit is None else f", though {visit.by} reaches it" if visit.state == "ok" \
            else f", and {visit.by} does not reach it"
        failing, every = len(touched.failing), len(touched.cells)
        cells = f"all {every} cells" if failing == every else f"{failing} of {every} cells"
        return "dead", f"{name} is dead or cut off: {cells} to and from it fail{reached}"
    lost = "lets nothing through" if share >= WHOLE else f"loses {percent(share)}"
    if is_unsure:
        what = "of what it sends, or of what comes to it, or of both"
        return "host", f"{name} loses about {percent(share)} {what} ({touched.pairs}): which way is not known"
    if suspect.kind == "host":
        return "host", f"{name} {lost} of what it sends, and of what comes to it ({touched.pairs})"
    way, other = ("what it sends", "host-in") if suspect.kind == "host-out" else ("what comes to it", "host-out")
    return suspect.kind, f"{name} {lost} of {way} ({touched.pairs}{opposite(hearing, suspect, other)})"


def opposite(hearing: Hearing, suspect: Suspect, kind: str) -> str:
    """What is known of the other way, where only this one loses."""
    sent, failed = hearing.untouched(suspect._replace(kind=kind), suspect)
    if suspect._replace(kind=kind) in hearing.search.chosen or not sent:
        return ""
    return f"; {OTHER_WAY[kind]}: {failed} of {sent}"


def place(hearing: Hearing, suspect: Suspect, share: float, touched: Touched, is_unsure: bool) -> str:
    """Of racks, datacentres, and ways between hosts or racks."""
    kind, of, to, _ = suspect
    lost = "lets nothing through" if share >= WHOLE else f"loses {percent(share)}"
    known = "" if share >= WHOLE else " of what passes"
    if kind == "rack":
        return f"the top-of-rack of {of} {lost}{known}, within the rack too ({touched.pairs})"
    if kind.startswith("uplink"):
        inside = f": rack {of}'s own pairs are well" if own_pairs_are_well(hearing, of) else ""
        if kind == "uplink":
            which = ": which way is not known" if is_unsure else f"{known} either way" if known else " either way"
            return f"the uplink of rack {of} {lost}{known if is_unsure else ''}{which} ({touched.pairs}){inside}"
        way, other = ("goes out of", "uplink-in") if kind == "uplink-out" else ("comes into", "uplink-out")
        of_what = f"lets nothing through of what {way}" if share >= WHOLE else f"{lost} of what {way}"
        met = f"{touched.pairs}{opposite(hearing, suspect, other)}"
        return f"the uplink of rack {of} {of_what} the rack ({met}){inside}"
    if kind.startswith("datacentre"):
        way = {"datacentre-out": " on the way out", "datacentre-in": " on the way in"}.get(kind, "")
        return f"datacentre {of}, towards the others, {lost}{known}{way} ({touched.pairs})"
    racks = "rack " if kind.startswith("rack") else ""
    if kind.endswith("paths"):
        way = ", which way is not known" if is_unsure else ", either way"
        return f"between {racks}{of} and {racks}{to} the network {lost}{known}{way} ({touched.pairs})"
    return f"from {racks}{of} to {racks}{to} the network {lost}{known} ({touched.pairs})"


def own_pairs_are_well(hearing: Hearing, rack: str | None = None) -> bool:
    """Whether the pairs within a rack, or within any, lose next to nothing."""
    own = [each for each in hearing.evidence if hearing.line.rack[each.source] == hearing.line.rack[each.target]
           and rack in (None, hearing.line.rack[each.source])]
    return bool(own) and sum(each.failed for each in own) * 1000 <= sum(each.sent for each in own)


def fabric(hearing: Hearing, suspect: Suspect, share: float, touched: Touched) -> Finding:
    """Of a part of what is between the racks: a router, if the traces agree on one, and how many flows."""
    failing, loss = len(touched.failing), round(100 * share, 3)
    if suspect.kind == "everywhere":
        words = (f"{percent(share)} are lost everywhere alike, within the racks too ({touched.pairs}): "
                 "no place stands out")
        return Finding("everywhere", "everywhere", loss, failing, words)
    alike = votes.part(touched.cells)
    flows = (f"; about {percent(alike.flows)} of the flows are hit, and lose {percent(alike.loses)} of their probes, "
             "there and back together" if alike else "")
    inside = "; the racks themselves are well" if own_pairs_are_well(hearing) else ""
    what = f"{NOUNS[suspect.kind]} loses {percent(share)} each way, over all paths ({touched.pairs}{inside})"
    won = votes.vote(touched.failing, hearing.line.rack, hearing.round.routers)
    if not won:
        is_traced = any(cell.ways for cell in touched.failing)
        where = "the traces agree on no router" if is_traced else "no trace says where"
        return Finding("fabric", suspect.kind, loss, failing, f"{what}{flows}; {where}")
    if won.among == 1:
        words = f"{won.router} is on all {won.ways} traces of flows that lost a probe: {what}{flows}"
        return Finding("fabric", won.router, loss, failing, words)
    loses = min(1.0, share * won.among)
    even = won.ways // won.among
    words = (f"{won.router} loses about {percent(loses)} of what passes it ({touched.pairs}): {won.passes} of "
             f"{won.ways} traces of flows that lost a probe go by it, where chance gives {even}{flows}")
    return Finding("fabric", won.router, round(100 * loses, 3), failing, words)


def agreed(hearing: Hearing, touched: Touched) -> str:
    """The router that the traces agree on, among several that flows share: a single link to it may be the bad one."""
    won = votes.vote(touched.failing, hearing.line.rack, hearing.round.routers, votes.SURE)
    if not won or won.among == 1:
        return ""
    return f"; {won.passes} of {won.ways} traces of flows that lost a probe go by {won.router}"


def rule(hearing: Hearing, suspect: Suspect, share: float, touched: Touched) -> tuple[str, str]:
    """Of what depends on who asks whom for what."""
    kind, of, to, service = suspect
    ended = outcome(touched.failing, hearing)
    heard = last_heard(touched.failing, hearing)
    trace = f"; traces were last heard of at {heard}" if heard and "said by" not in ended else ""
    asked = service or services(touched.cells, hearing)
    if share < WHOLE:
        who = {"to": f"{asked} on {of}", "from": f"{asked} from {of}", "pair": f"{asked} from {of} to {to}",
               "service": f"{asked} everywhere"}.get(kind, f"{asked}, {noun(suspect._replace(service=''))}:")
        met = f"{touched.pairs}, {ended}"
        return "service", f"{who} fails for {percent(share)} of the probes ({met}){also(hearing, suspect)}"
    if kind == "to":
        cells = count(len(touched.failing), "cell")
        beside = also(hearing, suspect)
        return "service", f"{asked} on {of} cannot be reached: all {cells} to it fail ({ended}){trace}{beside}"
    who = {"from": f"what {of} asks of others", "pair": f"{of} to {to}", "rack-to": f"what goes to rack {of}",
           "rack-from": f"what rack {of} asks of others", "rack-pair": f"rack {of} to rack {to}",
           "service": "everybody to everybody"}[kind]
    return "policy", f"{who} is blocked, {asked}: {ended}{trace}{also(hearing, suspect)}"


def also(hearing: Hearing, suspect: Suspect) -> str:
    """What gets through beside it, and what that means."""
    kind, of, to, service = suspect
    words = []
    if service:
        others = [cell for cell in hearing.touched(suspect._replace(service="")).cells
                  if cell.planned.service != service]
        if others and not any(cell.failed for cell in others):
            words.append(f"{services(others, hearing)} gets through there")
    if kind == "to":
        failing = hearing.touched(suspect).failing
        is_refused = all(set(cell.figures.verdicts) <= {"refused"} for cell in failing if cell.figures)
        guess = "nothing listens there, or a firewall rejects it" if is_refused \
            else "its program hangs, or its firewall drops it"
        return f"; {listed(words)}: {guess}" if words else f": {guess}"
    beside: list[Evidence] = []
    if kind == "pair":
        back = [each for each in hearing.evidence if (each.source, each.target) == (to, of)]
        if back and 2 * sum(each.failed for each in back) < sum(each.sent for each in back):
            words.append("the other way gets through")
        beside = [each for each in hearing.evidence if is_beside(hearing, each, of, to)]
    is_alone = beside and not any(each.failed for each in beside)
    guess = "a policy or firewall" + (", since all else between these racks passes" if is_alone else "")
    return f"; {listed(words)}: {guess}" if words else f": {guess}"


def is_beside(hearing: Hearing, each: Evidence, source: str, target: str) -> bool:
    """Whether it is of a cell from the one's rack to the other's, and not of theirs."""
    rack = hearing.line.rack
    return (rack[each.source], rack[each.target]) == (rack[source], rack[target]) \
        and (each.source, each.target) != (source, target)
