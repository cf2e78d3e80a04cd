"""What is in a package, whatever its format: each file, and what its content is."""

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Iterable, NamedTuple

from boxes.apk import Apk, read

DOCUMENTS = "/usr/share/doc/getthrough"
# Only Debian's package has these: its law, its changelog, what its checker is to overlook.
DEBIANS = (f"{DOCUMENTS}/copyright", f"{DOCUMENTS}/changelog.gz", "/usr/share/lintian/overrides/getthrough")
UNITS = "/usr/lib/systemd/system/"
ZSH = {"deb": "/usr/share/zsh/vendor-completions/"}
ZSH_ELSEWHERE = "/usr/share/zsh/site-functions/"


class Entry(NamedTuple):
    """A file in a package."""

    mode: int  # its permissions
    owner: str
    digest: str  # SHA-256


Contents = dict[str, Entry]


def of(path: Path) -> Contents:
    return {".deb": of_deb, ".rpm": of_rpm, ".apk": of_apk}[path.suffix](path)


def of_deb(path: Path) -> Contents:
    archive = io.BytesIO(output(["dpkg-deb", "--fsys-tarfile", path]))
    with tarfile.open(fileobj=archive) as tar:
        return of_members((member, read(tar, member)) for member in tar)


def of_apk(path: Path) -> Contents:
    return of_members(Apk(path).members)


def of_members(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> Contents:
    return {"/" + member.name.removeprefix("./"): Entry(member.mode, f"{member.uname}:{member.gname}", digest(content))
            for member, content in members if not member.isdir()}


def of_rpm(path: Path) -> Contents:
    fields = "%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEDIGESTS}"
    rows = [line.split(" ") for line in query(path, f"[{fields}\\n]").splitlines()]
    # A directory has no digest.
    return {name: Entry(int(mode, 8) & 0o7777, owner, sha256) for name, mode, owner, sha256 in rows if sha256}


def query(path: Path, fields: str) -> str:
    """What rpm says of a package."""
    return output(["rpm", "--query", "--package", "--nosignature", "--queryformat", fields, path]).decode()


def common(path: Path) -> Contents:
    """The files that the packages of all formats have, as if zsh had the same place for them everywhere."""
    place = ZSH.get(path.suffix.lstrip("."), ZSH_ELSEWHERE)
    files = {name.replace(place, ZSH_ELSEWHERE): entry for name, entry in of(path).items()}
    return {name: entry for name, entry in files.items() if name not in DEBIANS}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def output(command: list[str | Path]) -> bytes:
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if ended.returncode != 0:
        raise RuntimeError(f"{command[0]}: {ended.stderr.decode().strip()}")
    return ended.stdout
