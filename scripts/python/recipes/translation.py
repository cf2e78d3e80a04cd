"""The page in Chinese: the same recipes, with the same commands, and the same lines printed."""

from itertools import zip_longest
from pathlib import Path
from typing import Iterator

from recipes import page
from recipes.page import Block

WITH_COMMENTS = ("sh", "yaml", "ini")


def differences(original: Path, translation: Path) -> Iterator[str]:
    name = f"{translation.parent.name}/{translation.name}"
    ours, theirs = page.read(original), page.read(translation)
    if list(theirs) != list(ours):
        yield f"{name}: has the recipes {', '.join(theirs)}, and not {', '.join(ours)}"
    for recipe in page.not_in_table(translation, theirs):
        yield f"{name}: the table at the top and the recipes disagree about {recipe}"
    for recipe in ours.keys() & theirs.keys():
        for one, other in zip_longest(ours[recipe].blocks, theirs[recipe].blocks):
            if not one or not other or plain(one) != plain(other):
                where, there = (f"line {each.number}" if each else "the end" for each in (other, one))
                yield f"{name}, {recipe}, {where}: not as {there} of {original.name}"
                break


def plain(block: Block) -> list[str]:
    """What has to be the same: all but comments, which may be translated."""
    lines = block.lines
    if block.kind in WITH_COMMENTS:
        lines = tuple(line.split("# ")[0].rstrip() for line in lines)
    return [block.kind, block.note, *lines]
