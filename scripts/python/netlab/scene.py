"""A case while it runs: its network, the servers on it, and the client."""

from contextlib import ExitStack
from typing import Callable

from lab import harness
from lab.case import Case
from lab.harness import Ended, Running, Server
from lab.hosts import Host
from lab.protocol import PORT
from netlab import services
from netlab.services import Service
from netlab.topology import Network
from netlab.trial import Trial


class Scene:
    """What the functions of a case work with."""

    def __init__(self, trial: Trial, case: Case, stack: ExitStack,
                 network: Callable[[], Network] = Network) -> None:
        self.trial, self.case, self.plan = trial, case, trial.plan
        self.protocol = trial.protocol
        self._stack = stack
        self.network = network()
        stack.callback(self.network.close)
        self.a, self.r, self.b = self.network.a, self.network.r, self.network.b
        self.came = "nothing"

    def serve(self, service: Service) -> Service:
        """Runs a service until the case is over."""
        return self._stack.enter_context(service)

    def serve_reply(self, text: str, after: float = 0.0) -> None:
        """Runs a server in this process, on b, that sends this reply after so many seconds."""
        if self.protocol == "tcp":
            self.serve(services.tcp(self.b, self.plan.server, services.replies(text, after)))
        else:
            self.serve(services.udp(self.b, [(self.plan.server, PORT)], services.answers(text, after=after)))

    def start_server(self, *options: str, address: str | None = None, wrapper: tuple[str, ...] = ()) -> Server:
        """Runs tcp-server or udp-server on b until the case is over."""
        listen, program = self.plan.endpoint(address or self.plan.server, PORT), f"{self.protocol}-server"
        with self.b.entered():
            self._server = self._stack.enter_context(self.case.server(program, *options, listen=listen, wrapper=wrapper))
        return self._server

    def restart_server(self, *options: str) -> Server:
        """Ends the server that was started last, and runs another one at once."""
        self._server.stop()
        return self.start_server(*options)

    def filter(self, host: Host, hook: str, *rules: str, before: str = "",
               priority: int = 0) -> None:
        """Adds firewall rules for both families to a hook of a host: `input`, `output`, `forward` ..."""
        chain = (f"chain {hook} {{ type filter hook {hook} priority {priority}; policy accept;", *rules, "}")
        host.nft("table inet netlab {", before, *chain, "}")

    def probe(self, *options: str, timeout: str | None = None, wrapper: tuple[str, ...] = ()) -> Ended:
        """Runs the client on a for one probe."""
        trial = self.trial
        target = self.plan.endpoint(trial.target, PORT)
        words = (target, "--message", trial.message, "--timeout", timeout or trial.timeout, "--json", *trial.options)
        with self.a.entered():
            command = [*wrapper, self.case.path(f"{self.protocol}-client"), *words, *options]
            return harness.run(command, self.case.scratch)

    def start_run(self, count: int, *options: str, wrapper: tuple[str, ...] = ()) -> Running:
        """Starts the client on a, for so many probes."""
        program, trial = f"{self.protocol}-client", self.trial
        words = (self.plan.endpoint(trial.target, PORT), "--count", str(count), *options)
        with self.a.entered():
            return Running([*wrapper, self.case.path(program), *words], self.case.scratch)
