"""The packages deb, rpm and apk, by nfpm, from packaging/nfpm.yaml.

For each architecture the files are laid out in a directory as nfpm.yaml names them, with the time of the release, so
that two runs make the same bytes.
"""

import os
import shutil
import tempfile
from email.utils import formatdate
from pathlib import Path
from typing import Iterable, NamedTuple

from lab.case import PROGRAMS
from release.build import Place, environment
from release.contents import Contents, Files, zipped
from release.steps import run

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # nfpm's names are Go's


class Format(NamedTuple):
    """One of nfpm's formats: its release number, the name of its file, and how it has the description."""

    packager: str
    release: str
    file: str
    description: slice  # which lines


FORMATS = (
    Format("deb", "", "getthrough_{version}_{debian}.deb", slice(0, None)),
    Format("rpm", "1", "getthrough-{version}-1.{machine}.rpm", slice(1, None)),
    Format("apk", "0", "getthrough-{version}-r0.{machine}.apk", slice(0, 1)),
)


def build(place: Place, stage: Path, version: str, contents: Contents) -> list[Path]:
    """Makes the packages in `stage`, of each architecture whose static programs are there. Returns their files."""
    made = []
    for machine in ARCHITECTURES:
        programs = stage / "bin" / f"{machine}-musl"
        if not programs.is_dir():
            continue
        with tempfile.TemporaryDirectory(prefix="packages-") as scratch:
            tree = Path(scratch)
            lay_out(tree, place, programs, version, contents)
            made += [package(tree, place, stage, machine, version, form) for form in FORMATS]
    return made


def lay_out(tree: Path, place: Place, programs: Path, version: str, contents: Contents) -> None:
    """Puts everything where nfpm.yaml looks for it."""
    packaging = place.root / "packaging"
    copy((programs / program for program in PROGRAMS), tree / "bin")
    write(tree / "man" / "man1", {f"{name}.gz": zipped(page) for name, page in contents.pages.items()})
    for shell, completions in contents.completions.items():
        write(tree / "completions" / shell, completions)
    write(tree / "units", contents.units)
    write(tree / "licences", contents.licences)
    write(tree / "doc", contents.documents)
    copy((packaging / "scripts").iterdir(), tree / "packaging" / "scripts")
    copy([packaging / "nfpm.yaml", packaging / "description"], tree / "packaging")
    write(tree / "debian", {
        "copyright": (packaging / "copyright").read_bytes(),
        "overrides": (packaging / "lintian-overrides").read_bytes(),
        "changelog.gz": zipped(changelog(version, place.epoch).encode()),
    })
    settle(tree, place.epoch)


def package(tree: Path, place: Place, stage: Path, machine: str, version: str, form: Format) -> Path:
    debian = ARCHITECTURES[machine]
    made = stage / form.file.format(version=version, machine=machine, debian=debian)
    lines = (tree / "packaging" / "description").read_text().splitlines()[form.description]
    named = {"ARCH": debian, "VERSION": version, "RELEASE": form.release, "DESCRIPTION": "\n".join(lines).strip()}
    run([place.tools.nfpm.resolve(), "package", "--config", "packaging/nfpm.yaml", "--packager", form.packager,
         "--target", made.resolve()], tree, {**environment(place), **named})
    return made


def changelog(version: str, epoch: int) -> str:
    """Debian has a form of its own for it. What has changed is said once, in CHANGELOG.md."""
    return (f"getthrough ({version}) unstable; urgency=medium\n\n"
            f"  * What has changed is in CHANGELOG.md, beside this file.\n\n"
            f" -- The getthrough authors <authors@getthrough.invalid>  {formatdate(epoch)}\n")


def copy(sources: Iterable[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copy(source, folder)


def write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def settle(tree: Path, epoch: int) -> None:
    """Nothing may depend on who made the files, and when."""
    for path in [tree, *tree.rglob("*")]:
        path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (epoch, epoch))
