"""A visit: being on all hosts of a fleet for one round.

Each host runs deploy/host/mesh-lease for as long as that takes. All hosts do a
step before the next one begins, so that no client starts before every server
listens. Who takes too long is left behind.
"""

import secrets
from pathlib import Path
from typing import Callable, Iterable, NamedTuple, Sequence

from lab.case import PROGRAMS
from mesh import plan, results
from mesh.cells import Visit
from mesh.fleet import Host, file_of
from mesh.plan import HOST_SCRIPTS
from mesh.visits import crowd
from mesh.visits.crowd import Ended, Event, Said
from mesh.visits.lease import Guest, Own, command
from mesh.visits.programs import Programs
from mesh.visits.transports import Transport


class Settings(NamedTuple):
    """How a round is made."""

    bring: bool = True  # False: a host's own programs are used, or none
    probes: int = 7  # probes from each source port
    interval: str = "100ms"
    timeout: str = "1s"
    plan_options: tuple[str, ...] = ()  # of mesh-plan: -k, -a
    # Seconds that the hosts have for each step. The transports give up to connect by themselves before.
    to_answer: float = 30
    to_take: float = 120  # 4 MB of programs
    to_listen: float = 15
    to_probe: float = 300
    to_leave: float = 15

    @property
    def lease(self) -> int:
        """Seconds after which a host ends the visit by itself: more than all steps take."""
        return int(self.to_answer + 2 * self.to_take + 2 * self.to_listen + self.to_probe + self.to_leave + 30)


def visit(transport: Transport, fleet: Sequence[Host], policy: str | None, minute: int, out: Path, programs: Programs,
          settings: Settings = Settings(), progress: Callable[[str], None] = lambda words: None) -> list[Visit]:
    """Makes one round, and fills the directory; says to `progress` what it does. An interrupt leaves nothing on the
    hosts.
    """
    name = results.minute_name(minute)
    results.written(out / "fleet", file_of(fleet))
    if policy is None:
        (out / "policy").unlink(missing_ok=True)
    else:
        results.written(out / "policy", policy)
    lines = plan.plan(out / "fleet", None if policy is None else out / "policy", minute, options=settings.plan_options)
    results.write_plan(out, name, lines)
    visiting = Visiting(transport, fleet, programs, settings)
    visiting.round(out, minute, services(lines), progress)
    for guest in visiting.guests.values():
        if guest.results:
            results.written(out / "results" / name / f"{guest.host.name}.ndjson", "\n".join(guest.results) + "\n")
    visits = [visiting.outcome(guest) for guest in visiting.guests.values()]
    results.write_visits(out, name, visits)
    return visits


def services(lines: str) -> dict[str, tuple[str, ...]]:
    """What has to listen on each host: tcp/PORT, udp/PORT. What is only connected to is there already."""
    found: dict[str, dict[str, None]] = {}
    for line in lines.splitlines():
        _, target, _, service, _, _ = line.split()
        if not service.startswith("connect/"):
            found.setdefault(target, {})[service] = None
    return {target: tuple(each) for target, each in found.items()}


