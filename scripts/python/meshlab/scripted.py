"""Shell scripts in the place of programs, and the shells that hosts may have."""

from pathlib import Path

from lab.case import Case

SHELLS = {"dash": ("dash",), "busybox": ("busybox", "sh")}
SHELL_TOOLS = {"dash": "dash", "busybox": "busybox"}


def scripted(case: Case, name: str, programs: dict[str, str]) -> Path:
    """A directory with programs, given by what they do."""
    directory = case.scratch / f"scripted-{name}"
    directory.mkdir()
    for program, text in programs.items():
        file = directory / program
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
    return directory
