"""Shells on a terminal, in which somebody types and presses Tab."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Sequence

PATIENCE = 10.0  # seconds for a shell to show something
READY = "shell-is-ready"
CLEAR = "\x15"  # Ctrl-U: forget the line
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\x00\x07\r]")


class Shell:
    """An interactive shell, with some lines typed."""

    def __init__(self, command: Sequence[str], *setup: str) -> None:
        self.shown = ""
        environment = {"TERM": "dumb", "PATH": os.environ["PATH"], "HOME": "/nonexistent", "PS1": "", "PROMPT": ""}
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvpe(command[0], list(command), environment)
        # What is typed is echoed, so that the word is only whole where the shell has printed it.
        self._type("; ".join([*setup, "PS1=", f"echo {READY[:5]}''{READY[5:]}"]) + "\n")
        if not self._wait(READY):
            raise RuntimeError(f"{command[0]} is not ready: {self.shown[-200:]!r}")

    def __enter__(self) -> "Shell":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._terminal)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def offers(self, typed: str, words: Sequence[str]) -> bool:
        """Whether Tab lists all of these words."""
        return self._tab(typed, *words)

    def completes(self, typed: str, word: str) -> bool:
        """Whether Tab makes this of what was typed."""
        return self._tab(typed, word)

    def leaves(self, typed: str) -> bool:
        """Whether Tab adds nothing to what was typed: what is typed after it follows at once."""
        self.shown = ""
        self._type(f"{CLEAR}{typed}\t+end")
        return self._wait(typed.split()[-1] + "+end")

    def _tab(self, typed: str, *words: str) -> bool:
        self.shown = ""
        self._type(f"{CLEAR}{typed}\t")
        return self._wait(*words)

    def _type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def _wait(self, *words: str) -> bool:
        """Reads until all of the words are there as words of their own. Returns whether they are."""
        deadline = time.monotonic() + PATIENCE
        patterns = {word: rf"(?<![\w,-]){re.escape(word)}(?![\w-])" for word in words}
        while missing := [word for word in words if not re.search(patterns[word], self.shown)]:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._terminal], [], [], left)[0]:
                self.shown = f"{missing} not in {self.shown!r}"
                return False
            self.shown += ESCAPE.sub("", os.read(self._terminal, 4096).decode(errors="replace"))
        return True


def fish(completions: Path, typed: str, home: Path) -> dict[str, str]:
    """What fish offers for what is typed, and what it says of each."""
    command = ["fish", "--no-config", "--command", f"source {completions}; complete --do-complete '{typed}'"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE, env=environment)
    pairs = (line.partition("\t") for line in shown.stdout.splitlines() if line)
    return {word: meaning for word, _, meaning in pairs}
