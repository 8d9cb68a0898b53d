"""Where the batteries find their CT."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.abstract import isIPAddress
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from astrameter.deferreds import sleep, spawn
from astrameter.logs import FailureLog
from astrameter.udp import Address

RESOLVE_TIMEOUT_S = 10.0
RESOLVE_AGAIN_S = 30.0
SILENCE_S = 10.0
"""So long without any answer is worth a line in the log."""


class CtTarget(Service):
    """Host and port of the CT; a name is looked up while this runs, until it is found.

    It also keeps count of who was answered, so that a CT that is not there is told once and not by
    each battery.

    :ivar address: None until the name is found.
    """

    _log = Logger()

    def __init__(self, reactor: Any, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.address: Address | None = (host, port) if isIPAddress(host) else None
        self._reactor = reactor
        self._finding: Deferred[None] | None = None
        self._trouble = FailureLog(reactor, self._log, f"finding the CT {host!r}")
        self._silent_since: float | None = None
        self._told = False

    def startService(self) -> None:
        Service.startService(self)
        if self.address is None:
            self._finding = spawn(self._find(), "finding the CT", self._log)

    def stopService(self) -> Deferred[None] | None:
        Service.stopService(self)
        finding, self._finding = self._finding, None
        if finding is not None:
            finding.cancel()
        return finding

    def answered(self) -> None:
        """A battery was answered."""
        self._silent_since = None
        if self._told:
            self._told = False
            self._log.info("the CT at {host}:{port} answers again", host=self.host, port=self.port)

    def unanswered(self) -> None:
        """A battery was not answered."""
        now = self._reactor.seconds()
        if self._silent_since is None:
            self._silent_since = now
        elif not self._told and now - self._silent_since >= SILENCE_S:
            self._told = True
            self._log.warn(
                "no CT answers at {host}:{port}; start AstraMeter, or mend ct.host and ct.port",
                host=self.host,
                port=self.port,
            )

    async def _find(self) -> None:
        while self.address is None:
            try:
                looking: Deferred[str] = self._reactor.resolve(self.host)
                found = await looking.addTimeout(RESOLVE_TIMEOUT_S, self._reactor)
            except (OSError, TimeoutError) as error:
                self._trouble.failed(str(error) or type(error).__name__)
            else:
                self._trouble.recovered()
                self.address = (found, self.port)
                return
            await sleep(self._reactor, RESOLVE_AGAIN_S)
