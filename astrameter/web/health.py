"""The small web server that tells how the daemon is (web.md section 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as WaitedTooLong
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from astrameter.web.status import Status

if TYPE_CHECKING:
    from astrameter.web.site import HealthSite

STOP_TIMEOUT_S = 5.0
"""How long stopping waits for connections to end (web.md section 4)."""


class HealthServer(Service):
    """Serves ``/health`` for watchdogs, ``/ready`` for monitors, and the status.

    ``/health`` says that the process answers, never how meters or batteries are; ``/ready``
    says whether every meter works; ``/`` shows people the status that ``/api/status`` gives
    to programs, and ``/metrics`` has figures for Prometheus. Plain HTTP without a password:
    nothing can be changed here, no secret is shown.

    ``reactor`` provides IReactorTCP and IReactorTime. Starting raises CannotListenError when
    the port is taken.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        port: int,
        interface: str = "0.0.0.0",
        *,
        status: Callable[[], Status],
        commit: str | None = None,
        metrics: Callable[[], tuple[bytes, bytes]] | None = None,
    ) -> None:
        self._reactor = reactor
        self._port = port
        self._interface = interface
        self._status = status
        self._commit = commit
        self._metrics = metrics
        self._listening: IListeningPort | None = None
        self._site: HealthSite | None = None

    @property
    def listening(self) -> IListeningPort | None:
        """The open port, to be asked for its address; None while stopped."""
        return self._listening

    def privilegedStartService(self) -> None:
        """Open the port while the process may still open any."""
        self._listen()
        Service.privilegedStartService(self)

    def startService(self) -> None:
        """Open the port unless that has been done."""
        self._listen()
        Service.startService(self)

    def stopService(self) -> Deferred[None]:
        """Close the port and every connection; fire when that is done."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    def _listen(self) -> None:
        if self._listening is not None:
            return
        from astrameter.web.site import HealthSite  # noqa: PLC0415  only when it is wanted

        site = HealthSite(self._reactor, self._status, self._commit, self._metrics)
        self._listening = self._reactor.listenTCP(self._port, site, interface=self._interface)
        self._site = site

    async def _stop(self) -> None:
        listening, self._listening = self._listening, None
        site, self._site = self._site, None
        if listening is None or site is None:
            return
        await maybeDeferred(listening.stopListening)
        try:
            await site.close().addTimeout(STOP_TIMEOUT_S, self._reactor)
        except WaitedTooLong:
            self._log.warn("some connections of the web server did not end in time")
