"""The folder in which a release is made, beside the one that it becomes: that one is whole at any time."""

import fcntl
import os
import shutil
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from release import sums
from release.steps import Failure

HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """The block fills the folder. After that it takes the place of `out`; if it fails, nothing has changed."""
    if out.exists() and not (out / sums.NAME).is_file():
        raise Failure(f"{out}: is there, and not a release: it is not replaced")
    prefix = f".{out.name}-"
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_left(out.parent, prefix)
    stage = Path(tempfile.mkdtemp(prefix=prefix, dir=out.parent))
    lock = os.open(stage, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stage.chmod(0o755)
        yield stage
        take_place(stage, out)
    finally:
        os.close(lock)
        shutil.rmtree(stage, ignore_errors=True)


def take_place(stage: Path, out: Path) -> None:
    """Two renames, which an interrupt does not part."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    try:
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
            out.rename(old)
            try:
                stage.rename(out)
            except OSError:
                old.rename(out)
                raise
            shutil.rmtree(old)
        else:
            stage.rename(out)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def remove_left(folder: Path, prefix: str) -> None:
    """Removes what a release left that was killed: nobody has it locked."""
    for left in folder.glob(f"{prefix}*"):
        lock = os.open(left, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
