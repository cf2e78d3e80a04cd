"""The list of what the programs consist of (SBOM), as CycloneDX has it in JSON.

cargo-cyclonedx would make a list for each crate, into the source's folders, with that folder's path in it. Cargo knows
all that is needed, and the same project makes the same list, to the byte.
"""

import hashlib
import json
import re
import tomllib
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterable, NamedTuple

from lab.case import PROGRAMS
from release.build import Place, cargo
from release.steps import Failure, run
from release.targets import Kind

CYCLONEDX = "1.6"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "getthrough.invalid")
# A line of `cargo tree --prefix depth`: the depth, the name, the version, and of a crate of the project its folder.
LINE = re.compile(r"(?P<depth>\d+)(?P<name>\S+) v(?P<version>\S+)")
# Whoever reads the list shall see that the file with the schema fits.
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1], encoding="utf-8").read())
if error:
    print(error, file=sys.stderr)
sys.exit(1 if error else 0)
"""


class Crate(NamedTuple):
    name: str
    version: str

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.version}"


Component = dict[str, Any]
Edges = dict[Crate, set[Crate]]


def write(path: Path, place: Place, version: str, kinds: Iterable[Kind]) -> int:
    """Writes the list, and has it checked against its schema. Returns how many components it names."""
    edges = dependencies(place, kinds)
    components = [component(crate, known) for crate, known in described(place, edges)]
    components += toolchain(place)
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": CYCLONEDX,
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(place.epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": "getthrough", "name": "getthrough", "version": version,
                          "licenses": [{"expression": "MIT OR Apache-2.0"}]},
        },
        "components": components,
        "dependencies": graph(edges, [each["bom-ref"] for each in toolchain(place)]),
    }
    # What is random elsewhere follows here from what the list says.
    name = hashlib.sha256(json.dumps(bom, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({"serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, name)}", **bom}, indent=2) + "\n")
    run([place.tools.bin / "python", "-c", VALIDATE, path])
    return len(components)


def dependencies(place: Place, kinds: Iterable[Kind]) -> Edges:
    """Who needs whom, of what is linked in: macros run in the compiler."""
    targets = [word for kind in kinds for word in ("--target", kind.triple)]
    edges: Edges = {}
    for program in PROGRAMS:  # one at a time: together they would seem to need each other's features
        tree = cargo(place, "tree", "--package", program, *targets, "--no-dedupe",
                     "--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", "{p}")
        above: list[Crate] = []
        for line in filter(None, tree.splitlines()):
            found = LINE.match(line)
            if not found:
                raise Failure(f"cargo tree: an unknown line: {line}")
            crate = Crate(found["name"], found["version"])
            del above[int(found["depth"]):]
            edges.setdefault(crate, set())
            if above:
                edges[above[-1]].add(crate)
            above.append(crate)
    return edges


def described(place: Place, edges: Edges) -> Iterable[tuple[Crate, dict[str, Any]]]:
    """What cargo knows of each crate, by name, with its checksum."""
    metadata = json.loads(cargo(place, "metadata", "--format-version", "1"))
    known = {(each["name"], each["version"]): each for each in metadata["packages"]}
    lock = tomllib.loads((place.root / "Cargo.lock").read_text())["package"]
    checksums = {(each["name"], each["version"]): each.get("checksum") for each in lock}
    for crate in sorted(edges):
        yield crate, {**known[crate], "checksum": checksums[crate]}


def component(crate: Crate, known: dict[str, Any]) -> Component:
    described: Component = {
        "type": "application" if crate.name in PROGRAMS else "library",
        "bom-ref": crate.reference, "name": crate.name, "version": crate.version,
        # Older crates wrote a slash for "or", which SPDX does not know.
        "licenses": [{"expression": known["license"].replace("/", " OR ")}],
    }
    if known["description"]:
        described["description"] = " ".join(known["description"].split())
    if known["source"]:  # otherwise it is ours, and nowhere to be had
        described["purl"] = f"pkg:cargo/{crate.name}@{crate.version}"
        described["hashes"] = [{"alg": "SHA-256", "content": known["checksum"]}]
    return described


def toolchain(place: Place) -> list[Component]:
    """What the compiler and the linker bring."""
    parts = {
        "rust-std": (place.tools.rust.release, "MIT OR Apache-2.0", "Rust's standard library"),
        "musl": (musl(place), "MIT", "the C library, in the static programs"),
        "zig": (zig(place), "MIT", "the linker: start files and compiler-rt, and LLVM's libunwind"),
    }
    return [{"type": "library", "bom-ref": f"{name}@{version}", "name": name, "version": version,
             "licenses": [{"expression": licence}], "description": words}
            for name, (version, licence, words) in parts.items()]


def zig(place: Place) -> str:
    return run([place.tools.bin / "python", "-m", "ziglang", "version"]).strip()


def musl(place: Place) -> str:
    """The version of musl that zig has."""
    found = list(place.tools.bin.parent.glob("lib/*/site-packages/ziglang/lib/libc/musl/src/internal/version.h"))
    version = re.search(r'"([\d.]+)"', found[0].read_text()) if found else None
    if not version:
        raise Failure("ziglang: does not say which musl it has")
    return version[1]


def graph(edges: Edges, toolchain: list[str]) -> list[Component]:
    """Who depends on whom. Each program needs what the compiler and the linker bring."""
    lines: dict[str, Iterable[str]] = {"getthrough": [crate.reference for crate in edges if crate.name in PROGRAMS]}
    for crate, needed in edges.items():
        brought = toolchain if crate.name in PROGRAMS else []
        lines[crate.reference] = [*(each.reference for each in needed), *brought]
    lines |= dict.fromkeys(toolchain, ())
    return [{"ref": name, "dependsOn": sorted(needed)} for name, needed in sorted(lines.items())]
