"""A release that cannot be made, or of which a step fails: what is said, and that nothing half-written is left."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator

from boxes.dist import Dist
from lab.trial import Trial
from lab.case import Case
from lab.command import ROOT

SOURCE = "lib/rustlib/src/rust/library/std/Cargo.toml"
SECONDS = 300  # the first time, tools come from PyPI


def trials() -> Iterator[Trial]:
    yield Trial("release-lacks-a-tool", lacks_a_tool, {"git": "git"})
    yield Trial("release-refuses", refuses, {"git": "git", "cc": "gcc"}, lacks)
    yield Trial("release-fails", fails, {"git": "git", "cc": "gcc"}, lacks)


def lacks() -> str | None:
    return None if rustc() else "rustc with the source of its library missing: apt-get install rustc-web rust-web-src"


def lacks_a_tool(case: Case, dist: Dist) -> None:
    """Without a C compiler, the release names the package, and makes nothing"""
    out = case.scratch / "dist"
    ended = release(case, {"git": shutil.which("git")}, out)
    case.check(ended.returncode == 2 and ended.stderr == "release: cc missing: apt-get install gcc\n", f"{ended}")
    case.check(not out.exists(), "it has made something")


def refuses(case: Case, dist: Dist) -> None:
    """What would make other programs, or cannot be a time, is said at once, and nothing is made"""
    out, home = case.scratch / "dist", case.scratch / "cargo"
    home.mkdir()
    config = home / "config.toml"
    config.write_text("[profile.release]\noverflow-checks = true\n")
    ended = release(case, needed(), out, CARGO_HOME=str(home))
    expected = f"release: {config}: would change the programs: profile\n"
    case.check((ended.returncode, ended.stderr) == (2, expected), f"a user's configuration: {ended}")
    for time in ("soon", "-1", "²", "99999999999999"):
        ended = release(case, needed(), out, SOURCE_DATE_EPOCH=time)
        expected = f"release: SOURCE_DATE_EPOCH: {time}: not a number of seconds since 1970\n"
        case.check((ended.returncode, ended.stderr) == (2, expected), f"SOURCE_DATE_EPOCH={time}: {ended}")
    case.check(not out.exists(), "it has made something")


def needed() -> dict[str, str | None]:
    return {"git": shutil.which("git"), "cc": shutil.which("cc"), "rustc": rustc(), "cargo": "/bin/false"}


def fails(case: Case, dist: Dist) -> None:
    """If a step fails, an older release stays as it was, and nothing else is left"""
    folder = case.scratch / "there"
    out = folder / "dist"
    out.mkdir(parents=True)
    (out / "SHA256SUMS").write_text("an older release\n")
    # The compiler is found, and then cargo builds nothing.
    cargo = case.scratch / "no-cargo"
    cargo.write_text("#!/bin/sh\nexit 3\n")
    cargo.chmod(0o755)
    ended = release(case, {**needed(), "cargo": str(cargo)}, out)
    case.check(ended.returncode == 1, f"status {ended.returncode}")
    case.check("programs x86_64-musl" in ended.stdout and ended.stdout.endswith("failed\n"), f"said {ended.stdout!r}")
    case.check("\nrelease: cargo-zigbuild: exit status " in "\n" + ended.stderr, f"said {ended.stderr!r}")
    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    case.check(left == ["dist", "dist/SHA256SUMS"], f"there is {left}")
    case.check((out / "SHA256SUMS").read_text() == "an older release\n", "the older release has changed")


def release(case: Case, tools: dict[str, str | None], out: Path,
            **variables: str) -> "subprocess.CompletedProcess[str]":
    """Runs scripts/release where these tools, and the shell's, are all that there is."""
    folder = case.scratch / "tools"
    folder.mkdir(exist_ok=True)
    for name, path in {"sh": "/bin/sh", **tools}.items():
        # Not a link: rustup's programs go by their own name.
        (folder / name).write_text(f'#!/bin/sh\nexec {path} "$@"\n')
        (folder / name).chmod(0o755)
    command: list[str | Path] = [sys.executable, ROOT / "scripts" / "release", "--out", out, "--kind", "x86_64-musl"]
    environment = {**os.environ, "PATH": str(folder), **variables}
    return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=SECONDS)


def rustc() -> str | None:
    """The compiler that a release finds."""
    for candidate in (shutil.which("rustc"), "/usr/bin/rustc"):
        if candidate and os.access(candidate, os.X_OK):
            asked = subprocess.run([candidate, "--print", "sysroot"], text=True, capture_output=True)
            if Path(asked.stdout.strip(), SOURCE).is_file():
                return candidate
    return None
