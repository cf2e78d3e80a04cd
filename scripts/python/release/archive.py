"""The tarball of one kind: what is in it lies as it belongs into /usr/local.

    tar --extract --gzip --directory /usr/local --strip-components 1 --file getthrough-*.tar.gz

The same files make the same bytes: sorted, of root, with the time of the release. Folders are not in it: tar would give
/usr/local/bin the mode and the time that they have here.
"""

import io
import tarfile
from pathlib import Path

from lab.case import PROGRAMS
from release.contents import Contents, Files, zipped
from release.targets import Kind

DOCUMENTS = "share/doc/getthrough"
# Where the shells look, beside /usr/share also in /usr/local/share.
COMPLETIONS = {
    "bash": "share/bash-completion/completions",
    "zsh": "share/zsh/site-functions",
    "fish": "share/fish/vendor_completions.d",
}


def write(stage: Path, kind: Kind, version: str, epoch: int, contents: Contents) -> Path:
    """Makes the tarball of a kind in `stage`, with the programs there."""
    name = f"getthrough-{version}-{kind.machine}-linux-{kind.libc}"
    path = stage / f"{name}.tar.gz"
    files = {f"bin/{program}": (stage / "bin" / kind.name / program).read_bytes() for program in PROGRAMS}
    files |= placed(contents)
    path.write_bytes(zipped(packed({f"{name}/{place}": content for place, content in files.items()}, epoch)))
    return path


def placed(contents: Contents) -> Files:
    """What goes along, by where it lies."""
    folders = {"share/man/man1": contents.pages, "lib/systemd/system": contents.units,
               **{folder: contents.completions[shell] for shell, folder in COMPLETIONS.items()},
               DOCUMENTS: contents.licences | contents.documents}
    return {f"{folder}/{name}": content for folder, files in folders.items() for name, content in files.items()}


def packed(files: Files, epoch: int) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for place, content in sorted(files.items()):
            member = tarfile.TarInfo(place)
            member.size, member.mtime = len(content), epoch
            member.mode = 0o755 if "/bin/" in place else 0o644
            member.uname = member.gname = "root"
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()
