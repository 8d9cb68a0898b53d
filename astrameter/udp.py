"""A UDP port as a service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.application import service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.protocol import DatagramProtocol

Address = tuple[str, int]


class TimeAndUdp(Protocol):
    """A reactor's IReactorTime and IReactorUDP."""

    def seconds(self) -> float: ...

    def callLater(
        self, delay: float, function: Callable[..., Any], /, *args: object, **kw: object
    ) -> IDelayedCall: ...

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = ""
    ) -> IListeningPort: ...


class UdpService(service.Service):
    """Listens on one port while it runs.

    The port is bound in ``privilegedStartService``, because ports below 1024 need the right to;
    when that was not called, in ``startService``. Both raise
    :class:`~twisted.internet.error.CannotListenError` when it cannot be bound.
    """

    def __init__(
        self, reactor: TimeAndUdp, port: int, protocol: DatagramProtocol, interface: str
    ) -> None:
        self.port = port
        self._reactor = reactor
        self._interface = interface
        self._protocol = protocol
        self._listening: IListeningPort | None = None

    @property
    def listening(self) -> bool:
        return self._listening is not None

    def privilegedStartService(self) -> None:
        service.Service.privilegedStartService(self)
        self._bind()

    def startService(self) -> None:
        self._bind()
        service.Service.startService(self)

    def _bind(self) -> None:
        if self._listening is None:
            self._listening = self._reactor.listenUDP(
                self.port, self._protocol, interface=self._interface
            )

    def stopService(self) -> Deferred[None]:
        """Close the socket; what is under way ends without a reply."""
        service.Service.stopService(self)
        listening, self._listening = self._listening, None
        closed = None if listening is None else listening.stopListening()
        return succeed(None) if closed is None else closed
