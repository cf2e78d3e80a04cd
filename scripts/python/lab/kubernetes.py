"""Objects for Kubernetes, and whether it would take them. No cluster is needed.

The schemas are those of PyPI's kubernetes-validate, in an environment of its own under target/.
"""

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Iterator, Mapping

from lab.command import ROOT

VALIDATOR = "kubernetes-validate==1.37.0"
RELEASES = ("1.25", "1.37")  # the oldest and the newest whose schemas it has
TO_JSON = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))"

Object = dict[str, Any]
Labels = Mapping[str, str]


class Uninstallable(Exception):
    """The validator cannot be installed; the words say why."""


def install() -> Path:
    """The environment's programs. It is made once."""
    environment = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "kubernetes"
    stamp = environment / VALIDATOR
    if not stamp.exists():
        pip = environment / "bin" / "pip"
        commands: tuple[tuple[str | Path, ...], ...] = (
            ("python3", "-m", "venv", "--clear", environment),
            (pip, "install", "--quiet", "--disable-pip-version-check", VALIDATOR),
        )
        for command in commands:
            try:
                done = subprocess.run(command, text=True, capture_output=True)
                wrong = "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or "no reason given"
            except OSError as error:
                wrong = str(error)
            if wrong:
                raise Uninstallable(f"{VALIDATOR} cannot be installed: {wrong.splitlines()[-1]}")
        stamp.touch()
    return environment / "bin"


def not_taken(environment: Path, *files: Path) -> Iterator[str]:
    """What a release of Kubernetes would not take of the objects in these files."""
    for release in RELEASES:
        command: list[str | Path] = [environment / "kubernetes-validate", "--strict", "--kubernetes-version", release,
                                     *files]
        done = subprocess.run(command, text=True, capture_output=True)
        if done.returncode != 0:
            yield f"Kubernetes {release}: {(done.stdout + done.stderr).strip()}"


def parse(text: str, environment: Path) -> list[Object]:
    command: list[str | Path] = [environment / "python", "-c", TO_JSON]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=True)
    found: list[Object] = json.loads(done.stdout)
    return found


def templates(objects: list[Object]) -> dict[str, Object]:
    """What Deployments, DaemonSets and Jobs make pods of, by their names."""
    return {each["metadata"]["name"]: each["spec"]["template"]
            for each in objects if "template" in each.get("spec", {})}


def fits(selector: Mapping[str, Labels], labels: Labels) -> bool:
    """Whether a selector chooses what has these labels. An empty one chooses all."""
    return selector.get("matchLabels", {}).items() <= labels.items()


def version() -> str:
    """Ours, which is the tag of the images."""
    found: str = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    return found
