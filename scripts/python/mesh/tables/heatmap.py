"""A round as a picture: a square for each pair, and the more of its probes failed, the stronger its colour.

An SVG with nothing in it but shapes and text. Its colours follow the reader's choice of light or dark, and it has no
background of its own. They come from the scheme inferno, whose lightness says the same to those who see no colours;
and each square that is not as the policy says has a sign.
"""

from typing import Iterator, NamedTuple, Sequence
from xml.sax.saxutils import escape

from mesh.results import Round
from mesh.tables.grid import is_apart
from mesh.tables.listing import bound, count, percent
from mesh.tables.tally import (
    CLOSED, FINE, MOST_HOSTS, NO_RESULT, SIGNS, SOME_MISSING, Axis, Place, Tally, by_pair, hosts_apart, racks_apart,
    services,
)

STEPS = (0.01, 0.05, 0.2)  # shares of the probes, up to which a colour goes; then there are some, and all
WORDS = ("up to 1 %", "up to 5 %", "up to 20 %", "less than all", "all probes failed")

MARGIN, GAP, RACK_GAP = 14, 34, 5
NARROW = 560  # the least width, for the words
WIDE = 1040  # two fleets of 16 hosts beside each other
LARGE = 22  # a square from here on has room for two digits
LONGEST = 18  # characters of a name
ADVANCE = 0.62  # of a character, as a share of the font's size: no font here is wider
LEGEND_ROW = 24

STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
  .head { font-size: 16px; font-weight: 600 }
  .title { font-size: 14px; font-weight: 600 }
  .muted, .rack { fill: #59636e }
  .s0 { fill: #e3e8ed } .s1 { fill: #fcd25a } .s2 { fill: #fb9b06 } .s3 { fill: #d9492f } .s4 { fill: #932667 }
  .s5 { fill: #35085a } .none { fill: url(#hatch); stroke: #818b98 } .hatch { stroke: #818b98 }
  .sign { font-weight: 600; text-anchor: middle } .on3, .on4, .on5 { fill: #ffffff }
  .self { stroke: #afb8c1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .muted, .rack { fill: #9198a1 }
    .s0 { fill: #212830 } .s1 { fill: #57106e } .s2 { fill: #932667 } .s3 { fill: #d9492f } .s4 { fill: #fba40a }
    .s5 { fill: #fcffa4 } .none, .hatch { stroke: #656c76 }
    .on3 { fill: #ffffff } .on4, .on5 { fill: #0d1117 }
    .self { stroke: #3d444d }
  }
"""


class Sizes(NamedTuple):
    """Of everything in the picture, in pixels."""

    square: int
    font: int  # of names and signs
    names: int  # the room for names on the left, and above
    panel: int  # a side of a service's matrix
    beside: int  # how many of them there are in a row


def svg(round: Round) -> str:
    """The picture of a round."""
    chosen, notes = services(round.cells), ["Rows probe, and columns are probed."]
    axis = hosts_apart(round.fleet)
    if len(axis.places) > MOST_HOSTS:
        axis, notes = racks_apart(round.fleet), [*notes, f"More than {MOST_HOSTS} hosts: racks by racks."]
    pairs = by_pair(round.cells, axis)
    if len(axis.places) > MOST_HOSTS:
        notes = [notes[0], f"Of {len(axis.places):,} racks, the {MOST_HOSTS} that fail most."]
        axis = worst(axis, pairs)
    sizes = sizes_for(axis.places, len(chosen))
    rows = [chosen[first : first + sizes.beside] for first in range(0, len(chosen), sizes.beside)]
    head = 66 + 18 * len(notes)
    row = sizes.names + sizes.panel + 64
    width = max(2 * MARGIN + sizes.names + sizes.beside * sizes.panel + (sizes.beside - 1) * GAP, NARROW)
    legend = list(legend_of(pairs, sizes.square >= LARGE, width - 2 * MARGIN))
    height = head + row * len(rows) + LEGEND_ROW * len(legend) + MARGIN
    title = f"Who reaches whom, {round.minute[:10]} {round.minute[11:13]}:{round.minute[13:15]} UTC"
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc">',
             f'<title id="title">{escape(title)}</title>', f'<desc id="desc">{escape(described(round, pairs))}</desc>',
             f"<style>{STYLE}</style>",
             '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
             '<line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern>',
             text(MARGIN, 26, title, "head"), text(MARGIN, 48, summed_up(round), "muted")]
    lines += [text(MARGIN, 66 + 18 * at, note, "muted") for at, note in enumerate(notes)]
    for number, panels in enumerate(rows):
        lines += drawn(axis.places, panels, pairs, sizes, head + number * row)
    for number, entries in enumerate(legend):
        lines += drawn_legend(entries, head + row * len(rows) + LEGEND_ROW * number)
    return "\n".join([*lines, "</svg>", ""])


def sizes_for(places: Sequence[Place], panels: int) -> Sizes:
    square = 26 if len(places) <= 16 else 20 if len(places) <= 24 else 15
    font = 12 if square > 15 else 11
    longest = max((len(place.name) for place in places), default=0)
    names = round_up(font * ADVANCE * min(longest, LONGEST)) + 10
    panel = offset(places, len(places), square)
    beside = max(1, min(panels, (WIDE - 2 * MARGIN - names + GAP) // (panel + GAP)))
    return Sizes(square, font, names, panel, beside)


def round_up(number: float) -> int:
    return int(-(-number // 1))


def offset(places: Sequence[Place], at: int, square: int) -> int:
    """Where a place's squares begin."""
    return at * square + RACK_GAP * sum(is_apart(places, before) for before in range(min(at + 1, len(places))))


def worst(axis: Axis, pairs: dict[tuple[str, str, str], Tally]) -> Axis:
    """The racks in whose rows and columns most has failed or is missing."""
    bad: dict[str, float] = {}
    for (source, target, _), found in pairs.items():
        for name in {source, target}:
            bad[name] = bad.get(name, 0) + found.share + found.missing / found.cells
    kept = set(sorted((place.name for place in axis.places), key=lambda name: -bad.get(name, 0))[:MOST_HOSTS])
    return Axis([place for place in axis.places if place.name in kept], axis.of_host)


def summed_up(round: Round) -> str:
    without = sum(cell.figures is None for cell in round.cells)
    wrong = sum(cell.failed for cell in round.cells) - without
    return (f"{count(len(round.fleet), 'host')}, {count(len(round.cells), 'cell')}: {wrong:,} not as the policy says, "
            f"{without:,} without a result.")


def described(round: Round, pairs: dict[tuple[str, str, str], Tally]) -> str:
    """The picture in words, for those who do not see it: the worst pairs."""
    bad = [(key, found) for key, found in pairs.items() if found.failed or found.missing]
    bad.sort(key=lambda pair: -pair[1].share if pair[1].ended else 0)
    said = [f"{tip(key, found)}." for key, found in bad[:20]]
    left = [f"And {count(len(bad) - 20, 'pair')} more."] if len(bad) > 20 else []
    return " ".join([summed_up(round), *said, *left])


def drawn(places: Sequence[Place], chosen: Sequence[str], pairs: dict[tuple[str, str, str], Tally], sizes: Sizes,
          top: int) -> Iterator[str]:
    """The matrices of some services beside each other."""
    left, above = MARGIN + sizes.names, top + sizes.names + 46
    for at, place in enumerate(places):
        middle = offset(places, at, sizes.square) + sizes.square / 2
        yield text(left - 7, above + middle + sizes.font * 0.36, cut(place.name), "", "end", sizes.font)
    for number, service in enumerate(chosen):
        begin = left + number * (sizes.panel + GAP)
        yield text(begin, top + 14, service, "title")
        for group, first, after in groups(places):
            room = offset(places, after - 1, sizes.square) + sizes.square - offset(places, first, sizes.square)
            if len(group) * 12 * ADVANCE <= room:
                yield text(begin + offset(places, first, sizes.square), top + 36, group, "muted", size=12)
        for at, target in enumerate(places):
            middle = begin + offset(places, at, sizes.square) + sizes.square / 2 + sizes.font * 0.36
            yield (f'<text x="{middle:g}" y="{above - 7}" font-size="{sizes.font}" style="font-size:{sizes.font}px" '
                   f'transform="rotate(-90 {middle:g} {above - 7})">{escape(cut(target.name))}</text>')
        for row, source in enumerate(places):
            for column, target in enumerate(places):
                x, y = begin + offset(places, column, sizes.square), above + offset(places, row, sizes.square)
                key = (source.name, target.name, service)
                if key in pairs:
                    yield square(key, pairs[key], x, y, sizes, places)
                elif row == column:
                    yield (f'<line class="self" x1="{x + 4}" y1="{y + 4}" x2="{x + sizes.square - 5}" '
                           f'y2="{y + sizes.square - 5}"/>')


def groups(places: Sequence[Place]) -> Iterator[tuple[str, int, int]]:
    """The racks that several hosts are in: from which place on, and up to which."""
    first = 0
    for after in range(1, len(places) + 1):
        if after == len(places) or is_apart(places, after):
            if not places[first].is_alone:
                yield places[first].group, first, after
            first = after


def square(key: tuple[str, str, str], found: Tally, x: int, y: int, sizes: Sizes, places: Sequence[Place]) -> str:
    side = sizes.square - 1
    kind = kind_of(found)
    # A large fleet's squares that are as they should be need no words: there are thousands.
    said = "" if found.sign == FINE and len(places) > 24 else f"<title>{escape(tip(key, found))}</title>"
    shape = f'<rect class="{kind}" x="{x}" y="{y}" width="{side}" height="{side}" rx="2"'
    sign = sign_of(found, sizes.square >= LARGE)
    if not sign:
        return f"{shape}>{said}</rect>" if said else f"{shape}/>"
    return (f'<g>{said}{shape}/><text class="sign on{kind[1:]}" x="{x + side / 2:g}" '
            f'y="{y + side / 2 + sizes.font * 0.36:g}" style="font-size:{sizes.font}px">{escape(sign)}</text></g>')


def kind_of(found: Tally) -> str:
    """The class of a square: how much of it has failed."""
    if found.sign in (NO_RESULT, SOME_MISSING):
        return "none"
    if not found.failed:
        return "s0"
    if found.failed == found.ended:
        return "s5"
    return f"s{next((at for at, most in enumerate(STEPS, 1) if found.share <= most), len(STEPS) + 1)}"


def sign_of(found: Tally, is_large: bool) -> str:
    if found.sign == FINE:
        return ""
    if found.sign.isdigit() and is_large:
        return str(min(99, max(1, round_up(100 * found.share))))
    return found.sign


def tip(key: tuple[str, str, str], found: Tally) -> str:
    """A square in words."""
    source, target, service = key
    said = f"{source} to {target}, {service}: "
    if not found.ended:
        return said + "no result"
    if not found.failed:
        said += SIGNS[found.sign]
    else:
        said += f"{' and '.join(sorted(found.verdicts))}, {percent(found.share)} of the probes failed"
    slow = bound(found.percentile(990))
    return said + (f", {found.missing} of {found.cells} without a result" if found.missing else "") + (
        f", p99 {slow} ms" if slow else "")


class Entry(NamedTuple):
    kind: str
    sign: str
    words: str

    @property
    def width(self) -> int:
        return 26 + round_up(13 * 0.56 * len(self.words)) + 16


def legend_of(pairs: dict[tuple[str, str, str], Tally], is_large: bool, width: int) -> Iterator[list[Entry]]:
    """What the colours say, and the signs that occur; in as many rows as that takes."""
    signs = {found.sign for found in pairs.values()}
    entries = [Entry(f"s{at}", "", words) for at, words in enumerate(("as the policy says", *WORDS))]
    if any(sign.isdigit() for sign in signs):
        entries.append(Entry("s3", "12", "percent that failed") if is_large else Entry("s3", "1", SIGNS["1"]))
    entries += [Entry("s0" if sign == CLOSED else "none" if sign in (NO_RESULT, SOME_MISSING) else "s5", sign, words)
                for sign, words in SIGNS.items() if sign in signs and sign not in (FINE, "1")]
    row: list[Entry] = []
    for entry in entries:
        if row and sum(each.width for each in row) + entry.width > width:
            yield row
            row = []
        row.append(entry)
    yield row


def drawn_legend(entries: Sequence[Entry], top: int) -> Iterator[str]:
    x = MARGIN
    for entry in entries:
        yield f'<rect class="{entry.kind}" x="{x}" y="{top}" width="18" height="18" rx="2"/>'
        if entry.sign:
            yield (f'<text class="sign on{entry.kind[1:]}" x="{x + 9}" y="{top + 13}" style="font-size:11px">'
                   f"{escape(entry.sign)}</text>")
        yield text(x + 25, top + 14, entry.words, "muted")
        x += entry.width


def cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 2]}.."


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start", size: int = 0) -> str:
    kind = f' class="{kind}"' if kind else ""
    anchor = f' text-anchor="{anchor}"' if anchor != "start" else ""
    size_of = f' style="font-size:{size}px"' if size else ""
    return f'<text x="{x:g}" y="{y:g}"{kind}{anchor}{size_of}>{escape(words)}</text>'
