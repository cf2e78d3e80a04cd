"""deploy/host/mesh-plan from here: who probes whom."""

import subprocess
from pathlib import Path

from lab.command import ROOT

HOST_SCRIPTS = ROOT / "deploy" / "host"
MESH_PLAN = HOST_SCRIPTS / "mesh-plan"
EVERYBODY = "--all"


class Wrong(Exception):
    """A fleet or a policy says what it may not: `file: line: reason`."""


def plan(fleet: Path, policy: Path | None, minute: int, options: tuple[str, ...] = ()) -> str:
    """The lines of everybody's plan."""
    of_policy = ("-p", str(policy)) if policy else ()
    asked = subprocess.run([MESH_PLAN, *of_policy, *options, "--", str(fleet), EVERYBODY, str(minute)],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if asked.returncode != 0:
        raise Wrong(asked.stderr.strip().removeprefix("mesh-plan: "))
    return asked.stdout
