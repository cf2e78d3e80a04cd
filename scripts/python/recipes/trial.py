"""One recipe as it is tried: block after block, in the order of the page."""

import difflib
import re
import shlex
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator, NamedTuple

from recipes import documents, kubernetes, page, shape
from recipes.documents import Lacking
from recipes.page import Block, Recipe, Typed, Wrong
from recipes.scenes import Scene, Stage
from recipes.terminal import Box, Result, Terminal

KINDS = {"console", "sh", "text", "yaml", "ini"}
ON = re.compile(r"# on ([a-z0-9-]+)(:.*)?")
NOT_RUN = "not-run"
AGAIN = re.compile(r"again(?:, status (\d+))?")  # of a block of text: the last script has run once more
UNIT_RUNS = "1s"
ATTEMPTS = 3


class Outcome(NamedTuple):
    recipe: Recipe
    commands: int
    wrong: list[str]
    lacking: list[str]
    not_run: int  # blocks
    results: list[tuple[str, Result]]  # by prompt
    seconds: float


class Trial:
    def __init__(self, recipe: Recipe, scene: Scene, programs: Path, directory: Path, as_written: bool) -> None:
        self.recipe, self.directory, self.programs = recipe, directory, programs
        self._faster = {long: short for long, short in scene.faster.items() if not as_written or long.endswith("h")}
        self._scene = scene
        self._wrong: list[str] = []
        self._lacking: list[str] = []
        self._terminals: list[Terminal] = []
        self._not_run = 0

    def perform(self) -> Outcome:
        """Tries the recipe. Again, if this machine was so busy that a program has said so."""
        for _ in range(ATTEMPTS - 1):
            outcome = self._perform()
            printed = (line for _, result in outcome.results for line in result.printed)
            if not outcome.wrong or not any(shape.HELD_UP in line for line in printed):
                return outcome
            self._forget()
        return self._perform()

    def _forget(self) -> None:
        shutil.rmtree(self.directory)
        self._wrong, self._lacking, self._terminals, self._not_run = [], [], [], 0

    def _perform(self) -> Outcome:
        begun = time.monotonic()
        self.directory.mkdir()
        with ExitStack() as stack:
            try:
                stage = self._scene.set(self.directory, stack)
                self._boxes = self._equip(stage)
                self._scene.prepare(stage)
                self._follow()
            except Wrong as wrong:
                self._wrong.append(str(wrong))
            except Exception as error:
                self._wrong.append(f"{type(error).__name__}: {error}")
        results = [(each.box.name, result) for each in self._terminals for result in each.results]
        self._wrong += [difference(name, result) for name, result in results if not result.is_as_shown]
        return Outcome(self.recipe, len(results), self._wrong, self._lacking, self._not_run, results,
                       time.monotonic() - begun)

    def _equip(self, stage: Stage) -> dict[str, Box]:
        boxes = {name: Box(name, host, self.directory, self.programs, name in self._scene.containers)
                 for name, host in stage.hosts.items()}
        for box in boxes.values():
            box.prepare()
        return boxes

    def _follow(self) -> None:
        blocks = self.recipe.blocks
        try:
            script: Block | None = None
            for block, before, after in zip(blocks, (None, *blocks), (*blocks[1:], None)):
                if block.kind not in KINDS:
                    raise Wrong(f"line {block.number}: nobody knows how to try a block of this kind: {block.kind!r}")
                if block.note == NOT_RUN:
                    self._not_run += 1
                elif block.kind == "console":
                    self._type(block)
                elif block.kind == "sh":
                    script = block
                    self._run_script(script, after.text if after and after.kind == "text" else "")
                elif (again := AGAIN.fullmatch(block.note)) and script:
                    self._run_script(script, block.text, int(again[1] or 0))
                elif block.kind == "text" and (before is None or before.kind != "sh"):
                    raise Wrong(f"line {block.number}: text that no script has printed")
                elif block.kind in ("yaml", "ini"):
                    self._check(block)
        finally:
            # Whatever ends by itself first: what it talks to is still there.
            for terminal in sorted(self._terminals, key=lambda each: each.stays or each.is_interrupted):
                terminal.end()

    def _type(self, block: Block) -> None:
        for typed in together(page.typed(block)):
            name = typed[0].box
            if name not in self._boxes:
                raise Wrong(f"line {block.number}: the recipe has no box {name}")
            self._free(name)
            self._terminals.append(Terminal(self._boxes[name], [self._hasten(each) for each in typed]))
            self._terminals[-1].wait()

    def _free(self, name: str) -> None:
        """Ends what still waits on a box, where the page goes on."""
        for terminal in self._terminals:
            if terminal.box.name == name and not terminal.stays:
                terminal.end()

    def _hasten(self, typed: Typed) -> Typed:
        shown = tuple(map(self._faster_text, typed.shown))
        return typed._replace(command=self._faster_text(typed.command), shown=shown)

    def _faster_text(self, text: str) -> str:
        for long, short in self._faster.items():
            # Not of durations of several units, which match each other anyhow.
            text = re.sub(rf"(?<![\w.])(?<!\d[hms] ){long}(?![\w.])(?! \d)", short, text)
        return text

    def _run_script(self, block: Block, shown: str, status: int = 0) -> None:
        """It has to end with this status, and to print what a block of text after it shows, or nothing."""
        on = ON.fullmatch(block.lines[0])
        if not on or on[1] not in self._boxes:
            raise Wrong(f"line {block.number}: the first line of a script says where it runs: # on box-a")
        self._free(on[1])
        self._find(documents.mistakes_in_script(block), block)
        file = self.directory / f"{block.number}.sh"
        file.write_text(self._faster_text(block.text))
        ended = self._boxes[on[1]].run(f"sh -eu {shlex.quote(str(file))} 2>&1")
        printed = ended.output.decode().splitlines()
        if ended.status != status or not shape.match(self._faster_text(shown).splitlines(), printed):
            self._wrong.append("\n".join([f"line {block.number}: the script ended with {ended.status}, and printed:",
                                          *(printed or ["nothing"])]))

    def _check(self, block: Block) -> None:
        if block.kind == "ini":
            self._find(documents.mistakes_in_unit(block, self.directory, self.programs), block)
            self._start_unit(block)
        elif block.text.startswith("apiVersion:"):
            if block is self.recipe.of_kind("yaml")[0]:
                self._find(kubernetes.mistakes(self.recipe, self.directory))
        else:
            exported = "".join(path.read_text() for path in sorted(self.directory.rglob("*.prom")))
            self._find(documents.mistakes_in_rules(block, self.directory, exported), block)
            self._find(documents.mistakes_in_metrics(exported), block)

    def _start_unit(self, block: Block) -> None:
        """Runs what a unit starts on box-a, for a moment."""
        command = f"{self._faster_text(documents.started_by(block))} --deadline {UNIT_RUNS}"
        ended = self._boxes["box-a"].run(f"{command} 2>&1")
        if ended.status != 0 or ended.output:
            self._wrong.append(f"line {block.number}: {command} ended with {ended.status}: {ended.output.decode()}")

    def _find(self, mistakes: Iterator[str], block: Block | None = None) -> None:
        try:
            self._wrong += [f"line {block.number}: {each}" if block else each for each in mistakes]
        except Lacking as lacking:
            self._lacking.append(str(lacking))


def together(commands: list[Typed]) -> Iterator[list[Typed]]:
    """Commands that follow each other on one box."""
    group: list[Typed] = []
    for each in commands:
        if group and group[-1].box != each.box:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def difference(name: str, result: Result) -> str:
    """What the page shows of a command, and what was printed."""
    shown, printed = shape.shapes(result.typed.shown), shape.shapes(result.printed)
    lines = difflib.unified_diff(shown, printed, "on the page", "printed", n=1, lineterm="")
    return "\n".join([f"{name}$ {result.typed.command}", *lines])
