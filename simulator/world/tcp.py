"""TCP: listening ports, and all connections of the world."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocol, IProtocolFactory
from zope.interface import implementer

from simulator.world.connection import Connection
from simulator.world.links import Links
from simulator.world.ports import WILDCARD, Ports
from simulator.world.timeline import Timeline


class Streams:
    """The TCP layer of the world.

    :ivar ports: who listens where.
    :ivar opened: how many connections have been accepted.
    """

    def __init__(self, timeline: Timeline, links: Links) -> None:
        self.timeline = timeline
        self.links = links
        self.ports: Ports[TcpPort] = Ports()
        self.opened = 0
        self._ends: dict[Connection, None] = {}

    def remember(self, end: Connection) -> None:
        """One end of a connection has come into being."""
        self._ends[end] = None

    def forget(self, end: Connection) -> None:
        """It is closed."""
        self._ends.pop(end, None)

    def ends_of(self, host: str) -> list[Connection]:
        """The host's ends of connections, also those not yet established; oldest first."""
        return [end for end in self._ends if end.host == host]

    def ports_of(self, host: str) -> list[TcpPort]:
        """The host's listening ports."""
        return list(dict.fromkeys(p for p in self.ports.sockets.values() if p.host == host))


@implementer(IListeningPort)
class TcpPort:
    """A listening TCP socket.

    After ``stopListening`` the port is free, and the Deferred fires, in the next turn.

    :ivar listening: connections to it are accepted.
    """

    def __init__(
        self,
        layer: Streams,
        reactor: Any,
        host: str,
        number: int,
        factory: IProtocolFactory,
        interface: str,
    ) -> None:
        self.reactor = reactor
        self.host = host
        self.number = number
        self.factory = factory
        self._layer = layer
        self._interface = interface
        self.listening = False
        self._stopped: Deferred[None] | None = None

    def startListening(self) -> None:
        """Bind.

        :raises CannotListenError: when the port is taken or the interface is not the host's.
        """
        self.number = self._layer.ports.claim(self.host, self._interface, self.number, self)
        self.listening = True
        self.factory.doStart()

    def stopListening(self) -> Deferred[None] | None:
        """Stop; the Deferred fires when the port is free. None when it is not bound."""
        if self.listening and self._stopped is None:
            self._stopped = Deferred()
            self._layer.timeline.post(0.0, self.close)
        return self._stopped if self.listening else None

    def getHost(self) -> IPv4Address:
        address = "0.0.0.0" if self._interface in WILDCARD else self._interface
        return IPv4Address("TCP", address, self.number)

    def vanish(self) -> None:
        """Close without a word to the factory: its program is gone."""
        self.listening = False
        self._layer.ports.release(self.host, self._interface, self.number, self)

    def close(self) -> None:
        """Free the port now."""
        if not self.listening:
            return
        self.vanish()
        self.factory.doStop()
        if self._stopped is not None:
            self._stopped.callback(None)

    def build(self, peer: IPv4Address) -> IProtocol | None:
        """A protocol for a new connection; None when the factory refuses or fails."""
        self._layer.opened += 1
        try:
            return self.factory.buildProtocol(peer)
        except Exception:  # noqa: BLE001  as in a reactor, it costs this connection and no more
            self._layer.timeline.note_error()
            return None
