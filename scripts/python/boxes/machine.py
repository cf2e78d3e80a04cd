"""A machine of our own, with systemd as its first process.

It has namespaces of its own for processes, mounts, network, host name, IPC and
control groups. Of this system it has /usr, read-only, and the programs are in
/usr/local/bin for it alone. Everything else is empty. systemd reads only the units
that it is given, which are ours, the journal's, and the few targets that others
name: nothing of this system's starts.
"""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from boxes.unit_file import FOLDER
from lab import harness, systemd
from lab.harness import Ended, Word, until
from lab.systemd import SYSTEMD, TARGETS

NAME = "box-of-units"
UNITS = Path("etc/systemd/system")
GROUP, GROUP_ID = "prometheus", 990  # that of a collector of figures
ENVIRONMENT = ("PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin", f"SYSTEMD_UNIT_PATH=/{UNITS}")
NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child", "--net", "--uts", "--ipc", "--cgroup")
JOURNAL = ("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket")
# Runs in the new namespaces: makes the directory $1 with the programs of $2 the root, and becomes systemd.
BOOT = f"""
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount --bind /usr usr
mount -o remount,bind,ro usr
mount --bind "$2" usr/local/bin
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup sys/fs/cgroup
for directory in run tmp dev; do mount -t tmpfs tmpfs "$directory"; done
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
hostname {NAME}
ip link set lo up
ip address add 192.0.2.1 dev lo
ip address add 2001:db8::7 dev lo
pivot_root . old
umount -l /old
exec env -i container=boxes {" ".join(ENVIRONMENT)} {SYSTEMD} --unit=boxes.target
"""
TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "hostname": "hostname",
         "ip": "iproute2", "systemctl": "systemd", "journalctl": "systemd"}


class Machine:
    """A machine, from its start to its end. `root` is its root directory."""

    def __init__(self, programs: Path, scratch: Path) -> None:
        groups = systemd.control_groups()
        if not groups:
            raise RuntimeError("no control groups")
        self._scratch = scratch
        self._group = groups / f"getthrough-boxes-{os.getpid()}"
        self._group.mkdir()
        self.root = scratch / "root"
        _furnish(self.root)
        command: list[Word] = ["unshare", *NAMESPACES, "sh", "-c", BOOT, "sh", self.root, programs]
        self._said = scratch / "machine.err"
        with open(self._said, "wb") as said:
            self._process = harness.start(command, stdout=said, stderr=said, preexec_fn=self._join)
        self._pid = 0

    def _join(self) -> None:
        (self._group / "cgroup.procs").write_text("0")

    def boot(self) -> None:
        """Waits until the first units are up."""
        if not until(self._is_up):
            raise RuntimeError(f"systemd does not start: {self._said.read_text()[-300:]}")

    def _is_up(self) -> bool:
        if self._process.poll() is not None:
            return True
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not children or os.readlink(f"/proc/{children[0]}/exe") != SYSTEMD:
            return False
        self._pid = int(children[0])
        return self.do("systemctl", "is-active", "boxes.target").status == 0

    def do(self, *command: Word, seconds: float = harness.PATIENCE) -> Ended:
        """Runs a command in the machine."""
        enter = ("nsenter", "--all", f"--target={self._pid}", "env", "-i", *ENVIRONMENT)
        return harness.run([*enter, *command], self._scratch, seconds)

    def shown(self, unit: str, key: str) -> str:
        """A property of a unit."""
        return self.do("systemctl", "show", f"--property={key}", "--value", unit).output.decode().strip()

    def journal(self, unit: str) -> str:
        """What the journal has of a unit."""
        self.do("journalctl", "--sync")
        return self.do("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").output.decode()

    def drop_in(self, unit: str, *lines: str) -> None:
        """Adds to a unit what a user writes in `systemctl edit`. What is added later counts."""
        folder = self.root / UNITS / f"{unit}.d"
        folder.mkdir(exist_ok=True)
        with open(folder / "override.conf", "a") as override:
            override.write("\n".join(lines) + "\n")
        self.do("systemctl", "daemon-reload")

    def close(self) -> None:
        """Ends it with all of its processes, and removes its control groups."""
        self._process.kill()
        harness.reap(self._process)
        if not until(lambda: systemd.removed(self._group)):
            raise RuntimeError(f"{self._group} is still in use")


def _furnish(root: Path) -> None:
    """What the root has before anything is mounted: our units, and the few files that programs need."""
    for folder in ("usr", "proc", "sys", "run", "tmp", "dev", "old", "root", "home", "var/lib", "var/tmp", UNITS):
        (root / folder).mkdir(parents=True)
    for folder in ("bin", "sbin", "lib", "lib64"):
        if Path("/", folder).is_symlink():
            (root / folder).symlink_to(f"usr/{folder}")
    for name in ("nsswitch.conf", "ld.so.cache"):
        if Path("/etc", name).exists():
            shutil.copy(Path("/etc", name), root / "etc" / name)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
    (root / "etc/group").write_text(f"root:x:0:\nnogroup:x:65534:\n{GROUP}:x:{GROUP_ID}:\n")
    (root / "etc/machine-id").touch()
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n127.0.0.3 box-a\n")
    units = root / UNITS
    for unit in (*FOLDER.iterdir(), *(Path(SYSTEMD).parent / "system" / name for name in JOURNAL)):
        shutil.copy(unit, units)
    for target in TARGETS:
        (units / f"{target}.target").write_text(systemd.target(target))
    wanted = "basic.target sockets.target timers.target systemd-journald.socket systemd-journald-dev-log.socket"
    (units / "boxes.target").write_text(f"[Unit]\nDescription=Boxes\nRequires={wanted}\nAfter={wanted}\n")


@contextmanager
def running(programs: Path, scratch: Path) -> Iterator[Machine]:
    """A machine with these programs, for as long as the block lasts."""
    machine = Machine(programs, scratch)
    try:
        machine.boot()
        yield machine
    finally:
        machine.close()
