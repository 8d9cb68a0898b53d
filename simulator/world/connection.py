"""The two ends of a TCP connection."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, ITCPTransport
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from simulator.world.wire import Segment, Signal, Wire

if TYPE_CHECKING:
    from simulator.world.tcp import Streams

WINDOW = 65536
"""Octets that may be sent before the other end has read them; then the sender has to wait."""


@implementer(ITCPTransport)
class Connection(FileDescriptor):
    """One end of a TCP connection.

    Buffering, producers and half-closing are Twisted's own (FileDescriptor); here is what a
    kernel does below. Data that the other end does not read stays in the window, and so pauses
    the producer.

    :ivar host: address of the host it is on.
    """

    def __init__(
        self, layer: Streams, reactor: Any, host: str, local: IPv4Address, remote: IPv4Address
    ) -> None:
        super().__init__(reactor)
        self.host = host
        self.protocol: IProtocol | None = None
        self._layer = layer
        self._timeline = layer.timeline
        self._local = local
        self._remote = remote
        self._peer: Connection | None = None
        self._out: Wire | None = None
        self._inbox: deque[Segment] = deque()
        self._unread = 0
        self._reading = self._read_due = False
        self._writing = self._write_due = False
        self._aborting = self._finished = False
        self._no_delay = self._keep_alive = False

    def link(self, peer: Connection) -> None:
        """Lay the wire to the other end."""
        self._peer = peer
        ends = (self.host, peer.host)
        self._out = Wire(
            self._timeline, self._layer.links, ends, peer.receive, self._gave_up
        )
