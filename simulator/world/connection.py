"""The two ends of a TCP connection."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
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
    kernel does below. What the other end does not read fills the window, and so pauses the
    producer.

    :ivar host: address of the host it is on.
    """

    _peer: Connection
    _out: Wire

    def __init__(
        self, layer: Streams, reactor: Any, host: str, local: IPv4Address, remote: IPv4Address
    ) -> None:
        super().__init__(reactor)
        self.host = host
        self.protocol: IProtocol | None = None
        self._layer = layer
        self._local = local
        self._remote = remote
        self._inbox: deque[Segment] = deque()
        self._unread = 0
        self._reading = self._read_due = False
        self._writing = self._write_due = False
        self._finished = self._aborting = False
        self._no_delay = self._keep_alive = False

    def link(self, peer: Connection) -> None:
        """Lay the wire to the other end."""
        layer = self._layer
        self._peer = peer
        ends = (self.host, peer.host)
        self._out = Wire(layer.timeline, layer.links, ends, peer.receive, self._gave_up)

    def open(self, protocol: IProtocol) -> None:
        """Hand the established connection to its protocol."""
        self.connected = 1
        self.protocol = protocol
        self.startReading()
        protocol.makeConnection(self)

    def receive(self, segment: Segment) -> None:
        """Take a segment that has arrived from the other end."""
        if self.disconnected:
            if isinstance(segment, bytes):
                self._out.send(Signal.RST)
        elif segment is Signal.RST:
            self._disconnect(CONNECTION_LOST)
        elif segment is Signal.OPEN:
            self.accepted()
        else:
            self._inbox.append(segment)
            self._read()

    def accepted(self) -> None:
        """Called when the other end has established the connection."""
        raise NotImplementedError

    def consumed(self, octets: int) -> None:
        """Called when the other end has read so much of what was sent."""
        self._unread -= octets
        if self._writing:
            self.startWriting()

    def vanish(self) -> None:
        """The program is gone; its kernel resets the connection, if that gets through."""
        if self.connected:
            self._out.send(Signal.RST)
        self.connected = 0
        self.disconnected = 1
        self._reading = self._writing = False
        self._inbox.clear()
        self._layer.forget(self)

    def connectionLost(self, reason: Failure) -> None:
        """End it, and tell the other end and the protocol."""
        if self.disconnected:
            return
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        if reason.check(ConnectionAborted):
            self._out.send(Signal.RST)
        else:
            self._finish()
        self._inbox.clear()
        self._layer.forget(self)
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connectionLost(reason)

    def abortConnection(self) -> None:
        """Reset the connection in the next turn; what is not sent by then is thrown away."""
        if not self.disconnected and not self._aborting:
            self._aborting = True
            reason = Failure(ConnectionAborted())
            self._layer.timeline.post(0.0, self.connectionLost, reason)

    def readConnectionLost(self, reason: Failure) -> None:
        """The other end will send no more."""
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if protocol is None:
            self.connectionLost(reason)
        else:
            protocol.readConnectionLost()

    def writeSomeData(self, data: bytes) -> int:
        """Send what the window has room for; returns how much that was."""
        chunk = bytes(data[: WINDOW - self._unread])
        if chunk:
            self._unread += len(chunk)
            self._out.send(chunk)
        return len(chunk)

    def startReading(self) -> None:
        self._reading = True
        if self._inbox:
            self._read_soon()

    def stopReading(self) -> None:
        self._reading = False

    def startWriting(self) -> None:
        self._writing = True
        if not self._write_due:
            self._write_due = True
            self._layer.timeline.post(0.0, self._write)

    def stopWriting(self) -> None:
        self._writing = False

    def getHost(self) -> IPv4Address:
        return self._local

    def getPeer(self) -> IPv4Address:
        return self._remote

    def getTcpNoDelay(self) -> bool:
        return self._no_delay

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Remembered; there is no Nagle algorithm to turn off."""
        self._no_delay = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        return self._keep_alive

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Remembered; no probes are sent, so that nobody counts on a kernel's two hours."""
        self._keep_alive = bool(enabled)

    def _closeWriteConnection(self) -> None:
        self._finish()
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if protocol is not None:
            protocol.writeConnectionLost()

    def _finish(self) -> None:
        if not self._finished:
            self._finished = True
            self._out.send(Signal.FIN)

    def _gave_up(self) -> None:
        if not self.disconnected:
            self._disconnect(CONNECTION_LOST)

    def _read_soon(self) -> None:
        if not self._read_due:
            self._read_due = True
            self._layer.timeline.post(0.0, self._read)

    def _read(self) -> None:
        self._read_due = False
        if not self._reading or self._aborting or not self._inbox:
            return
        segment = self._inbox.popleft()
        if self._inbox:
            self._read_soon()
        if isinstance(segment, bytes):
            self._peer.consumed(len(segment))
            self._hand_over(segment)
        else:
            self._disconnect(CONNECTION_DONE, reading=True)

    def _hand_over(self, data: bytes) -> None:
        if self.protocol is None:
            return
        try:
            self.protocol.dataReceived(data)
        except Exception as error:  # noqa: BLE001  as a reactor does: it costs the connection
            self._layer.timeline.note_error()
            self._disconnect(error)

    def _write(self) -> None:
        self._write_due = False
        if not self._writing or self._aborting:
            return
        try:
            why = self.doWrite()  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001  as a reactor does: it costs the connection
            self._layer.timeline.note_error()
            why = error
        if why is not None:
            self._disconnect(why)

    def _disconnect(self, why: Exception, *, reading: bool = False) -> None:
        self.stopReading()
        if reading and isinstance(why, ConnectionDone):
            self.readConnectionLost(Failure(why))
        else:
            self.connectionLost(Failure(why))
