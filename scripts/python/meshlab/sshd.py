"""A desk on which each host runs OpenSSH's sshd, and what is needed to come to it."""

import os
import subprocess
from pathlib import Path
from typing import Mapping, Sequence

from lab import harness
from lab.case import Case
from mesh.desks.desk import Desk

TOOLS = {"sshd": "openssh-server", "ssh": "openssh-client", "ssh-keygen": "openssh-client", "unshare": "util-linux"}
# Its own key, and nobody's files in /etc/ssh or /root/.ssh.
SERVER = """\
HostKey {scratch}/host
AuthorizedKeysFile {scratch}/{key}.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
SetEnv {environment}
"""
LEASED = f"mesh-{'[0-9a-f]' * 12}-*"  # the directories on hosts
CLIENT = """\
Host *
    User root
    IdentityFile {scratch}/user
    IdentitiesOnly yes
    UserKnownHostsFile {scratch}/known
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
"""


class Farm:
    """The sshds of a desk's hosts."""

    def __init__(self, case: Case, desk: Desk, environments: Mapping[str, Mapping[str, str]] = {},
                 strangers: Sequence[str] = (), without: Sequence[str] = (),
                 mounts: Mapping[str, Sequence[Path]] = {}) -> None:
        """`environments`: what a session has on a host; `strangers`: hosts that do not know our key; `without`: hosts
        that run none; `mounts`: where programs cannot run there."""
        self._case = case
        self._scratch = case.scratch
        self.places: dict[str, Path] = {}
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        for key in ("host", "user", "other"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._scratch / key], check=True)
        (self._scratch / "known").write_text(f"* {(self._scratch / 'host.pub').read_text()}")
        self.config = self._scratch / "ssh_config"
        self.config.write_text("".join(f"Host {host.name}\n    HostName {host.address}\n" for host in desk.fleet)
                               + CLIENT.format(scratch=self._scratch))
        self._said: list[Path] = []
        self.pids: set[int] = set()
        for host in desk.fleet:
            self.places[host.name] = self._scratch / f"tmp-{host.name}"
            self.places[host.name].mkdir()
            if host.name not in without:
                key = "other" if host.name in strangers else "user"
                environment = {"TMPDIR": str(self.places[host.name]), **environments.get(host.name, {})}
                self._start(desk, host.name, key, environment, mounts.get(host.name, ()))
        if not harness.until(lambda: all(b"listening" in said.read_bytes() for said in self._said)):
            raise RuntimeError("sshd does not listen")

    def _start(self, desk: Desk, name: str, key: str, environment: dict[str, str], noexec: Sequence[Path]) -> None:
        config, said = self._scratch / f"sshd-{name}", self._scratch / f"sshd-{name}.err"
        words = " ".join(f'{variable}="{value}"' for variable, value in environment.items())
        config.write_text(SERVER.format(scratch=self._scratch, key=key, environment=words))
        # The mounts are seen by this sshd alone, and end with it.
        mounting = "".join(f"mount -t tmpfs -o noexec tmpfs {place} && " for place in noexec)
        command = ["unshare", "--mount", "sh", "-c", f"{mounting}exec /usr/sbin/sshd -D -e -f {config}"]
        with desk.hosts[name].entered(), open(said, "wb") as err:
            process = harness.start(command, stdout=subprocess.DEVNULL, stderr=err)
        self.pids.add(process.pid)
        self._said.append(said)

    @property
    def ssh(self) -> str:
        """The words of the command."""
        return f"ssh -F {self.config}"

    @property
    def clush(self) -> str:
        return f"clush -o '-F {self.config} -oLogLevel=ERROR'"


def own_path(case: Case, name: str, without: Sequence[str] = (), busybox: bool = False) -> Path:
    """A directory to be a host's PATH: all programs of this machine but some, or those of busybox."""
    directory = case.scratch / f"path-{name}"
    directory.mkdir()
    if busybox:
        listed = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
        found = {applet: "/bin/busybox" if os.path.exists("/bin/busybox") else "/usr/bin/busybox" for applet in listed}
    else:
        found = {file.name: str(file) for place in ("/usr/bin", "/bin", "/usr/sbin", "/sbin")
                 for file in Path(place).iterdir()}
    for program, target in found.items():
        if program not in without:
            (directory / program).symlink_to(target)
    return directory


def processes(desk: Desk) -> dict[int, str]:
    """What runs on a desk's hosts: ids of processes, and their command lines."""
    networks = {os.stat(host.path).st_ino for host in desk.hosts.values()}
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.stat(entry / "ns" / "net").st_ino in networks and (words := (entry / "cmdline").read_bytes()):
                    found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                pass  # it has ended meanwhile
    return found
