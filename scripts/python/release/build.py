"""Builds the programs of one kind.

No path of this machine may be in a program: not that of the project, of cargo's copies of the crates, or of the
standard library. Their places are written as below instead, so that two builds in two folders are the same.
"""

import os
import shutil
import tomllib
from pathlib import Path
from typing import NamedTuple

from lab.case import PROGRAMS
from release.steps import Failure, run
from release.targets import Kind
from release.tools import PINNED, Tools

PROJECT, CRATES, LIBRARY = "/getthrough", "/crates", "/rust"
# What would change the programs, if a user has set it. cargo's registries and networks are his business.
NOT_KEPT = ("CARGO_BUILD_", "CARGO_ENCODED_", "CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_UNSTABLE_",
            "CARGO_INCREMENTAL", "RUSTC", "RUSTFLAGS", "ZIG", "CC", "CFLAGS", "LDFLAGS")
# Of cargo's configuration: what no variable overrides.
SETTINGS = ("env", "patch", "profile", "unstable")


class Place(NamedTuple):
    """Where the source is, where its build goes, what builds it, and the time that all files have."""

    root: Path
    target: Path
    tools: Tools
    epoch: int


def demand_no_settings(root: Path) -> None:
    """cargo reads a user's configuration, too: what would change the programs is not silently taken."""
    folders = [folder / ".cargo" for folder in (root, *root.parents)]
    for file in (folder / name for folder in (*folders, cargo_home()) for name in ("config.toml", "config")):
        if file.is_file():
            found = tomllib.loads(file.read_text())
            named = [name for name in SETTINGS if name in found]
            named += ["build.target"] if "target" in found.get("build", {}) else []
            if named:
                raise Failure(f"{file}: would change the programs: {', '.join(named)}")


def begin(place: Place) -> None:
    """Removes what other tools have built: cargo would not link again because the linker is another one."""
    stamp, made_with = place.target / "made-with", "\n".join([place.tools.rust.release, *PINNED]) + "\n"
    if not stamp.is_file() or stamp.read_text() != made_with:
        for left in place.target.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        stamp.write_text(made_with)


def programs(place: Place, kind: Kind, folder: Path) -> None:
    """Puts the programs of a kind into `folder`."""
    command: list[str | Path] = [
        place.tools.bin / "cargo-zigbuild", "zigbuild", "--release", "--locked", "--quiet",
        "--target", kind.linked_for, "-Zbuild-std=std,panic_abort", "-Zbuild-std-features=",
        *(word for program in PROGRAMS for word in ("--package", program)),
    ]
    flags = [*remapped(place), *(STATIC if kind.is_static else ())]
    run(command, place.root, {**environment(place), "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)})
    folder.mkdir(parents=True)
    for program in PROGRAMS:
        shutil.copy(place.target / kind.triple / "release" / program, folder / program)
        (folder / program).chmod(0o755)


# zig has musl and its start files: rustc need not look for its own. zig does not know rustc's `-static-pie`, and
# would link for a fixed address.
STATIC = ("-Clink-self-contained=no", "-Clink-arg=-pie")


def remapped(place: Place) -> list[str]:
    """The flags that give places other names. The last one that fits counts."""
    library = place.tools.rust.library
    names = {cargo_home(): CRATES, place.root: PROJECT, library: LIBRARY, library.resolve(): LIBRARY}
    for index in (cargo_home() / "registry" / "src").glob("*"):
        names[index] = CRATES
    return [f"--remap-path-prefix={path}={name}" for path, name in names.items()]


def cargo(place: Place, command: str, *words: str | Path) -> str:
    """Has cargo do or say something of the project, with the lock file as it is."""
    return run([place.tools.rust.cargo, command, "--locked", *words], place.root, environment(place))


def cargo_home() -> Path:
    return Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")).resolve()


def environment(place: Place) -> dict[str, str]:
    """What cargo and zig are told. Their caches are with the build, so that nothing of another one comes in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_KEPT)}
    rust = place.tools.rust
    return {
        **kept,
        "PATH": f"{place.tools.bin}:{os.environ['PATH']}",
        "CARGO": str(rust.cargo), "RUSTC": str(rust.rustc),
        # Building the standard library is not yet stable.
        "RUSTC_BOOTSTRAP": "1",
        # In place of what a user's configuration says.
        "CARGO_INCREMENTAL": "0", "RUSTC_WRAPPER": "", "RUSTC_WORKSPACE_WRAPPER": "",
        "SOURCE_DATE_EPOCH": str(place.epoch),
        "CARGO_TARGET_DIR": str(place.target),
        "CARGO_ZIGBUILD_CACHE_DIR": str(place.target / "zigbuild"),
        "ZIG_GLOBAL_CACHE_DIR": str(place.target / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(place.target / "zig"),
    }
