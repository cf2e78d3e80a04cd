"""The programs for aarch64 in an emulator, against those for x86_64."""

import json
from pathlib import Path
from typing import Callable, Iterable

from boxes.box import lonely_host
from boxes.dist import Dist
from lab.trial import Trial
from lab import harness
from lab.case import CLIENTS, SERVERS, Case
from lab.harness import Server
from lab.protocol import MESSAGE, REPLIES

EMULATOR = "qemu-aarch64"
TOOLS = {EMULATOR: "qemu-user", "ip": "iproute2"}
GLIBC = Path("/usr/aarch64-linux-gnu")
NATIVE = "x86_64-musl"

Words = list[str | bytes | Path]


def trials() -> Iterable[Trial]:
    yield Trial("static-emulated", static, TOOLS)
    yield Trial("static-emulated-dynamic", dynamic, TOOLS, lacks=lacks_glibc)


def lacks_glibc() -> str | None:
    is_there = (GLIBC / "lib" / "libc.so.6").exists()
    return None if is_there else "glibc for arm64 missing: apt-get install libc6-arm64-cross"


def static(case: Case, dist: Dist) -> None:
    """The static programs for aarch64 in qemu-user, with those for x86_64 and with each other"""
    exchanges(case, dist, lambda program: [EMULATOR, dist.programs("aarch64-musl") / program])


def dynamic(case: Case, dist: Dist) -> None:
    """The dynamic programs for aarch64 in qemu-user, with Debian's glibc for arm64"""
    exchanges(case, dist, lambda program: [EMULATOR, "-L", GLIBC, dist.programs("aarch64-gnu") / program])


def exchanges(case: Case, dist: Dist, emulated: Callable[[str], Words]) -> None:
    def native(program: str) -> Words:
        return [dist.programs(NATIVE) / program]

    with lonely_host() as host, host.entered():
        for serves, asks in ((emulated, native), (native, emulated), (emulated, emulated)):
            for server, client in zip(SERVERS, CLIENTS):
                with case.part(f"{' '.join(map(str, serves(server)))} and {' '.join(map(str, asks(client)))}"):
                    exchange(case, server, [*serves(server), "--listen", "127.0.0.1:0"], asks(client))
        refused = harness.run([*emulated("tcp-client"), "127.0.0.1", "1", "--json"], case.scratch)
        case.check(json.loads(refused.output)["verdict"] == "refused", f"to a closed port: {refused}")


def exchange(case: Case, program: str, serve: Words, ask: Words) -> None:
    """An exchange, and a run of three."""
    server = Server(program, serve, case.scratch)
    try:
        reply = REPLIES[server.program[:3]]
        target = ["127.0.0.1", str(server.address[1]), "--message", MESSAGE]
        ended = harness.run([*ask, *target], case.scratch)
        case.check(ended.status == 0 and ended.output == f"{reply}\n".encode() and not ended.errors, f"{ask}: {ended}")
        run = harness.run([*ask, *target, "--count", "3", "--interval", "10ms", "--json"], case.scratch)
        summary = json.loads(run.output.splitlines()[-1])
        case.check((summary["event"], summary["ok"]) == ("summary", 3), f"{ask}: a run: {run}")
        status = server.stop()
        case.check(status == 0 and not server.errors(), f"{serve} ended with {status}: {server.errors()[:200]!r}")
        case.check(server.output.read_text().count(MESSAGE) == 4, f"{serve}: {server.output.read_text()[:300]}")
    finally:
        harness.reap(server.process, 0)
