"""The units in packaging/systemd, as text."""

from pathlib import Path
from typing import NamedTuple

from lab.command import ROOT

FOLDER = ROOT / "packaging" / "systemd"


class Edit(NamedTuple):
    """What a user may add to a unit with `systemctl edit`, as the head of a unit shows it."""

    unit: str
    lines: list[str]


class UnitFile(NamedTuple):
    """A unit: each assignment in it, in order."""

    path: Path
    assignments: list[tuple[str, str]]

    def values(self, key: str) -> list[str]:
        """Every value that a key has been given."""
        return [value for name, value in self.assignments if name == key]

    def last(self, key: str) -> str:
        """The value that counts of a key that has one."""
        return self.values(key)[-1]

    def command(self, instance: str = "") -> list[str]:
        """The words of ExecStart: the program, and its options."""
        return [word.replace("%i", instance) for word in self.last("ExecStart").split()]


def read(name: str) -> UnitFile:
    lines = (FOLDER / name).read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return UnitFile(FOLDER / name, [(key, value) for key, value in pairs])


def edits(name: str) -> list[Edit]:
    """All that the head of a unit shows: a line `systemctl edit UNIT`, and those that follow it."""
    found: list[Edit] = []
    is_edit = False
    for line in (FOLDER / name).read_text().splitlines():
        text = line.removeprefix("#     ")
        if text.startswith("systemctl edit "):
            found.append(Edit(text.rsplit(" ", 1)[1], []))
            is_edit = True
        elif text == line:
            is_edit = False
        elif is_edit:
            found[-1].lines.append(text)
    return found


def names(*kinds: str) -> list[str]:
    """All units of these kinds: `service`, `socket`, `timer`."""
    return sorted(path.name for path in FOLDER.iterdir() if path.suffix[1:] in kinds)
