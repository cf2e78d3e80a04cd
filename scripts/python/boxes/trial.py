"""What scripts/boxes runs: a case, and what it needs."""

import shutil
from typing import Callable, NamedTuple

from boxes.dist import Dist
from lab.case import Case


class Trial(NamedTuple):
    """A function that tries something, the tools that it needs, and Debian's packages that have them."""

    name: str
    perform: Callable[[Case, Dist], None]
    tools: dict[str, str] = {}
    # What else it needs: says what is missing, or nothing.
    lacks: Callable[[], str | None] = lambda: None

    @property
    def title(self) -> str:
        return (self.perform.__doc__ or "").split("\n", 1)[0].rstrip(".")

    def what_is_missing(self) -> str | None:
        """Why it cannot run here, if it cannot."""
        if tools := [tool for tool in self.tools if not shutil.which(tool)]:
            packages = " ".join(dict.fromkeys(self.tools[tool] for tool in tools))
            return f"{' and '.join(tools)} missing: apt-get install {packages}"
        return self.lacks()
