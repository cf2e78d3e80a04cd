"""The situations, and what a tool comes to in one.

They are cases of scripts/netlab, so that a tool meets the very network in which
our clients are tested: this is why compare imports netlab.
"""

import os
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from compare.tools import Tool
from lab import harness
from lab.case import Case
from lab.protocol import MESSAGE
from netlab import answers, firewall, routes
from netlab.play import Play
from netlab.scene import Scene
from netlab.topology import PLANS

PLAYS: dict[str, Play] = {play.name: play for topic in (answers, firewall, routes) for play in topic.plays()}
KILLED_AFTER = 8.0  # seconds
PLAN = PLANS[4]
NAMES = {PLAN.near: "r", PLAN.server: "b", PLAN.second: "b2"}  # of addresses, in the tables
ANSWERED = "accept"


class Situation(NamedTuple):
    """What a situation is, and what netlab calls its case: of TCP and, if that differs, of UDP."""

    tcp: tuple[str, str]
    other: tuple[str, str] | None = None

    def text(self, protocol: str) -> str:
        return self._of(protocol)[0]

    def play(self, protocol: str) -> Play:
        return PLAYS[f"{protocol}4-{self._of(protocol)[1]}"]

    def _of(self, protocol: str) -> tuple[str, str]:
        return (self.other or self.tcp) if protocol == "udp" else self.tcp


SITUATIONS = (
    Situation(("a server answers", ANSWERED)),
    Situation(("closed port", "closed-port")),
    Situation(("dropped by r", "drop-on-router")),
    Situation(("r rejects: prohibited", "reject-admin-prohibited")),
    Situation(("r rejects: port unreachable", "reject-port-unreachable")),
    Situation(("accepts, and says nothing", "silent"), ("hears, and says nothing", "silent")),
    Situation(("the way back is dropped", "drop-replies"), ("the reply is dropped", "drop-replies")),
    Situation(("reset after the message", "resets"), ("reply from another address", "other-address")),
    Situation(("nobody at the address", "nobody")),
    Situation(("no such name", "unresolved")),
)


class Outcome(NamedTuple):
    tool: Tool
    text: str  # all that it said
    status: int | None
    seconds: float

    @property
    def said(self) -> str:
        """The decisive words, with addresses by their names."""
        found = []
        for match in re.finditer(self.tool.says, self.text, re.MULTILINE):
            found.append(" ".join(filter(None, match.groups())) or match[0])
        short = ", ".join(dict.fromkeys(found)) or ("?" if self.text.strip() else "nothing")
        return re.sub(r"\d+\.\d+\.\d+\.\d+", lambda address: NAMES.get(address[0], address[0]), short)


def ask_all(situation: Situation, protocol: str, tools: list[Tool], programs: Path, scratch: Path) -> list[Outcome]:
    """Lets the tools take turns in a situation, on a network that only they use. Returns what each said."""
    play = situation.play(protocol)
    own = [tool for tool in tools if tool.server and play.name.endswith(ANSWERED)]
    outcomes: dict[Tool, Outcome] = {}
    for group in ([tool for tool in tools if tool not in own], own):
        case = Case(play.name, 0, False, programs, scratch / f"{play.name}-{len(outcomes)}")
        case.scratch.mkdir()
        with ExitStack() as stack:
            stage = Scene(play.trial, case, stack)
            if group is not own:
                play.prepare(stage)
            for tool in group:
                if group is own and tool.server:
                    start_own_server(tool.server, stage, stack)
                outcomes[tool] = ask(tool, stage, programs)
    return [outcomes[tool] for tool in tools]


def start_own_server(command: str, stage: Scene, stack: ExitStack) -> None:
    log = stage.case.scratch / "server.out"
    with stage.b.entered(), open(log, "wb") as out:
        server = harness.start(command.replace("HOST", PLAN.server).split(), stdout=out, stderr=out)
    stack.callback(harness.reap, server, 0)
    harness.until(lambda: b"[ListenerStart]" in log.read_bytes(), 2.0)


def ask(tool: Tool, stage: Scene, programs: Path) -> Outcome:
    streams, ends = {}, []
    if tool.message:
        ends = list(os.pipe())
        os.write(ends[1], MESSAGE.encode())
        streams = {"stdin": ends[0]}
        if not tool.holds_input:
            os.close(ends.pop())
    begun = time.monotonic()
    try:
        with stage.a.entered():
            words = tool.words(stage.trial.target, programs)
            ended = harness.run(words, stage.case.scratch, KILLED_AFTER, **streams)
    finally:
        for end in ends:
            os.close(end)
    text = (ended.output + ended.errors).decode(errors="replace")
    return Outcome(tool, text, ended.status, time.monotonic() - begun)
