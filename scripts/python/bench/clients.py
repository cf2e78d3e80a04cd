"""The clients' half: our clients, and plain C programs that do the same, with the same servers of ours.

Reply time is beside pingpong.c, rate and CPU time beside load.c.
"""

from decimal import Decimal
from typing import Callable, NamedTuple

from bench.figures import Figure, Goal, Setting
from bench.programs import Ran, Server, Words, on_core, run, silent_server

FLOWS = (1, 16, 64)
# The goals: reply time and rate of our clients, divided by those of plain C.
MOST_REPLY = 1.05
LEAST_RATE = 0.9
# Exchanges of a turn. A turn takes some tenths of a second at most, so that both
# sides see the same machine. A turn for a rate must not be shorter, or the start of
# a program would be a good part of its CPU time; its exchanges are a multiple of
# each of FLOWS. One flow is slower, as each side waits for the other. A round has many
# short turns for reply times. UDP has most of them, because our reply time and plain
# C's differ by a hundredth, and it takes many ratios to see that.
REPLY_EXCHANGES = 1_000
REPLY_TURNS = {"udp": 20, "tcp": 5}
RATE_EXCHANGES = {"udp": 25_600, "tcp": 6_400}
SLOWER = 4  # one flow makes so many times fewer

Side = Callable[[], tuple[float, ...]]


def figures(setting: Setting) -> list[Figure]:
    with on_core(setting.server_core):
        servers = {protocol: Server(silent_server(setting.programs, protocol), protocol) for protocol in ("udp", "tcp")}
    bench = Bench(setting, {protocol: server.port for protocol, server in servers.items()})
    made = []
    for measurement in bench.all():
        measurement.plain()  # warms up, and does not count
        for number in range(setting.rounds):
            measurement.play()
            measurement.print_round(number)
        made += measurement.figures
    for server in servers.values():
        server.stop()
    return made


def middle(rounded_down: Decimal) -> float:
    """The middle of all values that are rounded down to this one: our clients print whole microseconds."""
    exponent = rounded_down.as_tuple().exponent
    if not isinstance(exponent, int):
        raise RuntimeError(f"{rounded_down} is no number")
    return float(rounded_down) + 10.0 ** exponent / 2


class Measured(NamedTuple):
    """One quantity that a measurement gives, and its values on both sides, one for each turn."""

    quantity: str
    unit: str
    goal: Goal | None
    ours: list[float]
    plain: list[float]


class Measurement(NamedTuple):
    """Two sides, and what both give."""

    title: str
    names: tuple[str, str]
    ours: Side
    plain: Side
    measured: list[Measured]
    turns: int  # of a round

    def play(self) -> None:
        """Plays one round. The sides take turns at going first."""
        sides = [(self.ours, [each.ours for each in self.measured]),
                 (self.plain, [each.plain for each in self.measured])]
        for _ in range(self.turns):
            for side, kept in sides if len(self.measured[0].ours) % 2 == 0 else reversed(sides):
                for values, value in zip(kept, side()):
                    values.append(value)

    def print_round(self, number: int) -> None:
        first = self.measured[0]
        print(f"{self.title:22} round {number + 1:2}: {first.quantity} {first.ours[-1]:8.2f} {first.unit} "
              f"beside {first.plain[-1]:8.2f}", flush=True)

    @property
    def figures(self) -> list[Figure]:
        ours, plain = self.names
        return [figure for quantity, unit, goal, values, beside in self.measured for figure in (
            Figure("clients", self.title, quantity, plain, unit, beside),
            Figure("clients", self.title, quantity, ours, unit, values, beside, goal))]


class Bench(NamedTuple):
    """Makes the measurements, from what they have in common."""

    setting: Setting
    ports: dict[str, int]

    def all(self) -> list[Measurement]:
        replies = [self.reply("udp", "udp"), self.reply("udp", "connected"), self.reply("tcp", "tcp")]
        return replies + [self.rate(protocol, flows) for protocol in self.ports for flows in FLOWS]

    def reply(self, protocol: str, plainly: str) -> Measurement:
        """The time that a reply takes, with one exchange after another; for TCP also that of connecting.

        Beside a connected UDP socket there is no goal: ours is not connected, so that
        it hears who answers in the target's place.
        """
        names = ("reply", "connect") if protocol == "tcp" else ("reply",)

        def ours() -> tuple[float, ...]:
            printed = run(self._client(protocol, REPLY_EXCHANGES)).printed
            return tuple(middle(printed[f"{name}_ms"]["p50"]) * 1000 for name in names)

        def plain() -> tuple[float, ...]:
            printed = run(self._plain("pingpong", protocol, REPLY_EXCHANGES, mode=plainly)).printed
            return tuple(printed[f"{name}_ns"]["p50"] / 1000 for name in names)

        goals = (None if plainly == "connected" else Goal(MOST_REPLY), None)
        measured = [Measured(name, "us", goal, [], []) for name, goal in zip(names, goals)]
        title = f"{protocol.upper()}, one after another"
        return self._measurement(title + (", connected" if plainly == "connected" else ""), protocol, ours, plain,
                                 measured, REPLY_TURNS[protocol])

    def rate(self, protocol: str, flows: int) -> Measurement:
        """Exchanges in a second, and CPU time for an exchange, with so many flows at once."""
        count = RATE_EXCHANGES[protocol] // (SLOWER if flows == 1 else 1)

        def values_of(ran: Ran, seconds: float) -> tuple[float, float]:
            return count / seconds / 1000, ran.cpu_seconds / count * 1e6

        def ours() -> tuple[float, ...]:
            ran = run([*self._client(protocol, count // flows), "--flows", flows])
            return values_of(ran, float(ran.printed["elapsed_ms"]) / 1000)

        def plain() -> tuple[float, ...]:
            ran = run(self._plain("load", protocol, flows, count))
            return values_of(ran, float(ran.printed["seconds"]))

        measured = [Measured("rate", "k/s", Goal(LEAST_RATE, is_most=False), [], []),
                    Measured("CPU", "us", None, [], [])]
        return self._measurement(f"{protocol.upper()}, {flows} at once", protocol, ours, plain, measured, 1)

    def _measurement(self, title: str, protocol: str, ours: Side, plain: Side, measured: list[Measured],
                     turns: int) -> Measurement:
        if self.setting.is_control:
            return Measurement(title, ("plain C too", "plain C"), plain, plain, measured, turns)
        return Measurement(title, (f"{protocol}-client", "plain C"), ours, plain, measured, turns)

    def _client(self, protocol: str, count: int) -> Words:
        target = f"127.0.0.1:{self.ports[protocol]}"
        program = self.setting.programs / f"{protocol}-client"
        return [program, target, *f"--count {count} --interval 0 --json --quiet".split()]

    def _plain(self, program: str, protocol: str, *numbers: int, mode: str | None = None) -> Words:
        return [self.setting.scratch / program, mode or protocol, "127.0.0.1", self.ports[protocol], *numbers]
