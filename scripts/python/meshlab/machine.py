"""A host that Ansible can log in at: a network of a desk, a file system and processes of its own, and sshd.

Of this machine's files it sees all, and what it changes is its own: they are the lower layer of an overlayfs, whose
upper layer is in memory. Its first process is sshd or, if asked for, systemd, with nothing of this system's units.
All of it is gone when the first process ends.
"""

import hashlib
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from lab import harness
from lab.harness import Ended, Word, until
from lab.hosts import Host
from lab.namespace import LAY_OVER
from lab.systemd import SYSTEMD, TARGETS, control_groups, removed, target

TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "hostname": "hostname", "/usr/sbin/sshd": "openssh-server",
         "ssh": "openssh-client", "ssh-keygen": "openssh-client"}
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc")
# In the new namespaces: $1 is where to mount, $2 the name, $3 sshd's files; the rest is the first process.
FIRST = "set -eu" + LAY_OVER + r"""mount -t tmpfs -o mode=0700 tmpfs root/root
mkdir root/run/sshd root/run/old root/run/lab root/run/memory
mount --bind . root/run/memory
cp "$3"/* root/run/lab
mount --rbind /dev root/dev
mount -t proc proc root/proc
mount -t sysfs sysfs root/sys
rm -rf root/etc/getthrough root/var/lib/getthrough root/etc/systemd/system/* \
    root/var/lib/private/getthrough
if [ "$4" = systemd ]; then
    mount -t cgroup2 cgroup root/sys/fs/cgroup
    mkdir root/run/systemd
fi
hostname "$2"
cd root
pivot_root . run/old
umount -l /run/old
shift 4
exec env -i container=lab PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin "$@"
"""
SSHD = """
HostKey /run/lab/host
AuthorizedKeysFile /run/lab/authorized
PidFile none
Subsystem sftp internal-sftp
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
PrintMotd no
MaxStartups 100
"""
UNITS = "/etc/systemd/system:/run/lab"


class Keys:
    """What sshd needs, and who logs in: made anew for each case."""

    def __init__(self, scratch: Path) -> None:
        self.folder = scratch / "lab"
        self.folder.mkdir()
        self.private = scratch / "key"
        for key in (self.private, self.folder / "host"):
            made = harness.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], scratch)
            if made.status != 0:
                raise RuntimeError(f"ssh-keygen: {made.errors.decode().strip()}")
        (self.folder / "authorized").write_bytes(self.private.with_suffix(".pub").read_bytes())
        (self.folder / "sshd_config").write_text(SSHD)
        for name in TARGETS:
            (self.folder / f"{name}.target").write_text(target(name))
        (self.folder / "sshd.service").write_text(
            "[Unit]\nDescription=sshd\nDefaultDependencies=no\n"
            "[Service]\nExecStart=/usr/sbin/sshd -D -f /run/lab/sshd_config\nKillMode=process\n")
        wanted = "basic.target sockets.target timers.target sshd.service"
        (self.folder / "lab.target").write_text(f"[Unit]\nDescription=Lab\nRequires={wanted}\nAfter={wanted}\n")

    @property
    def known_host(self) -> str:
        """The host key of all of them, as known_hosts has it."""
        return (self.folder / "host.pub").read_text().strip()


class Machine:
    """A host of a desk, from its start to its end."""

    def __init__(self, name: str, network: Host, scratch: Path, keys: Keys, systemd: bool = False) -> None:
        self.name, self._scratch = name, scratch
        mounted = scratch / name
        mounted.mkdir()
        self._group = None
        if systemd and (groups := control_groups()):
            self._group = groups / f"getthrough-lab-{os.getpid()}-{name}"
            self._group.mkdir()
        first = ([f"SYSTEMD_UNIT_PATH={UNITS}", SYSTEMD, "--unit=lab.target"] if systemd else
                 ["/usr/sbin/sshd", "-D", "-f", "/run/lab/sshd_config"])
        kinds = (*NAMESPACES, "--cgroup") if systemd else NAMESPACES
        self._said = scratch / f"{name}.err"
        with open(self._said, "wb") as said, network.entered():
            self._process = harness.start(
                ["unshare", *kinds, "--fork", "--kill-child", "--propagation", "private", "sh", "-c", FIRST, "sh",
                 mounted, name, keys.folder, "systemd" if systemd else "sshd", *first],
                stdout=said, stderr=said, preexec_fn=self._join)
        self._pid = 0

    def _join(self) -> None:
        if self._group:
            (self._group / "cgroup.procs").write_text("0")

    def wait(self) -> None:
        """Until somebody can log in."""
        if not until(self._is_up) or self._process.poll() is not None:
            raise RuntimeError(f"{self.name} does not start: {self._said.read_text()[-300:]}")

    def _is_up(self) -> bool:
        if self._process.poll() is not None:
            return True
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not children:
            return False
        self._pid = int(children[0])
        return "sshd" in self.processes() and ":0016 " in Path(f"/proc/{self._pid}/net/tcp").read_text()

    def processes(self) -> list[str]:
        """The programs that run there."""
        return [process.partition(" ")[2] for process in self._numbered()]

    def _numbered(self) -> Iterator[str]:
        try:
            for each in self._root("proc").iterdir():
                if each.name.isdigit():
                    yield f"{each.name} {(each / 'comm').read_text().strip()}"
        except OSError:  # it has just ended
            return

    def _root(self, path: str) -> Path:
        """A file of the host, as it is seen from here."""
        return Path(f"/proc/{self._pid}/root", path.lstrip("/"))

    def files(self) -> dict[str, str]:
        """What differs from this machine's files, and is in /root, /tmp and /run: each with its mode and content."""
        found = {}
        for layer, name in (("run/memory/upper", ""), ("root", "/root"), ("tmp", "/tmp"), ("run", "/run")):
            root = self._root(layer)
            for folder, folders, files in os.walk(root):
                if layer == "run":
                    folders[:] = [each for each in folders if each not in ("memory", "systemd", "lab")]
                for each in (*folders, *files):
                    path = Path(folder, each)
                    found[f"{name}/{path.relative_to(root)}"] = _what(path)
        return found

    def read(self, path: str) -> str:
        return self._root(path).read_text()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        self._root(path).parent.mkdir(parents=True, exist_ok=True)
        self._root(path).write_text(text)
        self._root(path).chmod(mode)

    def do(self, *command: Word, seconds: float = harness.PATIENCE) -> Ended:
        """Runs a command there."""
        return harness.run(["nsenter", "--all", f"--target={self._pid}", "env", "-i",
                            "PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin", *command], self._scratch, seconds)

    def close(self) -> None:
        """Ends it, with all that runs there."""
        self._process.kill()
        harness.reap(self._process)
        if not until(self._has_no_group):
            raise RuntimeError(f"{self._group} is still in use")

    def _has_no_group(self) -> bool:
        return not self._group or removed(self._group)


def _what(path: Path) -> str:
    state = path.lstat()
    content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(state.st_mode) else ""
    return f"{state.st_mode:o} {state.st_uid} {content}"


@contextmanager
def running(networks: dict[str, Host], scratch: Path, keys: Keys,
            systemd: tuple[str, ...] = ()) -> Iterator[dict[str, Machine]]:
    """A machine in each network, for as long as the block lasts; those of these names with systemd."""
    machines: dict[str, Machine] = {}
    try:
        for name, network in networks.items():
            machines[name] = Machine(name, network, scratch, keys, name in systemd)
        for machine in machines.values():
            machine.wait()
        yield machines
    finally:
        for machine in machines.values():
            machine.close()
