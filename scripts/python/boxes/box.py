"""An empty directory as the whole file system of a program, which runs as nobody, on a host of its own."""

import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from boxes.dist import Dist
from lab import harness
from lab.case import PROGRAMS, Case
from lab.harness import Ended, Server
from lab.hosts import Host

TOOLS = {"chroot": "coreutils", "ip": "iproute2"}
NOBODY = 65534
LIBRARY = re.compile(r"(/\S+) \(0x")  # in what ldd prints


class Box:
    """Static programs have nothing beside them there, and dynamic ones the libraries that they need."""

    def __init__(self, case: Case, dist: Dist, kind: str, host: Host) -> None:
        self.kind = kind
        self._case, self._host = case, host
        self._folder = case.scratch / f"box-{kind}-{len(list(case.scratch.iterdir()))}"
        self._folder.mkdir(mode=0o755)
        for program in PROGRAMS:
            shutil.copy(dist.programs(kind) / program, self._folder)
        if kind.endswith("gnu"):
            for library in libraries(dist.programs(kind) / PROGRAMS[0]):
                self.write(str(library), library.read_bytes(), 0o755)

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        inside = self._folder / path.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_bytes(content)
        inside.chmod(mode)

    def _command(self, program: str, *words: str) -> list[str | bytes | Path]:
        return ["chroot", f"--userspec={NOBODY}:{NOBODY}", self._folder, f"/{program}", *words]

    def client(self, program: str, *words: str) -> Ended:
        with self._host.entered():
            return harness.run(self._command(program, *words), self._case.scratch)

    @contextmanager
    def server(self, program: str, *words: str, listen: str = "127.0.0.1:6666") -> Iterator[Server]:
        """A server, which must end with 0."""
        with self._host.entered():
            server = Server(program, self._command(program, "--listen", listen, *words), self._case.scratch)
        try:
            yield server
            server.stop()
            self._case.check(server.status == 0 and not server.errors(),
                             f"{program} ended with {server.status}: {server.errors()[:200]!r}")
        finally:
            harness.reap(server.process, 0)


@contextmanager
def lonely_host() -> Iterator[Host]:
    """A host that has only itself to talk to."""
    host = Host("box")
    try:
        host.ip("link set lo up")
        yield host
    finally:
        host.close()


def libraries(program: Path) -> list[Path]:
    listed = subprocess.run(["ldd", program], check=True, text=True, stdout=subprocess.PIPE).stdout
    return [Path(path) for path in LIBRARY.findall(listed)]
