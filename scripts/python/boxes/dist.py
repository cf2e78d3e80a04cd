"""What scripts/release has made, by kind."""

from pathlib import Path


class Dist:
    """The directory `dist`."""

    def __init__(self, root: Path):
        self.root = root.resolve()

    def programs(self, kind: str) -> Path:
        """The directory with the four programs of a kind: `x86_64-musl`, `aarch64-gnu` ..."""
        return self.root / "bin" / kind

    def one(self, pattern: str) -> Path:
        """The one file that the pattern fits: `*_amd64.deb`."""
        found = sorted(self.root.glob(pattern))
        if len(found) != 1:
            raise FileNotFoundError(f"{self.root}: {len(found)} files fit {pattern}, not 1")
        return found[0]
