"""The documents that go along with the programs, outside the project: README.md, CHANGELOG.md, and docs.

A link to what stays in the project (a script, the architecture) would lead nowhere: only its words are kept.
"""

import posixpath
import re
from pathlib import Path

BESIDE = ("README.md", "CHANGELOG.md")
KINDS = (".md", ".svg")
LINK = re.compile(r"(?<!!)\[([^\]\[]*)\]\(([^()\s]+)\)")
ELSEWHERE = re.compile(r"[a-z]+:|#")


def shipped(root: Path, beside: set[str]) -> dict[str, bytes]:
    """What goes along, by its path. `beside`: what else will lie there."""
    paths = [root / name for name in BESIDE]
    paths += [path for path in sorted((root / "docs").rglob("*")) if path.suffix in KINDS and path.is_file()]
    content = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    there = {*content, *beside}
    return {name: mended(name, text.decode(), there).encode() if name.endswith(".md") else text
            for name, text in content.items()}


def mended(name: str, text: str, there: set[str]) -> str:
    """The document without links that lead nowhere."""
    return LINK.sub(lambda link: link[0] if leads_somewhere(name, link[2], there) else link[1], text)


def leads_somewhere(name: str, target: str, there: set[str]) -> bool:
    if ELSEWHERE.match(target):
        return True
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target.partition("#")[0]))
    return path in there
