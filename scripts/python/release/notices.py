"""The notices of what the programs contain of others: MIT and Apache-2.0 ask that they come with each copy.

A program that is linked statically contains crates, Rust's standard library, musl, and what the linker adds. Cargo
knows the crates, and their licences lie beside their sources. Those of the rest lie in packaging/notices, since a
toolchain does not always bring them.
"""

import json
from pathlib import Path
from typing import Any, Iterator, NamedTuple

from lab.case import PROGRAMS
from release.build import Place, cargo

NAME = "THIRD-PARTY.txt"
TARGETS = tuple(f"{machine}-unknown-linux-{libc}" for machine in ("x86_64", "aarch64") for libc in ("musl", "gnu"))
# In this order: nearly all crates may be had under MIT, whose text is the same for all but for the first lines.
LICENCES = ("LICENSE-MIT", "LICENSE-MIT.txt", "LICENSE-MIT.md", "LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING")
PERMISSION = "Permission is hereby granted, free of charge, to any"
TITLES = ("mit license", "the mit license", "the mit license (mit)")
INDENT = "    "

HEAD = """\
The programs of getthrough contain parts of the software that is named here.
These are its notices. getthrough's own licences are in LICENSE-MIT and
LICENSE-APACHE.
"""


class Crate(NamedTuple):
    """A crate that is linked in, and the text of its licence."""

    name: str
    version: str
    authors: list[str]
    text: str

    @property
    def holders(self) -> list[str]:
        """The lines above MIT's permission; or the authors, if there is none."""
        above = [line.strip() for line in self.text.partition(PERMISSION)[0].splitlines()]
        return [line for line in above if line and line.lower() not in TITLES] or self.authors or ["Its authors"]


def text(place: Place) -> str:
    """What goes into THIRD-PARTY.txt."""
    permission = permission_of((place.root / "LICENSE-MIT").read_text())
    kept = place.root / "packaging" / "notices"
    alike: list[Crate] = []
    other: list[Crate] = []
    for crate in linked(place):
        (alike if words(permission_of(crate.text)) == words(permission) else other).append(crate)
    parts = [
        HEAD,
        title("Under the MIT License"),
        *(entry(f"{crate.name} {crate.version}", crate.holders) for crate in alike),
        (kept / "toolchain.txt").read_text(),
        permission,
    ]
    for crate in other:
        parts += [title(f"{crate.name} {crate.version}"), crate.text]
    parts += [title("musl"), (kept / "musl.txt").read_text()]
    parts += [title("foldhash, in Rust's standard library"), (kept / "foldhash.txt").read_text()]
    parts += [title("Tables of Unicode, in Rust's standard library"), (kept / "unicode.txt").read_text()]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def linked(place: Place) -> Iterator[Crate]:
    """The crates of others that any program contains on any target, by name."""
    metadata = cargo(place, "metadata", "--format-version", "1")
    packages = {(each["name"], each["version"]): each for each in json.loads(metadata)["packages"]}
    for name, version in sorted(normal_dependencies(place)):
        package = packages[name, version]
        if package["source"]:  # otherwise it is ours
            yield Crate(name, version, package["authors"], licence(package))


def normal_dependencies(place: Place) -> set[tuple[str, str]]:
    """Names and versions. Macros (and what they need) run in the compiler, and are not linked."""
    chosen = [word for program in PROGRAMS for word in ("--package", program)]
    targets = [word for target in TARGETS for word in ("--target", target)]
    tree = cargo(place, "tree", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}",
                 *chosen, *targets)
    found = (line.split()[:2] for line in tree.splitlines() if line)
    return {(name, version.removeprefix("v")) for name, version in found}


def licence(package: Any) -> str:
    folder = Path(package["manifest_path"]).parent
    for name in LICENCES:
        if (folder / name).is_file():
            return (folder / name).read_text()
    raise FileNotFoundError(f"{folder}: has none of {', '.join(LICENCES)}")


def permission_of(licence: str) -> str:
    _, found, after = licence.partition(PERMISSION)
    return found + after


def words(text: str) -> list[str]:
    return text.split()


def title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n"


def entry(name: str, holders: list[str]) -> str:
    return "\n".join([name, *(INDENT + line for line in holders)])
