"""A fleet from an Ansible inventory."""

import json
import os
import re
from pathlib import Path
from typing import Sequence

from lab import harness
from lab.case import Case
from lab.command import ROOT
from lab.trial import Trial
from mesh import inventory
from mesh.fleet import Host
from meshlab import playing

MESH = ROOT / "scripts" / "mesh"
INVENTORY = """\
all:
  vars: {ansible_user: operator}
  children:
    front:
      vars: {rack: r1, datacentre: east}
      hosts:
        web1: {ansible_host: 192.0.2.11}
        web2: {ansible_host: "2001:db8::12", ansible_port: 2222}
    back:
      hosts:
        db1: {rack: 7, getthrough_address: 198.51.100.1}
        alone:
"""
HOSTS = [Host("alone", "alone"), Host("db1", "198.51.100.1", "7"), Host("web1", "192.0.2.11", "r1", "east"),
         Host("web2", "2001:db8::12", "r1", "east")]
DESTINATIONS = {"alone": "operator@alone", "db1": "operator@db1", "web1": "operator@192.0.2.11",
                "web2": "ssh://operator@[2001:db8::12]:2222"}


def trials() -> Sequence[Trial]:
    return (Trial("inventory-parsed", parsed), Trial("inventory-read", read, {}, playing.lacks))


def parsed(case: Case) -> None:
    """What ansible-inventory may list, and what no fleet can be made of"""
    for listed, reason in (
        ({"_meta": {"hostvars": {}}, "all": {"children": ["ungrouped"]}}, "it has no host"),
        ({"_meta": {"hostvars": {"a": {"datacentre": "east"}}}}, "a has a datacentre and no rack"),
    ):
        try:
            case.check(False, f"{listed} became {inventory.parse(json.dumps(listed), Path('hosts'))}")
        except inventory.Wrong as wrong:
            case.check(str(wrong) == f"hosts: {reason}", f"{wrong}")
    for host, user, port, expected in (("a", None, None, "a"), ("::1", "me", None, "me@::1"),
                                       ("::1", None, 22, "ssh://[::1]:22"), ("a", "me", "22", "ssh://me@a:22")):
        found = inventory.destination(host, user, port)
        case.check(found == expected, f"{host}, {user}, {port}: {found}")


def read(case: Case) -> None:
    """Ansible's own reading of a file: racks, datacentres, where probes go and how ssh gets there; and what is wrong"""
    file = case.scratch / "hosts.yml"
    file.write_text(INVENTORY)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{playing.ENVIRONMENT / 'bin'}:{path}"
    try:
        found = inventory.read(file)
        case.check(sorted(found.hosts) == HOSTS and found.destinations == DESTINATIONS, f"{found}")
        planned = mesh(case, "--inventory", str(file), "--plan", "web2")
        targets = [line.split()[2] for line in planned.output.decode().splitlines()[::2]]
        case.check(sorted(targets) == ["192.0.2.11:6666", "198.51.100.1:6666", "alone:6666"], f"{planned}")
        refused(case, file, "clush goes to no port of its own, as web2 has", "--by", "clush")
        file.write_text("all: [")
        refused(case, file, re.escape(f"{file}: "))
        refused(case, case.scratch / "nothing", "nothing: no such file or directory")
    finally:
        os.environ["PATH"] = path


def refused(case: Case, file: Path, reason: str, *words: str) -> None:
    ended = mesh(case, "--inventory", str(file), *words)
    said = ended.errors.decode()
    case.check(ended.status == 2 and re.match(f"mesh: .*{reason}", said) and said.count("\n") == 1, f"{ended}")


def mesh(case: Case, *words: str) -> harness.Ended:
    return harness.run([MESH, *words], case.scratch)
