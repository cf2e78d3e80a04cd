"""The tarball of one kind: what is in it lies as it belongs into /usr/local.

    tar --extract --gzip --directory /usr/local --strip-components 1 --file getthrough-*.tar.gz

The same files make the same bytes: sorted, of root, with the time of the release. Folders are not in it: tar would give
/usr/local/bin the mode and the time that they have here.
"""

import gzip
import io
import tarfile
from pathlib import Path
from typing import Mapping

from lab.case import PROGRAMS
from release import documents, notices
from release.targets import Kind

LICENCES = ("LICENSE-MIT", "LICENSE-APACHE")
UNITS = (".service", ".socket", ".timer")
DOCUMENTS = "share/doc/getthrough"
# Where the shells look, beside /usr/share also in /usr/local/share.
COMPLETIONS = {
    "bash": "share/bash-completion/completions",
    "zsh": "share/zsh/site-functions",
    "fish": "share/fish/vendor_completions.d",
}


def name(kind: Kind, version: str) -> str:
    return f"getthrough-{version}-{kind.machine}-linux-{kind.libc}"


def write(root: Path, stage: Path, kind: Kind, version: str, epoch: int) -> Path:
    """Makes the tarball in `stage`, from what is there already, and from the project."""
    path = stage / f"{name(kind, version)}.tar.gz"
    files = {f"{name(kind, version)}/{place}": content for place, content in contents(root, stage, kind).items()}
    path.write_bytes(compressed(files, epoch))
    return path


def contents(root: Path, stage: Path, kind: Kind) -> dict[str, bytes]:
    """The files, by where they lie."""
    content = {place: source.read_bytes() for place, source in placed(root, stage, kind).items()}
    content[f"{DOCUMENTS}/{notices.NAME}"] = notices.text(root).encode()
    beside = {*LICENCES, notices.NAME}
    return content | {f"{DOCUMENTS}/{name}": text for name, text in documents.shipped(root, beside).items()}


def placed(root: Path, stage: Path, kind: Kind) -> dict[str, Path]:
    """What is in the tarball as it lies here."""
    files = {f"bin/{program}": stage / "bin" / kind.name / program for program in PROGRAMS}
    files |= {f"share/man/man1/{page.name}": page for page in (stage / "man" / "man1").iterdir()}
    for shell, folder in COMPLETIONS.items():
        files |= {f"{folder}/{file.name}": file for file in (stage / "completions" / shell).iterdir()}
    files |= {f"lib/systemd/system/{unit.name}": unit
               for unit in (root / "packaging" / "systemd").iterdir() if unit.suffix in UNITS}
    files |= {f"{DOCUMENTS}/{licence}": root / licence for licence in LICENCES}
    return files


def compressed(files: Mapping[str, bytes], epoch: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for place, content in sorted(files.items()):
            member = tarfile.TarInfo(place)
            member.size, member.mtime = len(content), epoch
            member.mode = 0o755 if "/bin/" in place else 0o644
            member.uname = member.gname = "root"
            tar.addfile(member, io.BytesIO(content))
    zipped = io.BytesIO()
    # gzip.compress would write a header that depends on Python's version.
    with gzip.GzipFile("", "wb", 9, zipped, mtime=0) as stream:
        stream.write(packed.getvalue())
    return zipped.getvalue()
