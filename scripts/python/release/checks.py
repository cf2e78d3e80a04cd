"""What is held of each program that has been built, whatever linked it."""

import re
from pathlib import Path
from typing import Iterator

from release import elf
from release.build import Place, cargo_home
from release.steps import Failure
from release.targets import FLOOR, Kind

# glibc's parts. Since 2.34 libc.so.6 has all of them, and older systems have each as a file.
LIBC = {"libc.so.6", "libpthread.so.0", "libdl.so.2", "libm.so.6", "librt.so.1", "libresolv.so.2", "libutil.so.1"}
LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
NUMBERED = re.compile(r"GLIBC_(\d+)\.(\d+)")


def hold(place: Place, kind: Kind, folder: Path) -> str:
    """Holds all programs of a kind to it. Returns what is worth printing."""
    found = [f"{path.name}: {mistake}" for path in sorted(folder.iterdir()) for mistake in mistakes(place, kind, path)]
    if found:
        raise Failure(f"{kind.name}: {'; '.join(found)}")
    programs = [elf.read(path) for path in folder.iterdir()]
    needed = sorted({library for program in programs for library in program.needed})
    newest = max((version(name) for program in programs for name in program.versions), default=(0, 0))
    return f"needs {', '.join(needed)} ({newest[0]}.{newest[1]})" if needed else "needs nothing"


def mistakes(place: Place, kind: Kind, path: Path) -> Iterator[str]:
    program = elf.read(path)
    if program.machine != kind.machine:
        yield f"is for {program.machine}"
    if not program.is_stripped:
        yield "is not stripped"
    if not program.moves:
        yield "lies at a fixed address"
    loader = None if kind.is_static else LOADERS.get(kind.machine, "")
    # Since glibc 2.34 the linker names the loader as a library where a symbol is the loader's.
    allowed = set() if loader is None else {*LIBC, Path(loader).name}
    if program.interpreter != loader:
        yield f"has the interpreter {program.interpreter}"
    if foreign := sorted(set(program.needed) - allowed):
        yield f"needs {', '.join(foreign)}"
    if newer := [name for name in program.versions if version(name) > FLOOR]:
        yield f"needs {', '.join(newer)}"
    content = path.read_bytes()
    for trace in paths_of_this_machine(place):
        if trace.encode() in content:
            yield f"contains {trace}"


def version(name: str) -> tuple[int, int]:
    """GLIBC_2.28 as numbers. A name that is not of that form, as GLIBC_PRIVATE, is above each floor."""
    found = NUMBERED.match(name)
    return (int(found[1]), int(found[2])) if found else (1000, 0)


def paths_of_this_machine(place: Place) -> list[str]:
    """Where things are here, each with a slash, so that "/root" may be part of a word."""
    library = place.tools.rust.library
    folders = {Path.home(), place.root, place.target, cargo_home(), place.tools.bin.parent, library.resolve(),
               library.parent.parent.parent}
    return sorted(f"{folder}/" for folder in folders if folder != Path("/"))
