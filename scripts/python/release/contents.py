"""What goes along with the programs, in the tarballs and in the packages alike."""

import gzip
import io
from pathlib import Path
from typing import Iterable, NamedTuple

from release import documents, notices
from release.build import Place

LICENCES = ("LICENSE-MIT", "LICENSE-APACHE")
UNITS = (".service", ".socket", ".timer")
SHELLS = ("bash", "zsh", "fish")

Files = dict[str, bytes]  # by their names


class Contents(NamedTuple):
    """The files of each sort."""

    pages: Files
    completions: dict[str, Files]  # by shell
    units: Files
    licences: Files  # and the notices of what is linked in
    documents: Files  # with the folders below docs


def gather(place: Place, stage: Path) -> Contents:
    """Reads them: what has been made in `stage`, and what is the project's."""
    licences = {name: (place.root / name).read_bytes() for name in LICENCES}
    licences[notices.NAME] = notices.text(place).encode()
    units = [path for path in (place.root / "packaging" / "systemd").iterdir() if path.suffix in UNITS]
    return Contents(
        pages=read((stage / "man" / "man1").iterdir()),
        completions={shell: read((stage / "completions" / shell).iterdir()) for shell in SHELLS},
        units=read(units),
        licences=licences,
        documents=documents.shipped(place.root, beside=set(licences)),
    )


def read(paths: Iterable[Path]) -> Files:
    return {path.name: path.read_bytes() for path in sorted(paths)}


def zipped(content: bytes) -> bytes:
    """As `gzip -9n` does it: without a name and a time. gzip.compress writes a header that depends on Python's version."""
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, packed, mtime=0) as stream:
        stream.write(content)
    return packed.getvalue()
