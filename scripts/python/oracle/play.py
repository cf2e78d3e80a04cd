"""A case as a whole: its name, what it shows, how much it loads the machine, and its function."""

import gc
import traceback
from dataclasses import dataclass
from typing import Callable, NamedTuple

from lab.case import Case
from oracle.stage import Stage

Act = Callable[[Stage], object]  # what it returns is printed as what came

WAITS, MEASURES, BUSY = 1, 2, 4  # what a case weighs
CAPACITY = 4  # what may run at the same time, in sum


@dataclass(frozen=True)
class Play:
    name: str
    shows: str
    perform: Act
    weight: int = WAITS


class Row(NamedTuple):
    """How a case went, as it is handed from the case's process to the first one."""

    came: str
    failures: list[str]
    failed: int
    notes: list[str]
    seconds: float


def perform(play: Play, case: Case) -> Row:
    """Runs a case in this process, which is then in a namespace of its own."""
    # What is collected meanwhile would be a pause of this process.
    gc.disable()
    came = "nothing"
    stage = None
    try:
        stage = Stage(case)
        came = str(play.perform(stage))
        stage.check_ledger()
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        case.check(False, f"{type(error).__name__}: {error} ({where.filename.rpartition('/')[2]}:{where.lineno})")
    finally:
        if stage:
            case.note(stage.ledger.noise())
            stage.close()
    return Row(came, case.failures, case.failed, case.notes, 0.0)
