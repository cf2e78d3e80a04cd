"""deploy/host/mesh-lease from the controller's side: what it says, and what is known of its host by that."""

from collections import deque
from typing import NamedTuple, Sequence

from mesh.fleet import Host

KEPT = 5  # lines of standard error; the last ones have the reason


class Own(NamedTuple):
    """A program on a host's PATH. None is what is not known."""

    sum: str | None
    version: str | None


class Here(NamedTuple):
    """What a host says of itself first."""

    token: str
    directory: str
    runs_programs: bool  # in that directory
    has_sums: bool  # whether it has sha256sum
    machine: str
    own: dict[str, Own]


def command(script: bytes, run: str, seconds: int) -> str:
    """The command that starts the script on a host, when it is sent there. A line that any login shell understands."""
    return f"exec sh -c 'eval \"$(head -c {len(script)})\"' mesh-lease {run} {seconds}"


def here(words: Sequence[str]) -> Here:
    token, directory, runs, sums, machine, *pairs = words
    own = {}
    for pair in pairs:
        name, _, values = pair.partition("=")
        if values != "-":
            sum_, _, version = values.partition(",")
            own[name] = Own(known(sum_), known(version))
    return Here(token, directory, runs == "yes", sums == "yes", machine, own)


def known(word: str) -> str | None:
    return None if word == "?" else word


class Guest:
    """A host during a visit."""

    def __init__(self, host: Host, run: str) -> None:
        self.host = host
        self._mark = f"{run} "
        self.here: Here | None = None
        self.taken = 0  # files that have come
        self.is_using = False
        self.is_ready = False
        self.is_done = False
        self.has_left = False
        self.status: int | None = None  # of the command that runs there
        self.given_up = False
        self.version: str | None = None
        self.brought = False
        self.failures: list[str] = []
        self.remarks: list[str] = []
        self.results: list[str] = []
        self.said: list[str] = []  # by mesh-round, and what ran for it
        self.errors: deque[str] = deque(maxlen=KEPT)
        self.noise = ""  # the last line that is not ours

    @property
    def is_present(self) -> bool:
        """Whether the lease is there, and goes on."""
        return not (self.given_up or self.has_left or self.status is not None)

    def hear(self, line: str) -> None:
        if not line.startswith(self._mark):
            self.noise = line.strip() or self.noise
            return
        word, _, rest = line.removeprefix(self._mark).partition(" ")
        match word:
            case "here" if len(rest.split()) >= 5:
                self.here = here(rest.split())
            case "took":
                self.taken += 1
            case "using":
                self.is_using = True
            case "ready":
                self.is_ready = True
            case "result":
                self.results.append(rest)
            case "said":
                self.said.append(rest)
            case "done":
                self.is_done = True
                if rest != "0":
                    self.failures.append(first_of(self.said) or f"mesh-round ended with status {rest}")
            case "failed":
                self.failures.append(rest)
            case "left":
                self.has_left = True


def first_of(lines: Sequence[str]) -> str | None:
    more = f", and {len(lines) - 1} more like it" if len(lines) > 1 else ""
    return f"{lines[0]}{more}" if lines else None
