"""The machine that Ansible runs on: Ansible itself, from PyPI, an inventory, and how playbooks went."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple, Sequence

from lab import harness
from lab.command import ROOT
from lab.hosts import Host
from mesh import fleet

VERSIONS = {"ansible-core": "2.19.14", "ansible-lint": "26.10.1"}
PLAYBOOKS = ROOT / "deploy" / "ansible"
ENVIRONMENT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "ansible"
RECAP = re.compile(r"^(\S+) +: (ok=.*)$", re.MULTILINE)
INSTALLING = 600.0  # seconds
PLAYING = 300.0  # seconds after which a playbook counts as hung: it takes a tenth of that, or less


def lacks() -> str | None:
    """What is missing, if Ansible cannot be had. It is installed once."""
    stamp = ENVIRONMENT / "versions"
    if stamp.exists() and stamp.read_text() == json.dumps(VERSIONS):
        return None
    pip = [str(ENVIRONMENT / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
    wanted = [f"{name}=={version}" for name, version in VERSIONS.items()]
    for command in (["python3", "-m", "venv", "--clear", str(ENVIRONMENT)], [*pip, *wanted]):
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=INSTALLING)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or [""]
            return f"{' and '.join(wanted)} cannot be had from PyPI (apt-get install python3-venv?): {said[-1]}"
    stamp.write_text(json.dumps(VERSIONS))
    return None


class Played(NamedTuple):
    """How a playbook went."""

    status: int | None
    said: str

    def counted(self, host: str) -> dict[str, int]:
        """Its line in the recap."""
        found = dict(RECAP.findall(self.said)).get(host, "")
        return {key: int(value) for key, value in (word.split("=") for word in found.split())}


class Controller:
    """Runs Ansible on a desk, as an operator would."""

    def __init__(self, scratch: Path, operator: Host, hosts: Sequence[fleet.Host], key: Path, host_key: str,
                 own: dict[str, dict[str, Any]] | None = None) -> None:
        """`own` has variables of single hosts."""
        self._scratch, self._operator = scratch, operator
        known = scratch / "known_hosts"
        known.write_text("".join(f"{host.address} {host_key}\n" for host in hosts))
        self.inventory = scratch / "inventory.json"
        self.inventory.write_text(json.dumps({"all": {
            "hosts": {host.name: {"ansible_host": host.address, "rack": host.rack, "datacentre": "desk"}
                      | (own or {}).get(host.name, {}) for host in hosts},
            "vars": {"ansible_user": "root", "ansible_python_interpreter": "/usr/bin/python3",
                     "ansible_ssh_private_key_file": str(key),
                     "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={known} -o IdentitiesOnly=yes"}}}))

    def command(self, playbook: str, *options: str) -> list[str | Path]:
        return [ENVIRONMENT / "bin/ansible-playbook", "-i", self.inventory, playbook, *options]

    def begin(self, playbook: str, *options: str) -> "subprocess.Popen[bytes]":
        """Starts a playbook in processes of its own: connections that it keeps end with it."""
        home = {"HOME": str(self._scratch), "ANSIBLE_HOME": str(self._scratch / "ansible"), "LC_ALL": "C.UTF-8",
                "PATH": os.environ["PATH"], "ANSIBLE_NOCOLOR": "1"}
        words = [f"{name}={value}" for name, value in home.items()]
        with self._operator.entered(), open(self._scratch / "ansible.out", "wb") as out:
            return harness.start(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "env", "-i", *words,
                                  *self.command(playbook, *options)], cwd=PLAYBOOKS, stdout=out, stderr=out)

    def end(self, process: "subprocess.Popen[bytes]") -> Played:
        """Waits for its end."""
        return Played(harness.reap(process, PLAYING), self.said())

    def said(self) -> str:
        return (self._scratch / "ansible.out").read_text()

    def play(self, playbook: str, *options: str) -> Played:
        return self.end(self.begin(playbook, *options))
