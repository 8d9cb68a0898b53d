"""How a TCP connection comes about: the connector, and what is special about each end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.base import BaseConnector
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from simulator.world.connection import Connection
from simulator.world.ports import LOOPBACK, Address, loopback_of
from simulator.world.tcp import Streams, TcpPort
from simulator.world.wire import Signal

KNOCKS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Waits after each attempt to reach a host that does not answer (RFC 6298; Linux tcp(7),
``tcp_syn_retries`` = 6)."""

NOWHERE = IPv4Address("TCP", "0.0.0.0", 0)


@implementer(IConnector)
class Connector(BaseConnector):
    """Connects a client factory, at first and whenever it asks to again.

    :ivar to: host name or address, and port.
    """

    def __init__(
        self,
        layer: Streams,
        reactor: Any,
        to: Address,
        factory: ClientFactory[Any],
        timeout: float,
        local_port: int,
    ) -> None:
        super().__init__(factory, timeout, reactor)
        self.to = to
        self._layer = layer
        self._local_port = local_port

    def getDestination(self) -> IPv4Address:
        return IPv4Address("TCP", *self.to)

    def _makeTransport(self) -> Any:
        return Client(self._layer, self.reactor, self, self._local_port)


class Server(Connection):
    """The accepting end; it has no protocol until the other end has established it."""

    def __init__(self, listener: TcpPort, layer: Streams, client: Client) -> None:
        super().__init__(layer, listener.reactor, listener.host, client.getPeer(), client.getHost())
        self._listener = listener
        layer.remember(self)

    def accepted(self) -> None:
        if not self._listener.listening:
            self._turn_away(Signal.RST)
            return
        protocol = self._listener.build(self.getPeer())
        if protocol is None:
            self._turn_away(Signal.FIN)
        else:
            self.open(protocol)

    def _turn_away(self, signal: Signal) -> None:
        self.disconnected = 1
        self._out.send(signal)
        self._layer.forget(self)


class Client(Connection):
    """The connecting end: it knocks until somebody answers or nobody is interested any more."""

    def __init__(self, layer: Streams, reactor: Any, connector: Connector, local_port: int) -> None:
        super().__init__(layer, reactor, reactor.address, NOWHERE, NOWHERE)
        self._connector: Connector | None = connector
        self._resolve: Callable[[str], Deferred[str]] = reactor.resolve
        self._local_port = local_port
        self._far = self._door = ""
        layer.remember(self)
        layer.timeline.post(0.0, self._look_up, connector.to[0])

    def failIfNotConnected(self, reason: Failure | BaseException) -> None:
        """Give up, unless it is over or connected."""
        if self._waiting and self._connector is not None:
            connector, self._connector = self._connector, None
            self._layer.forget(self)
            connector.connectionFailed(Failure(reason))

    def connectionLost(self, reason: Failure) -> None:
        if self._waiting:
            self.failIfNotConnected(reason)
            return
        super().connectionLost(reason)
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.connectionLost(reason)

    @property
    def _waiting(self) -> bool:
        return not (self.connected or self.disconnected or self._connector is None)

    def _look_up(self, name: str) -> None:
        if self._waiting:
            self._resolve(name).addCallbacks(self._call, self.failIfNotConnected)

    def _call(self, address: str) -> None:
        if not self._waiting or self._connector is None:
            return
        near = address.startswith("127.")
        self._far = self.host if near else address
        self._door = loopback_of(self.host) if near else address
        port = self._local_port or self._layer.ports.free_port(self.host)
        self._local = IPv4Address("TCP", LOOPBACK if near else self.host, port)
        self._remote = IPv4Address("TCP", address, self._connector.to[1])
        self._knock(0)

    def _knock(self, attempt: int) -> None:
        if not self._waiting:
            return
        if attempt == len(KNOCKS_S):
            self.failIfNotConnected(error.TCPTimedOutError())
            return
        layer = self._layer
        layer.timeline.post(layer.links.delay(self.host, self._far), self._at_the_door)
        layer.timeline.post(KNOCKS_S[attempt], self._knock, attempt + 1)

    def _at_the_door(self) -> None:
        links = self._layer.links
        if links.reachable(self.host, self._far):
            listener = self._layer.ports.sockets.get((self._door, self._remote.port))
            delay_s = links.delay(self._far, self.host)
            self._layer.timeline.post(delay_s, self._answered, listener)

    def _answered(self, listener: TcpPort | None) -> None:
        if not self._waiting or not self._layer.links.reachable(self._far, self.host):
            return
        if listener is None:
            self.failIfNotConnected(error.ConnectionRefusedError())
            return
        server = Server(listener, self._layer, self)
        self.link(server)
        server.link(self)
        self._out.send(Signal.OPEN)
        try:
            self._establish()
        except Exception as problem:  # noqa: BLE001  as a reactor does: it costs the connection
            self._layer.timeline.note_error()
            self._disconnect(problem)
            self._finish()

    def _establish(self) -> None:
        if self._connector is None:
            return
        protocol = self._connector.buildProtocol(self._remote)
        if protocol is None:
            self.open(Protocol())
            self.loseConnection()  # type: ignore[no-untyped-call]
        else:
            self.open(protocol)
