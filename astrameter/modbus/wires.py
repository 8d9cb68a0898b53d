"""Open links: bytes out, bytes in, and the end told once."""

from __future__ import annotations

from typing import Any
from typing import Protocol as TypingProtocol

from twisted.internet import error
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.protocol import DatagramProtocol, Protocol, connectionDone
from twisted.python.failure import Failure


class Receiver(TypingProtocol):
    """Whom a wire reports to."""

    def received(self, wire: Wire, data: bytes) -> None:
        """Bytes arrived."""

    def lost(self, wire: Wire, why: str) -> None:
        """The wire is of no use any more, without our doing.

        ``why`` completes a sentence that begins with the link: "closed the connection".
        """


class Wire(TypingProtocol):
    """An open link."""

    def send(self, data: bytes) -> None:
        """Send one frame; trouble is reported to the receiver, perhaps at once."""

    def close(self) -> Deferred[None]:
        """End it at once and report nothing more; fires when it is gone."""


class StreamWire(Protocol):
    """A connection, or whatever behaves like one."""

    transport: Any

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._gone = False
        self._closed: Deferred[None] | None = None

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    def close(self) -> Deferred[None]:
        if self._gone:
            return succeed(None)
        if self._closed is None:
            self._closed = Deferred()
            self.cut()
        return self._closed

    def cut(self) -> None:
        """End the transport at once."""
        # There is nothing to say goodbye with, and what is unsent must not be waited for.
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self._closed is None:
            self._receiver.received(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._gone = True
        if self._closed is not None:
            self._closed.callback(None)
        else:
            self._receiver.lost(self, self.why(reason))

    def why(self, reason: Failure) -> str:
        """What the end of the transport means, as for :meth:`Receiver.lost`."""
        if reason.check(error.ConnectionDone):
            return "closed the connection"
        return f"broke the connection: {reason.getErrorMessage()}"


class DatagramWire(DatagramProtocol):
    """A UDP socket that is connected to one address."""

    transport: Any

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._gone = False
        self._closed: Deferred[None] | None = None

    def send(self, data: bytes) -> None:
        try:
            self.transport.write(data)
        except OSError as problem:
            self._lose(f"cannot be reached: {problem.strerror}")

    def close(self) -> Deferred[None]:
        if self._gone:
            return succeed(None)
        if self._closed is None:
            self._closed = Deferred()
            maybeDeferred(self.transport.stopListening).chainDeferred(self._closed)
        return self._closed

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        if self._closed is None:
            self._receiver.received(self, datagram)

    def connectionRefused(self) -> None:
        self._refused()

    def stopProtocol(self) -> None:
        # The epoll reactor closes a connected socket when an ICMP error comes, instead of
        # telling that the datagram was refused.
        self._gone = True
        self._refused()

    def _refused(self) -> None:
        self._lose("refuses datagrams; is Modbus over UDP switched on there?")

    def _lose(self, why: str) -> None:
        if self._closed is None:
            self._receiver.lost(self, why)
