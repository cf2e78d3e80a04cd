"""Whether what scripts/release has made is whole, and true to itself."""

import hashlib
import json
import re
import tarfile
import tomllib
from pathlib import Path
from typing import Iterable

from boxes.dist import Dist
from lab.trial import Trial
from lab import harness
from lab.case import PROGRAMS, Case
from lab.command import ROOT

KINDS = ("x86_64-musl", "aarch64-musl", "x86_64-gnu", "aarch64-gnu")
SUMS = "SHA256SUMS"
DOCUMENTS = "share/doc/getthrough"
# Beside units and documents: what a tarball has, and whether it may be run.
PLACED = {
    "bin/{}": True,
    "share/man/man1/{}.1": False,
    "share/bash-completion/completions/{}": False,
    "share/zsh/site-functions/_{}": False,
    "share/fish/vendor_completions.d/{}.fish": False,
}
UNIT = re.compile(r"lib/systemd/system/[a-z-]+@?\.(service|socket|timer)")
LICENCES = ("LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.txt")


def trials() -> Iterable[Trial]:
    yield Trial("static-files", whole)


def whole(case: Case, dist: Dist) -> None:
    """Sums, tarballs, SBOM and programs belong together, and no path of this machine is in them"""
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    sums(case, dist)
    with case.part("the SBOM"):
        components(case, dist, version)
    for kind in KINDS:
        with case.part(f"the tarball of {kind}"):
            tarball(case, dist, kind, version)
        for program in PROGRAMS:
            traces(case, dist.programs(kind) / program)
    for program in PROGRAMS:
        said = harness.run([dist.programs(KINDS[0]) / program, "--version"], case.scratch).output.decode().split()
        case.check(said[:2] == [program, version], f"{program} --version: {said}")


def sums(case: Case, dist: Dist) -> None:
    """Each file has its sum."""
    lines = [line.split("  ") for line in (dist.root / SUMS).read_text().splitlines()]
    listed = {name: hexadecimal for hexadecimal, name in lines}
    there = {path.name for path in dist.root.iterdir() if path.is_file()} - {SUMS}
    case.check(set(listed) == there and len(lines) == len(listed), f"{SUMS} lists {sorted(listed)}, of {sorted(there)}")
    for name in sorted(there & set(listed)):
        found = hashlib.sha256((dist.root / name).read_bytes()).hexdigest()
        case.check(found == listed[name], f"{name} has the sum {found}")


def components(case: Case, dist: Dist, version: str) -> None:
    bom = json.loads((dist.root / f"getthrough-{version}.cdx.json").read_text())
    named = {each["name"]: each for each in bom["components"]}
    case.check(bom["bomFormat"] == "CycloneDX" and bom["metadata"]["component"]["version"] == version,
               f"it is of {bom['metadata']['component']}")
    for name in PROGRAMS:
        case.check(name in named and named[name]["version"] == version, f"it lists {named.get(name)} as {name}")
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    for name in ("clap", "mio", "nix"):
        found = next((each["checksum"] for each in locked if each["name"] == name), None)
        listed = named.get(name, {}).get("hashes")
        case.check(listed == [{"alg": "SHA-256", "content": found}], f"it lists {listed} as the sums of {name}")
    case.note(f"{len(named)} components")


def tarball(case: Case, dist: Dist, kind: str, version: str) -> None:
    """What is in it lies where it belongs, is root's, and is what lies beside it."""
    machine, libc = kind.split("-")
    folder = f"getthrough-{version}-{machine}-linux-{libc}"
    with tarfile.open(dist.root / f"{folder}.tar.gz") as tar:
        members = {member.name.removeprefix(f"{folder}/"): member for member in tar.getmembers()}
        for program in PROGRAMS:
            packed = tar.extractfile(members[f"bin/{program}"])
            same = packed and packed.read() == (dist.programs(kind) / program).read_bytes()
            case.check(same, f"another {program} than in bin")
    case.check(all(member.isfile() and member.name.startswith(f"{folder}/") for member in members.values()),
               "it has what is no file, or lies elsewhere")
    case.check({(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "root")},
               "not all of it is root's")
    case.check(len({member.mtime for member in members.values()}) == 1, "it has files of several times")
    placed = {place.format(program): runs for place, runs in PLACED.items() for program in PROGRAMS}
    placed |= {f"{DOCUMENTS}/{licence}": False for licence in LICENCES}
    for place, runs in placed.items():
        mode = members[place].mode if place in members else None
        case.check(mode == (0o755 if runs else 0o644), f"{place} has the mode {mode}")
    rest = [name for name in members if name not in placed and not name.startswith(f"{DOCUMENTS}/")]
    case.check(rest and all(UNIT.fullmatch(name) for name in rest), f"it has {rest} besides")


def traces(case: Case, program: Path) -> None:
    """The paths of who has built it: his home, and the project's folder."""
    content = program.read_bytes()
    found = [folder for folder in (Path.home(), ROOT) if folder != Path("/") and f"{folder}/".encode() in content]
    case.check(not found, f"{program} contains {found}")
