"""The man pages and completions, which the development-only program `pages` writes from the programs' options."""

from pathlib import Path

from lab.case import PROGRAMS
from release.build import Place, cargo
from release.steps import Failure

COMPLETIONS = {"bash": "{}", "zsh": "_{}", "fish": "{}.fish"}
EXPECTED = (
    *(f"man/man1/{program}.1" for program in PROGRAMS),
    *(f"completions/{shell}/{name.format(program)}" for shell, name in COMPLETIONS.items() for program in PROGRAMS),
)


def write(place: Place, stage: Path) -> int:
    """Puts them into man and completions. Returns how many there are."""
    cargo(place, "run", "--quiet", "--package", "pages", "--", stage.resolve())
    written = {path.relative_to(stage).as_posix()
               for folder in ("man", "completions") for path in (stage / folder).rglob("*") if path.is_file()}
    if unlike := sorted(written ^ set(EXPECTED)):
        raise Failure(f"pages: written and expected differ in {', '.join(unlike)}")
    return len(written)
