"""The picture in docs/performance.md: CPU time an exchange of each server, beside plain C's.

An SVG with nothing in it but shapes and text. Its colours follow the reader's choice of light or
dark, and it has no background of its own.
"""

from typing import Iterator, NamedTuple, Sequence
from xml.sax.saxutils import escape

from bench.figures import Figure, quartiles

# What is drawn of the servers' half, in this order, if it was measured.
SIDES = ("plain C", "careful C", "ours", "ours -q", "Rust threads", "Python", "socat", "ncat")
OURS = ("ours", "ours -q")
CUT = 2.5  # times plain C: a longer bar would leave no room for the differences that matter

COLUMNS = 2
MARGIN, GAP = 12, 28
NAME, BAR, VALUE = 92, 190, 118  # widths of a panel's columns
PANEL = NAME + BAR + VALUE
ROW, THICK = 22, 14
HEAD, LEGEND = 62, 64  # above and below the panels
TITLE, AXIS = 26, 22  # of a panel, above and below its bars

STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
  .head { font-size: 16px; font-weight: 600 }
  .title { font-size: 14px; font-weight: 600 }
  .muted { fill: #59636e }
  .mine { font-weight: 600 }
  .other { fill: #8c959f }
  .ours { fill: #0969da }
  .plain { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 4 3 }
  .axis { stroke: #d1d9e0 }
  .spread { stroke: #1f2328; stroke-width: 1.5 }
  .cut { stroke: #ffffff; stroke-width: 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .muted { fill: #9198a1 }
    .other { fill: #656c76 }
    .ours { fill: #4493f8 }
    .plain { stroke: #ff7b72 }
    .axis { stroke: #3d444d }
    .spread { stroke: #f0f6fc }
    .cut { stroke: #0d1117 }
  }
"""


class Bar(NamedTuple):
    """A side's CPU time, and its ratio to plain C's: the median, and the middle half of all turns."""

    side: str
    micros: float
    low: float
    ratio: float
    high: float


class Panel(NamedTuple):
    """A load, and the bars of all that bore it."""

    title: str
    bars: list[Bar]

    @property
    def height(self) -> int:
        return TITLE + ROW * len(self.bars) + AXIS


def draw(figures: Sequence[Figure], measured: str) -> str:
    """The picture of these figures, which were measured as the words say."""
    panels = panels_of(figures)
    if not panels:
        raise RuntimeError("there are no figures of the servers to draw")
    rows = [panels[first : first + COLUMNS] for first in range(0, len(panels), COLUMNS)]
    heights = [max(panel.height for panel in row) for row in rows]
    width = 2 * MARGIN + COLUMNS * PANEL + (COLUMNS - 1) * GAP
    height = HEAD + sum(heights) + GAP * (len(rows) - 1) + LEGEND
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc">',
             '<title id="title">CPU time an exchange, beside plain C</title>',
             f'<desc id="desc">{escape(described(panels))}</desc>',
             f"<style>{STYLE}</style>",
             text(MARGIN, 24, "CPU time an exchange costs a server, beside plain C", "head"),
             text(MARGIN, 46, "Shorter is better. At the broken line it costs as much as plain C.", "muted")]
    top = HEAD
    for row, room in zip(rows, heights):
        for column, panel in enumerate(row):
            lines += drawn(panel, MARGIN + column * (PANEL + GAP), top)
        top += room + GAP
    lines += [text(MARGIN, height - 40, f"The scale is linear. Bars of more than {CUT:g} times are cut there. A thin "
                   "line is the middle half of all turns.", "muted"),
              text(MARGIN, height - 20, measured, "muted"), "</svg>"]
    return "\n".join(lines) + "\n"


def panels_of(figures: Sequence[Figure]) -> list[Panel]:
    panels: dict[str, list[Bar]] = {}
    for figure in figures:
        if (figure.half, figure.quantity) == ("servers", "CPU") and figure.side in SIDES:
            low, ratio, high = quartiles(figure.ratios) if figure.ratios else (1.0, 1.0, 1.0)
            bar = Bar(figure.side, quartiles(figure.values)[1], low, ratio, high)
            panels.setdefault(figure.title, []).append(bar)
    return [Panel(title, sorted(bars, key=lambda bar: SIDES.index(bar.side))) for title, bars in panels.items()]


def described(panels: Sequence[Panel]) -> str:
    """The picture in words, for those who do not see it."""
    return " ".join(f"{panel.title}: " + ", ".join(f"{bar.side} {bar.ratio:.2f}" for bar in panel.bars) + "."
                    for panel in panels)


def drawn(panel: Panel, left: int, top: int) -> Iterator[str]:
    zero = left + NAME
    bottom = top + TITLE + ROW * len(panel.bars)
    yield text(left, top + 14, panel.title, "title")
    for number in range(int(CUT) + 1):
        yield line("axis", place(zero, number), top + TITLE - 4, place(zero, number), bottom)
        yield text(place(zero, number), bottom + 15, f"{number}", "muted", "middle")
    for number, bar in enumerate(panel.bars):
        yield from drawn_bar(bar, left, top + TITLE + ROW * number)
    yield line("plain", place(zero, 1), top + TITLE - 4, place(zero, 1), bottom)


def drawn_bar(bar: Bar, left: int, top: int) -> Iterator[str]:
    zero, middle = left + NAME, top + ROW / 2
    mine = bar.side in OURS
    end = place(zero, min(bar.ratio, CUT))
    yield text(zero - 8, middle + 4.5, bar.side, "mine" if mine else "", "end")
    yield (f'<rect class="{"ours" if mine else "other"}" x="{zero}" y="{middle - THICK / 2:g}" '
           f'width="{end - zero:.1f}" height="{THICK}"/>')
    if bar.ratio > CUT:
        yield line("cut", end - 14, middle + THICK / 2, end - 8, middle - THICK / 2)
    elif bar.low < bar.high:
        yield line("spread", place(zero, bar.low), middle, place(zero, min(bar.high, CUT)), middle)
    # The words stand behind the bar, the line of its spread, and that of plain C.
    far = max(end, place(zero, 1), place(zero, min(bar.high, CUT)) if bar.ratio <= CUT else end)
    yield text(far + 6, middle + 4.5, f"{shown(bar.ratio)}  ({shown(bar.micros)} µs)", "mine" if mine else "")


def place(zero: float, ratio: float) -> float:
    return round(zero + BAR * ratio / CUT, 1)


def shown(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    kind = f' class="{kind}"' if kind else ""
    anchor = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:g}" y="{y:g}"{kind}{anchor}>{escape(words)}</text>'


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>'
