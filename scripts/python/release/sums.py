"""SHA256SUMS, as `sha256sum --check` reads it."""

import hashlib
from pathlib import Path

NAME = "SHA256SUMS"


def write(stage: Path) -> int:
    """Writes the sums of the files in `stage` (not of those in its folders). Returns how many."""
    files = sorted(path for path in stage.iterdir() if path.is_file())
    (stage / NAME).write_text("".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
                                      for path in files))
    return len(files)
