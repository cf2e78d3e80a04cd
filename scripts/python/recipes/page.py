"""docs/recipes.md as the runner reads it: recipes, their blocks, and in these what is typed and what is shown."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, NamedTuple

ANCHOR = re.compile(r'<a id="([a-z0-9-]+)"></a>')
FENCE = re.compile(r"```(\S*) ?(.*)")
PROMPT = re.compile(r"([a-z][a-z0-9-]*)[$#] (.*)")
LINKED = re.compile(r"\]\(#([a-z0-9-]+)\)")


class Block(NamedTuple):
    """What stands between two fences."""

    kind: str  # the word after the fence: console, sh, yaml ...
    note: str  # the words after that
    lines: tuple[str, ...]
    number: int  # of the first line, in the page

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@dataclass
class Recipe:
    """All between an anchor and the next one."""

    name: str
    blocks: list[Block] = field(default_factory=list)

    def of_kind(self, *kinds: str) -> list[Block]:
        return [block for block in self.blocks if block.kind in kinds]


class Typed(NamedTuple):
    """A command, and the lines that follow it."""

    box: str
    command: str
    shown: tuple[str, ...]


class Wrong(Exception):
    """The page is not written as the runner reads it."""


def read(path: Path) -> dict[str, Recipe]:
    recipes: dict[str, Recipe] = {}
    recipe: Recipe | None = None
    opened: Block | None = None  # the block that a line stands in
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fence = FENCE.fullmatch(line)
        if opened and line != "```":
            opened = opened._replace(lines=(*opened.lines, line))
        elif opened:
            if recipe is None:
                raise Wrong(f"{path.name}, line {number}: a block that belongs to no recipe")
            recipe.blocks.append(opened)
            opened = None
        elif fence:
            opened = Block(fence[1], fence[2], (), number + 1)
        elif anchor := ANCHOR.fullmatch(line):
            if anchor[1] in recipes:
                raise Wrong(f"{path.name}, line {number}: there is a recipe {anchor[1]} already")
            recipe = recipes[anchor[1]] = Recipe(anchor[1])
    if opened:
        raise Wrong(f"{path.name}: the block that begins in line {opened.number} has no end")
    return recipes


def not_in_table(path: Path, names: Iterable[str]) -> list[str]:
    """The recipes that the table at the top does not name, or that it names and that are not there."""
    table = [line for line in path.read_text().split("<a id=", 1)[0].splitlines() if line.startswith("|")]
    linked = set(LINKED.findall("\n".join(table)))
    return sorted(linked ^ set(names))


def typed(block: Block) -> list[Typed]:
    """What a block of the kind `console` has typed on which box. A line that ends with a backslash goes on."""
    found: list[Typed] = []
    goes_on = False
    for number, line in enumerate(block.lines, block.number):
        prompt = PROMPT.fullmatch(line)
        if goes_on:
            last = found.pop()
            found.append(last._replace(command=f"{last.command}\n{line}"))
            goes_on = line.endswith("\\")
        elif prompt:
            found.append(Typed(prompt[1], prompt[2], ()))
            goes_on = line.endswith("\\")
        elif not found:
            raise Wrong(f"line {number}: a block begins without a prompt: {line}")
        else:
            last = found.pop()
            found.append(last._replace(shown=(*last.shown, line)))
    return found
