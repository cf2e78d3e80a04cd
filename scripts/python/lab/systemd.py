"""A systemd of our own: what it needs of this machine, and the control groups that it lives in."""

import os
from pathlib import Path

SYSTEMD = "/usr/lib/systemd/systemd"
# What units name that start nothing here.
TARGETS = ("sysinit", "basic", "sockets", "timers", "shutdown", "network-online", "nss-lookup", "time-set", "time-sync")


def lacks() -> str | None:
    """What is missing, if anything is."""
    if not Path(SYSTEMD).exists():
        return f"{SYSTEMD} missing: apt-get install systemd"
    groups = control_groups()
    if not groups:
        return "no file system of type cgroup2 is mounted"
    return None if os.access(groups, os.W_OK) else f"{groups} cannot be written to"


def control_groups() -> Path | None:
    """Where the control groups of version 2 are."""
    mounts = (line.split(" ") for line in Path("/proc/self/mounts").read_text().splitlines())
    return next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)


def removed(group: Path) -> bool:
    """Removes a control group, unless a process is still in it."""
    try:
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)
    except OSError:
        return False
    return True


def target(name: str) -> str:
    """A target that starts nothing, as a unit's file."""
    return f"[Unit]\nDescription={name}\nDefaultDependencies=no\n"
