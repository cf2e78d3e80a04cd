"""Stops the client for a while, at a moment when it only waits.

At any other moment it might stand between its reading of the clock and its sending,
and would count that: rightly, but nobody could tell by how much.
"""

import signal

from oracle.client import Client
from oracle.stage import Stage


class Hold:
    def __init__(self, stage: Stage, seconds: float) -> None:
        self._stage, self._seconds = stage, seconds
        self._client: Client | None = None

    def meanwhile(self, client: Client) -> None:
        """To be called when the client has been started."""
        self._client = client

    def begin(self, after: float) -> None:
        """So many seconds from now."""
        self._stage.loop.later(after, lambda: self._signal(signal.SIGSTOP))
        self._stage.loop.later(after + self._seconds, lambda: self._signal(signal.SIGCONT))

    def _signal(self, number: signal.Signals) -> None:
        if self._client:
            self._client.signal(number)
