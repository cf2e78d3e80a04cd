"""A controller to be interrupted: python3 -m meshlab.controller BY WORDS FLEET OUT BIN

BY is ssh or clush, and WORDS is how that is called; or it is desk, and WORDS is the number of hosts. The round is a
long one. Exit status: 130 interrupted.
"""

import sys
import time
from pathlib import Path

from lab import command
from mesh import fleet
from mesh.desks.desk import Desk
from mesh.visits.programs import Programs
from mesh.visits.transports import Transport
from mesh.visits.transports.clush import Clush
from mesh.visits.transports.desk import AtDesk
from mesh.visits.transports.ssh import Ssh
from mesh.visits.visit import Settings, visit

LONG = Settings(probes=300)  # half a minute


def main() -> int:
    by, words, file, out, programs = sys.argv[1:]
    command.heed_signals()
    try:
        if by == "desk":
            with Desk(int(words)) as desk:
                make_round(AtDesk(desk), desk.fleet, out, programs)
        else:
            transport = Ssh(words) if by == "ssh" else Clush(words)
            make_round(transport, fleet.parse(Path(file).read_text()), out, programs)
    except KeyboardInterrupt:
        return 130
    return 0


def make_round(transport: Transport, hosts: list[fleet.Host], out: str, programs: str) -> None:
    visit(transport, hosts, None, int(time.time() // 60), Path(out), Programs.find(Path(programs)), LONG)


if __name__ == "__main__":
    sys.exit(main())
