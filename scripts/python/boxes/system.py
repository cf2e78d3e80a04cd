"""A box that has this machine's system: what is installed in it, changed or removed is so in the box alone.

The system's files are the lower layer of an overlayfs, whose upper layer is in memory. All of it lives in namespaces
of its own (of mounts, processes, networks and names), and is gone when their first process ends.
"""

import os
import stat
from pathlib import Path
from types import TracebackType

from lab import harness
from lab.harness import Ended, Word
from lab.namespace import LAY_OVER

# The first process. It mounts, says so, and waits until its standard input ends.
FIRST = "set -eu" + LAY_OVER + r"""mount --rbind /dev root/dev
mount --rbind /sys root/sys
mount -t proc proc root/proc
# Images of containers leave out man pages and documents.
for file in root/etc/dpkg/dpkg.cfg.d/*; do
    ! grep -q ^path-exclude "$file" || rm "$file"
done
ip link set lo up
echo ready
read -r _ || :
"""
# As a login has it. What programs write for their user lies in the box's /tmp, which is no part of the system.
ENVIRONMENT = ("env", "--ignore-environment", "HOME=/tmp", "LC_ALL=C.UTF-8", "TERM=dumb",
               "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2"}
NAMESPACES = ("--mount", "--pid", "--net", "--uts", "--ipc")


class System:
    """The box, for as long as the block lasts."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._mounted = scratch / "system"
        self._mounted.mkdir()
        read, self._standing = os.pipe()
        with open(scratch / "system.out", "wb") as out, open(scratch / "system.err", "wb") as err:
            self._first = harness.start(
                ["unshare", *NAMESPACES, "--fork", "--kill-child", "--propagation", "private",
                 "sh", "-c", FIRST, "sh", self._mounted],
                stdin=read, stdout=out, stderr=err)
        os.close(read)
        harness.until(lambda: self._first.poll() is not None or (scratch / "system.out").read_bytes())
        if self._first.poll() is not None:
            raise RuntimeError(f"the box cannot be made: {(scratch / 'system.err').read_text().strip()}")
        children = Path(f"/proc/{self._first.pid}/task/{self._first.pid}/children").read_text()
        self._pid = int(children.split()[0])

    def __enter__(self) -> "System":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.close(self._standing)
        harness.reap(self._first)

    def path(self, path: str) -> Path:
        """A file of the box, as it is seen from here."""
        return self._outside / "root" / path.lstrip("/")

    def command(self, *words: Word) -> list[Word]:
        """The command that runs this one in the box."""
        root = str(self._mounted / "root")
        return ["nsenter", "--target", str(self._pid), *NAMESPACES, "chroot", root, *ENVIRONMENT, *words]

    def run(self, *words: Word, seconds: float = 120.0) -> Ended:
        """Runs a program in the box to its end."""
        return harness.run(self.command(*words), self._scratch, seconds)

    def changes(self) -> set[str]:
        """What is in the box's system that was not there before, or is not as it was: files, links, directories.

        A directory counts if it is new; what is gone is not counted.
        """
        upper = self._outside / "upper"
        found = set()
        for path in upper.rglob("*"):
            inside, mode = "/" + path.relative_to(upper).as_posix(), path.lstat().st_mode
            is_old = stat.S_ISCHR(mode) or (stat.S_ISDIR(mode) and Path(inside).is_dir())
            if not is_old:
                found.add(inside)
        return found

    @property
    def _outside(self) -> Path:
        """Where the first process has mounted it: nobody else sees that."""
        return Path(f"/proc/{self._pid}/root{self._mounted}")
