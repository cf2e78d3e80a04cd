"""Whether a release can be made again: all of it once more, elsewhere, and each file compared byte for byte."""

import filecmp
import os
import shutil
import sys
import tempfile
from pathlib import Path

from release.build import Place
from release.steps import Failure, run
from release.targets import Kind

# Another path, and another number of folders in it.
INSIDE = "another/place/where the source is"


def check(place: Place, stage: Path, kinds: list[Kind], packages: bool) -> int:
    """Makes the release again, from a copy of the source. Returns how many files are the same."""
    with tempfile.TemporaryDirectory(prefix="release-") as scratch:
        copy = Path(scratch, INSIDE)
        copy_source(place.root, copy)
        # The tools may be the same. What they make, and their caches, are with the build.
        tools = copy / "target" / "release-tools"
        tools.parent.mkdir()
        tools.symlink_to(place.tools.bin.parent.parent)
        chosen = ",".join(kind.name for kind in kinds)
        command: list[str | Path] = [sys.executable, copy / "scripts" / "release", "--kind", chosen,
                                     *([] if packages else ["--no-packages"])]
        own = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
        run(command, copy, {**own, "SOURCE_DATE_EPOCH": str(place.epoch)}, is_shown=True)
        return compare(stage, copy / "dist")


def copy_source(root: Path, copy: Path) -> None:
    """What git knows of, as it is now, and what is new and not ignored."""
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], root)
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():  # a file may be removed, but not yet for git
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, copy / name)


def compare(one: Path, other: Path) -> int:
    mine, theirs = files(one), files(other)
    unlike = sorted(mine ^ theirs)
    unlike += sorted(name for name in mine & theirs if not filecmp.cmp(one / name, other / name, shallow=False))
    if unlike:
        raise Failure(f"made again, {len(unlike)} of {len(mine | theirs)} files differ: {', '.join(unlike)}")
    return len(mine)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
