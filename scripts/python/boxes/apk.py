"""Reads a package of Alpine's, which Debian has no tool for.

The file is two or three streams of gzip, one after the other: a signature (ours has none), what the package says of
itself, and the files. See https://wiki.alpinelinux.org/wiki/Apk_spec.
"""

import hashlib
import io
import tarfile
import zlib
from pathlib import Path

GZIP = 16 + zlib.MAX_WBITS  # for zlib: with gzip's header
CHECKSUM = "APK-TOOLS.checksum.SHA1"


class Apk:
    """The package: its fields, what is beside them (its scripts), and its files."""

    def __init__(self, path: Path) -> None:
        streams = split(path.read_bytes())
        if len(streams) != 2:
            raise ValueError(f"{path.name}: {len(streams)} streams of gzip, not 2")
        control, data = streams
        self.data_hash = hashlib.sha256(data).hexdigest()
        said = {member.name: content for member, content in unpack(control)}
        self.lines = said.pop(".PKGINFO").decode().splitlines()
        self.scripts = sorted(said)
        self.members = unpack(data)

    @property
    def fields(self) -> dict[str, str]:
        """What it says of itself. A line that is no field is a field without a value, which no package should have."""
        pairs = (line.partition(" = ") for line in self.lines if not line.startswith("#"))
        return {name: value for name, _, value in pairs}

    @property
    def files(self) -> dict[str, bytes]:
        return {f"/{member.name}": content for member, content in self.members if member.isfile()}

    def wrong_sums(self) -> list[str]:
        """The files whose checksum, which apk compares at the installation, is not that of their content."""
        return [member.name for member, content in self.members
                if member.isfile() and member.pax_headers.get(CHECKSUM) != hashlib.sha1(content).hexdigest()]


def split(content: bytes) -> list[bytes]:
    """The streams of gzip, as they are."""
    found = []
    while content:
        stream = zlib.decompressobj(GZIP)
        stream.decompress(content)
        rest = stream.unused_data
        found.append(content[: len(content) - len(rest)])
        content = rest
    return found


def unpack(stream: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(stream), mode="r:gz") as archive:
        return [(member, read(archive, member)) for member in archive]


def read(archive: tarfile.TarFile, member: tarfile.TarInfo | str) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""
