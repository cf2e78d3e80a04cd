"""A fleet from an Ansible inventory.

ansible-inventory reads it, so that every kind of inventory, plugin and variable is
understood. Of a host's variables these count: `rack` and `datacentre`; where probes
go, `getthrough_address`, or else `ansible_host`; and how ssh reaches the host:
`ansible_host`, `ansible_user`, `ansible_port`.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from mesh.fleet import Host

PATIENCE = 60  # seconds that an inventory may take: a plugin may ask a cloud


class Wrong(Exception):
    """The inventory cannot be read, for this reason."""


class Inventory(NamedTuple):
    hosts: list[Host]
    destinations: dict[str, str]  # by host: what ssh is given


def read(path: Path) -> Inventory:
    """The hosts of an inventory.

    Raises Wrong if ansible-inventory is missing or fails, or a host is nowhere.
    """
    if not shutil.which("ansible-inventory"):
        raise Wrong("ansible-inventory is missing: pip install ansible-core")
    if not path.exists():
        raise Wrong(f"{path}: no such file or directory")
    try:
        asked = subprocess.run(["ansible-inventory", "--inventory", str(path), "--list"], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise Wrong(f"{path}: ansible-inventory does not end") from None
    if asked.returncode != 0:
        raise Wrong(f"{path}: {last_line(asked.stderr) or 'ansible-inventory fails'}")
    return parse(asked.stdout, path)


def parse(listed: str, path: Path) -> Inventory:
    """The hosts of what `ansible-inventory --list` prints of this file."""
    groups: dict[str, Any] = json.loads(listed)
    variables: dict[str, dict[str, Any]] = groups.get("_meta", {}).get("hostvars", {})
    names = sorted({name for group in groups.values() for name in group.get("hosts", [])} | set(variables))
    if not names:
        raise Wrong(f"{path}: it has no host")
    hosts, destinations = [], {}
    for name in names:
        of = variables.get(name, {})
        rack, datacentre = of.get("rack"), of.get("datacentre")
        if datacentre and not rack:
            raise Wrong(f"{path}: {name} has a datacentre and no rack")
        reached_at = str(of.get("ansible_host", name))
        hosts.append(Host(name, str(of.get("getthrough_address", reached_at)),
                          str(rack) if rack else None, str(datacentre) if datacentre else None))
        destinations[name] = destination(reached_at, of.get("ansible_user"), of.get("ansible_port"))
    return Inventory(hosts, destinations)


def destination(host: str, user: Any, port: Any) -> str:
    """As ssh(1) takes it: a URI where a port has to be in it."""
    user = f"{user}@" if user else ""
    if not port:
        return f"{user}{host}"
    return f"ssh://{user}{f'[{host}]' if ':' in host else host}:{port}"


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("[ERROR]: ").removeprefix("ERROR! ") if lines else ""
