"""The heat map of rounds that are known."""

import xml.etree.ElementTree as ElementTree
from typing import Iterator

from lab.case import Case
from lab.trial import Trial
from mesh import results
from mesh.tables import heatmap
from meshlab import rounds, tables
from meshlab.rounds import Fate

SVG = "{http://www.w3.org/2000/svg}"


def trials() -> Iterator[Trial]:
    yield Trial("matrix-picture", picture)
    yield Trial("matrix-picture-racks", picture_racks)


def picture(case: Case) -> None:
    """The heat map is XML, has each cell with its words and a sign, and nothing outside its frame"""
    known_round = tables.known(case)
    root = ElementTree.fromstring(heatmap.svg(known_round))
    check_frame(case, root)
    tips = [title.text or "" for title in root.iter(f"{SVG}title")][1:]
    planned = [cell.planned for cell in known_round.cells]
    for line in planned:
        begin = f"{line.source} to {line.target}, {line.service}: "
        case.check(sum(tip.startswith(begin) for tip in tips) == 1, f"{begin!r} is not there once")
    case.check(len(tips) == len(planned), f"{len(tips)} cells, not {len(planned)}")
    for group in root.iter(f"{SVG}g"):
        shape, sign = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        case.check(shape is not None and sign is not None and sign.text, "a group without a shape or sign")
    # Without a sign there are those that are as the policy says, and they have the palest colour.
    for shape in root.findall(f"{SVG}rect"):
        if shape.find(f"{SVG}title") is not None:
            case.check(shape.get("class") == "s0", f"no sign on {shape.get('class')}")
    described = root.findtext(f"{SVG}desc") or ""
    case.check("a1 to b1, udp/6666: no-reply, 100 % of the probes failed" in described, f"in words: {described}")


def picture_racks(case: Case) -> None:
    """Beyond 48 hosts the picture has racks, and of more than 48 racks those that fail most"""
    for racks, size, most in ((1, 2, 2), (16, 1, 16), (13, 4, 13), (60, 2, 48)):
        directory = case.scratch / f"{racks}"
        minute, = rounds.make(directory, rounds.fleet(racks, size),
                              lambda line: Fate(there=line.target in ("r9-h1", "r1-h2")), case.random, count=1)
        root = ElementTree.fromstring(heatmap.svg(results.read(directory, minute)))
        check_frame(case, root)
        names = {word.text for word in root.iter(f"{SVG}text") if "rotate" in word.get("transform", "")}
        case.check(len(names) == most, f"{racks} racks of {size}: {len(names)} columns")
        case.check(racks < 9 or any((name or "").startswith("r9") for name in names),
                   f"{racks} racks: the worst is not there")


def check_frame(case: Case, root: ElementTree.Element) -> None:
    width, height = (float(root.get(side, "0")) for side in ("width", "height"))
    for shape in root.iter():
        if shape.tag == f"{SVG}rect":
            x, y, across, down = (float(shape.get(name, "-1")) for name in ("x", "y", "width", "height"))
            case.check(0 <= x and x + across <= width and 0 <= y and y + down <= height, f"outside: {shape.attrib}")
        elif shape.tag == f"{SVG}text" and shape.get("class") in ("muted", "title"):
            end = float(shape.get("x", "0")) + 7.2 * len(shape.text or "")
            case.check(end <= width, f"too long: {shape.text}")
