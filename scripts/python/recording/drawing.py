"""A terminal that is filled line by line: an SVG with nothing in it but text, and a little CSS.

The lines come when they came. A viewer that does not animate, and a reader who does not want that, see all of
them at once. The colours follow the reader's choice of light or dark.
"""

import re
from typing import Sequence
from xml.sax.saxutils import escape

from recording.session import Line

COLUMN, ROW, MARGIN = 8.43, 20, 16  # of a monospaced font of 14 pixels
GAP = 10  # above a command
BAR = 34  # the window's, on top
KEY = 0.045  # seconds that a key takes
READING = 1.1  # seconds after a command has ended, before the next one is typed
PROMPT = re.compile(r"box-a\$ ")
HOP = re.compile(r"\s+\d+ {2}")
VERDICT = re.compile(r"\b(no-reply|succeeded!|ACK!|the rule holds)")
CLASSES = {"no-reply": "bad", "succeeded!": "doubtful", "ACK!": "good", "the rule holds": "good"}

STYLE = """
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328;
         white-space: pre }
  .window { fill: #f6f8fa; stroke: #d1d9e0 }
  .dot { fill: #d1d9e0 }
  .prompt, .muted { fill: #59636e }
  .typed { font-weight: 600 }
  .bad { fill: #cf222e; font-weight: 600 }
  .good { fill: #1a7f37; font-weight: 600 }
  .doubtful { fill: #9a6700; font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .window { fill: #151b23; stroke: #3d444d }
    .dot { fill: #3d444d }
    .prompt, .muted { fill: #9198a1 }
    .bad { fill: #f85149 }
    .good { fill: #3fb950 }
    .doubtful { fill: #d29922 }
  }
  @media (prefers-reduced-motion: no-preference) {
    .line { animation: show .01s both }
    .keys { animation: type 1s both }
    @keyframes show { from { visibility: hidden } to { visibility: visible } }
    @keyframes type { from { clip-path: inset(0 100% 0 0) } to { clip-path: inset(0 0 0 0) } }
  }
"""


def draw(lines: Sequence[Line], title: str) -> str:
    """The picture of these lines."""
    width = round(2 * MARGIN + COLUMN * max(len(line.text) for line in lines))
    commands = sum(line.after is None for line in lines)
    height = BAR + ROW * len(lines) + GAP * (commands - 1) + MARGIN
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" xml:space="preserve">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="window" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        *(f'<circle class="dot" cx="{MARGIN + 4 + 18 * n}" cy="18" r="5.5"/>' for n in range(3)),
    ]
    now = ended = 0.5
    y = BAR + 14 - ROW - GAP
    for line in lines:
        y += ROW + (GAP if line.after is None else 0)
        if line.after is None:
            drawn += typed(line, y, ended)
            now = ended + KEY * len(PROMPT.sub("", line.text))
        else:
            drawn.append(f'<text class="line" x="{MARGIN}" y="{y}" style="animation-delay:{now + line.after:.2f}s">'
                         f"{coloured(line.text)}</text>")
            ended = now + line.after + READING
    return "\n".join([*drawn, "</svg>", ""])


def typed(line: Line, y: int, at: float) -> list[str]:
    """A command: its prompt appears, and then key after key."""
    prompt, command = line.text[: PROMPT.match(line.text).end()], PROMPT.sub("", line.text)  # type: ignore[union-attr]
    x = MARGIN + COLUMN * len(prompt)
    keys = len(command)
    return [
        f'<text class="line prompt" x="{MARGIN}" y="{y}" style="animation-delay:{at:.2f}s">{escape(prompt)}</text>',
        f'<text class="typed keys" x="{x:.1f}" y="{y}" textLength="{COLUMN * keys:.1f}" '
        f'style="animation-delay:{at:.2f}s;animation-duration:{KEY * keys:.2f}s;'
        f'animation-timing-function:steps({keys})">{escape(command)}</text>',
    ]


def coloured(text: str) -> str:
    safe = escape(text)
    if HOP.match(text):
        return f'<tspan class="muted">{safe}</tspan>'
    return VERDICT.sub(lambda word: f'<tspan class="{CLASSES[word[0]]}">{word[0]}</tspan>', safe)


def shapes(picture: str) -> list[str]:
    """The shapes of the lines that a picture shows, to see whether it is still true."""
    rows: dict[str, str] = {}
    for y, content in re.findall(r'<text [^>]*\by="(\d+)"[^>]*>(.*?)</text>', picture):
        plain = re.sub(r"<[^>]*>", "", content)
        rows[y] = rows.get(y, "") + plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return [Line(text, 0).shape for text in rows.values()]