class Visiting:
    """The hosts of one visit, and the conversation with them."""

    def __init__(self, transport: Transport, fleet: Sequence[Host], programs: Programs, settings: Settings) -> None:
        self._transport = transport
        self._programs = programs
        self._settings = settings
        self._run = secrets.token_hex(6)
        self.guests = {host.name: Guest(host, self._run) for host in fleet}

    def round(self, out: Path, minute: int, services: dict[str, tuple[str, ...]],
              progress: Callable[[str], None]) -> None:
        progress(f"going to {len(self.guests)} hosts by {self._transport.name}")
        script = (HOST_SCRIPTS / "mesh-lease").read_bytes()
        line = command(script, self._run, self._settings.lease)
        self._crowd = self._transport.start([guest.host for guest in self.guests.values()], line)
        try:
            self._crowd.send(script, self.guests)
            self._await(lambda guest: guest.here is not None, self._settings.to_answer, "nothing was heard of it")
            progress(f"{len(self._present)} of {len(self.guests)} are there, and get what they need")
            self._introduce()
            for file in (HOST_SCRIPTS / "mesh-plan", HOST_SCRIPTS / "mesh-round", out / "fleet", out / "policy"):
                if file.exists():
                    self._give(self._present, file.name, file.read_bytes())
            self._choose()
            self._await(lambda guest: guest.is_using, self._settings.to_listen, "its programs did not answer")
            self._serve(services)
            self._await(lambda guest: guest.is_ready, self._settings.to_listen, "its servers did not begin to listen")
            progress("servers listen, clients probe: it takes seconds, or a minute where much is silent and is traced")
            self._probe(minute)
            self._await(lambda guest: guest.is_done, self._settings.to_probe, "its round did not end")
        finally:
            self._leave()

    # What is said to the hosts, step by step.

    def _introduce(self) -> None:
        """Tells each host what it is called in the fleet: where all hear the same, it cannot be part of the command."""
        for name, guest in self._present.items():
            assert guest.here
            self._tell([guest], f"* names {guest.here.token}={name}")

    def _give(self, guests: dict[str, Guest], name: str, data: bytes) -> None:
        """Sends a file, which has to come whole before anything else may be said to who hears it."""
        if not guests:
            return
        hearing = self._crowd.send(f"{who(guests)} take {name} {len(data)}\n".encode() + data, guests)
        wanted = {each: guest.taken + 1 for each, guest in self._present.items() if each in hearing}
        self._await(lambda guest: guest.taken >= wanted.get(guest.host.name, 0), self._settings.to_take,
                    f"{name} did not get there")

    def _choose(self) -> None:
        """Decides for each host whose programs are used, and brings ours where they are wanted."""
        bringing: dict[str, dict[str, Guest]] = {}
        using_own = []
        for name, guest in self._present.items():
            machine = self._brought_for(guest)
            if machine is None:
                using_own.append(guest)
            else:
                bringing.setdefault(machine, {})[name] = guest
        for machine, guests in bringing.items():
            for program, file in self._programs.files[machine].items():
                self._give(guests, program, file.read_bytes())
            sums = " ".join(f"{program}={sum_}" for program, sum_ in self._programs.sums[machine].items())
            self._tell([guest for guest in guests.values() if guest.is_present], f"use brought {sums}")
        self._tell([guest for guest in using_own if guest.is_present], "use own")

    def _brought_for(self, guest: Guest) -> str | None:
        """The kind of machine that a host gets programs for, or None if it uses its own ones."""
        ours, here = self._programs.version, guest.here
        assert here
        versions = {each.version for each in here.own.values()}
        has_all = len(here.own) == len(PROGRAMS)
        guest.version = versions.pop() if has_all and len(versions) == 1 else None
        guest.remarks += others(here.own, ours) if ours else []
        sums = self._programs.sums.get(here.machine)
        if sums is None or not self._settings.bring or not here.runs_programs:
            if not has_all and self._settings.bring:
                guest.remarks.append(f"there are no programs for {here.machine} to bring" if sums is None else
                                     f"programs cannot run in {here.directory}, nor in other places")
            return None
        if {name: own.sum for name, own in here.own.items()} == sums:
            return None
        guest.brought, guest.version = True, ours
        if not here.has_sums:
            guest.remarks.append("it has no sha256sum: what was brought could not be checked")
        return here.machine

    def _serve(self, services: dict[str, tuple[str, ...]]) -> None:
        alike: dict[tuple[str, ...], list[Guest]] = {}
        for name, guest in self._present.items():
            if guest.is_using:
                alike.setdefault(services.get(name, ()), []).append(guest)
        for wanted, guests in alike.items():
            pairs = (service.split("/") for service in wanted)
            self._tell(guests, " ".join(["serve", *(f"{kind}-server=:{port}" for kind, port in pairs)]))

    def _probe(self, minute: int) -> None:
        chosen = self._settings
        words = ("round", str(chosen.probes), chosen.interval, chosen.timeout, str(minute), *chosen.plan_options)
        self._tell([guest for guest in self._present.values() if guest.is_ready], " ".join(words))

    # How it is said, and heard.

    @property
    def _present(self) -> dict[str, Guest]:
        return {name: guest for name, guest in self.guests.items() if guest.is_present}

    def _tell(self, guests: Sequence[Guest], line: str) -> None:
        if guests:
            names = {guest.host.name: guest for guest in guests}
            self._crowd.send((line if line.startswith("* ") else f"{who(names)} {line}").encode() + b"\n", names)

    def _await(self, has: Callable[[Guest], bool], seconds: float, otherwise: str) -> None:
        """Waits until this is so of each host that is there. Who takes too long, or cannot go on, is left behind."""
        def is_settled() -> bool:
            return all(has(guest) or cannot_go_on(guest) for guest in self._present.values())

        crowd.until(self._crowd, seconds, self._hear, is_settled)
        for name, guest in self._present.items():
            if not has(guest):
                if not cannot_go_on(guest):
                    guest.failures.append(f"{otherwise} within {seconds:g} s")
                guest.given_up = True
                self._crowd.end_input_of(name)

    def _hear(self, event: Event) -> None:
        guest = self.guests[event.host]
        match event:
            case Ended():
                guest.status = event.status
            case Said(is_error=True):
                guest.errors.append(event.text)
            case Said():
                guest.hear(event.text)

    def _leave(self) -> None:
        """The end of input, at which hosts end everything; and a while for that."""
        try:
            self._crowd.end_input()
            # Nobody waits for whom nothing was heard of.
            crowd.until(self._crowd, self._settings.to_leave, self._hear, lambda: all(
                guest.has_left or guest.status is not None or guest.here is None for guest in self.guests.values()))
            crowd.until(self._crowd, 1, self._hear, lambda: self._crowd.is_over)
        finally:
            self._crowd.close()

    def outcome(self, guest: Guest) -> Visit:
        """What a host was like."""
        state, reasons = "ok", [*guest.failures, *guest.remarks]
        if guest.here is None and guest.given_up:
            state, reasons = "unreachable", guest.failures
        elif guest.here is None:
            reason = self._transport.unreachable(guest.status or 0, guest.errors)
            state, reasons = "unreachable" if reason else "failed", [reason or last_words(guest)]
        else:
            if not guest.has_left:
                reasons.append(f"the connection broke: {last_words(guest)}" if guest.status is not None else
                               f"its end was not heard: {guest.here.directory} may still be there")
            if guest.failures or not guest.has_left or not guest.is_done:
                state = "failed"
        return Visit(guest.host.name, state, self._transport.name, "; ".join(reasons) or None,
                     guest.version if guest.is_using else None, guest.brought and guest.is_using)


def others(own: dict[str, Own], ours: str) -> list[str]:
    """Names the programs on a host's PATH that are of another version than ours."""
    versions: dict[str, list[str]] = {}
    for name, program in own.items():
        if program.version != ours:
            versions.setdefault(program.version or "of an unknown version", []).append(name)
    return [f"{' and '.join(names)} on its PATH {'is' if len(names) == 1 else 'are'} {version}, ours is {ours}"
            for version, names in versions.items()]


def who(guests: Iterable[str]) -> str:
    """The word by which hosts know that they are meant."""
    return f",{','.join(guests)},"


def cannot_go_on(guest: Guest) -> bool:
    """Whether it failed at something that all else needs."""
    return bool(guest.failures) and not guest.is_using


def last_words(guest: Guest) -> str:
    said = [line.strip() for line in guest.errors if line.strip()]
    return (said[-1] if said else guest.noise) or f"the command there ended with status {guest.status}"
