"""The packages deb, rpm and apk, by nfpm, from packaging/nfpm.yaml.

For each architecture the files are laid out in a directory as nfpm.yaml names them, with the time of the release, so
that two runs make the same bytes.
"""

import gzip
import os
import shutil
import subprocess
import tempfile
from email.utils import formatdate
from pathlib import Path
from typing import Iterable, NamedTuple

from lab.case import PROGRAMS
from release import documents, notices

LICENCES = ("LICENSE-MIT", "LICENSE-APACHE")
UNITS = ("*.service", "*.socket", "*.timer")
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


def build(root: Path, stage: Path, version: str, epoch: int, nfpm: Path) -> list[Path]:
    """Makes the packages in `stage`, from its bin, man and completions. Returns their files.

    An architecture is made if its static programs are there.
    """
    machines = [machine for machine in ARCHITECTURES if (stage / "bin" / f"{machine}-musl").is_dir()]
    if not machines:
        raise FileNotFoundError(f"{stage}/bin: has no static programs")
    third_party = notices.text(root)
    made = []
    for machine in machines:
        with tempfile.TemporaryDirectory(prefix="packages-") as scratch:
            tree = Path(scratch)
            lay_out(tree, root, stage, machine, version, epoch, third_party)
            made += [package(tree, stage, machine, version, epoch, nfpm, form) for form in FORMATS]
    return made


def lay_out(tree: Path, root: Path, stage: Path, machine: str, version: str, epoch: int, third_party: str) -> None:
    """Puts everything where nfpm.yaml looks for it."""
    packaging = root / "packaging"
    copy((stage / "bin" / f"{machine}-musl" / program for program in PROGRAMS), tree / "bin")
    for page in files(stage / "man" / "man1", "*.1"):
        write(tree / "man" / "man1" / f"{page.name}.gz", compressed(page.read_bytes()))
    for shell in ("bash", "zsh", "fish"):
        copy(files(stage / "completions" / shell, "*"), tree / "completions" / shell)
    copy(files(packaging / "systemd", *UNITS), tree / "units")
    copy(files(packaging / "scripts", "*"), tree / "packaging" / "scripts")
    copy([packaging / "nfpm.yaml", packaging / "description"], tree / "packaging")
    copy([root / licence for licence in LICENCES], tree / "licences")
    write(tree / "licences" / notices.NAME, third_party.encode())
    for name, content in documents.shipped(root, beside={*LICENCES, notices.NAME}).items():
        write(tree / "doc" / name, content)
    copy([packaging / "copyright"], tree / "debian")
    write(tree / "debian" / "overrides", (packaging / "lintian-overrides").read_bytes())
    write(tree / "debian" / "changelog.gz", compressed(changelog(version, epoch).encode()))
    settle(tree, epoch)


def package(tree: Path, stage: Path, machine: str, version: str, epoch: int, nfpm: Path, form: Format) -> Path:
    debian = ARCHITECTURES[machine]
    made = stage / form.file.format(version=version, machine=machine, debian=debian)
    lines = (tree / "packaging" / "description").read_text().splitlines()[form.description]
    environment = {
        "ARCH": debian, "VERSION": version, "RELEASE": form.release, "DESCRIPTION": "\n".join(lines).strip(),
        "SOURCE_DATE_EPOCH": str(epoch),
    }
    command: list[str | Path] = [nfpm.resolve(), "package", "--config", "packaging/nfpm.yaml", "--packager",
                               form.packager, "--target", made.resolve()]
    ended = subprocess.run(command, cwd=tree, env={**os.environ, **environment}, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if ended.returncode != 0:
        raise RuntimeError(f"nfpm: {made.name}: {' '.join(ended.stdout.split())}")
    return made


def changelog(version: str, epoch: int) -> str:
    """Debian has a form of its own for it. What has changed is said once, in CHANGELOG.md."""
    return (f"getthrough ({version}) unstable; urgency=medium\n\n"
            f"  * What has changed is in CHANGELOG.md, beside this file.\n\n"
            f" -- The getthrough authors <authors@getthrough.invalid>  {formatdate(epoch)}\n")


def compressed(content: bytes) -> bytes:
    """As `gzip -9n` does it: without a name and a time."""
    return gzip.compress(content, 9, mtime=0)


def files(folder: Path, *patterns: str) -> list[Path]:
    found = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    if not found:
        raise FileNotFoundError(f"{folder}: has no {' or '.join(patterns)}")
    return found


def copy(sources: Iterable[Path], folder: Path) -> None:
    for source in sources:
        write(folder / source.name, source.read_bytes())
        shutil.copymode(source, folder / source.name)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def settle(tree: Path, epoch: int) -> None:
    """Nothing may depend on who made the files, and when."""
    for path in [tree, *tree.rglob("*")]:
        path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (epoch, epoch))
