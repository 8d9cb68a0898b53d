"""The ways to a device: TCP, UDP, a serial line here, or one behind a TCP gateway.

A *link* is the description, as configured; opening it brings a *wire*.
"""

from __future__ import annotations

import errno
import functools
import termios
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import Protocol as TypingProtocol

import serial
from twisted.internet import defer, error
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    connectProtocol,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import DatagramProtocol, Protocol, connectionDone
from twisted.internet.serialport import SerialPort
from twisted.python.failure import Failure

from astrameter.modbus.framing import DatagramFraming, Framing, MbapFraming, RtuFraming

CONNECT_S = 3.0
"""Time to find and reach a device; the predecessor's (meters.md section 12)."""

_BITS_PER_CHARACTER = 11
_SILENT_CHARACTERS = 3.5
_SHORTEST_SILENCE_S = 0.00175
_GATEWAY_BAUDRATE = 9600

_TIMEOUTS = (
    error.TimeoutError,
    error.TCPTimedOutError,
    error.ConnectingCancelledError,
    defer.TimeoutError,
)


class Receiver(TypingProtocol):
    """Whom a wire reports to."""

    def received(self, wire: Wire, data: bytes) -> None:
        """Bytes arrived."""

    def lost(self, wire: Wire, why: str) -> None:
        """The wire is of no use any more, without our doing; it goes on "LINK ..."."""


class Wire(TypingProtocol):
    """An open link."""

    def send(self, data: bytes) -> None:
        """Send one frame; trouble is reported to the receiver, perhaps at once."""

    def close(self) -> Deferred[None]:
        """End it at once and report nothing more; fires when it is gone."""


class Link(TypingProtocol):
    """A way to a device. Links that are equal are the same line.

    :ivar shown: for messages.
    :ivar silence_s: pause between frames that devices need to tell them apart.
    :ivar hint: what to check when what arrives makes no sense.
    :ivar framing: makes the framing of a new connection.
    """

    @property
    def shown(self) -> str: ...
    @property
    def silence_s(self) -> float: ...
    @property
    def hint(self) -> str: ...
    @property
    def framing(self) -> Callable[[], Framing]: ...

    def open(self, reactor: Any, receiver: Receiver) -> Deferred[Any]:
        """Fires with a :class:`Wire`, or fails within :data:`CONNECT_S`; may also raise."""

    def why(self, failure: Failure) -> str:
        """What a failure to open it means; it goes on "LINK ..."."""


# ------------------------------------------------------------------------------------- the network


@dataclass(frozen=True)
class TcpLink:
    """Modbus TCP, or the frames of a serial line through a gateway that only passes them on.

    :ivar rtu: the latter.
    """

    host: str
    port: int
    rtu: bool = False

    @property
    def shown(self) -> str:
        return _shown(self.host, self.port)

    @property
    def silence_s(self) -> float:
        return silence_s(_GATEWAY_BAUDRATE) if self.rtu else 0.0

    @property
    def hint(self) -> str:
        other = "TCP" if self.rtu else "RTU_OVER_TCP"
        return f"does it want TRANSPORT = {other}?"

    @property
    def framing(self) -> Callable[[], Framing]:
        return RtuFraming if self.rtu else MbapFraming

    def open(self, reactor: Any, receiver: Receiver) -> Deferred[Any]:
        wire: Deferred[Any] = connectProtocol(self._endpoint(reactor), _StreamWire(receiver))
        return wire.addTimeout(CONNECT_S, reactor)

    def why(self, failure: Failure) -> str:
        return _why_unreachable(failure)

    def _endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        arguments = (reactor, self.host, self.port, CONNECT_S)
        if isIPv6Address(self.host):
            return TCP6ClientEndpoint(*arguments)
        # HostnameEndpoint refuses names with underscores, which home networks have.
        if isIPAddress(self.host) or "_" in self.host:
            return TCP4ClientEndpoint(*arguments)
        return HostnameEndpoint(*arguments)


@dataclass(frozen=True)
class UdpLink:
    """The frames of Modbus TCP, one a datagram."""

    host: str
    port: int

    silence_s = 0.0
    hint = "is it Modbus over UDP?"
    framing = DatagramFraming

    @property
    def shown(self) -> str:
        return f"{_shown(self.host, self.port)} (UDP)"

    def open(self, reactor: Any, receiver: Receiver) -> Deferred[Any]:
        found = succeed(self.host) if isIPv6Address(self.host) else reactor.resolve(self.host)
        found.addTimeout(CONNECT_S, reactor)
        return found.addCallback(self._bind, reactor, receiver)

    def why(self, failure: Failure) -> str:
        return _why_unreachable(failure)

    def _bind(self, address: str, reactor: Any, receiver: Receiver) -> Wire:
        wire = _DatagramWire(receiver)
        reactor.listenUDP(0, wire, interface="::" if ":" in address else "")
        wire.transport.connect(address, self.port)
        return wire


# ------------------------------------------------------------------------------------- serial lines


@dataclass(frozen=True)
class SerialLink:
    """A serial line of this computer, eight bits a character.

    :ivar parity: ``N``, ``E`` or ``O``.
    :ivar stopbits: 1 or 2.
    """

    path: str
    baudrate: int = 9600
    parity: str = "N"
    stopbits: int = 1

    hint = "do BAUDRATE, PARITY and STOPBITS fit, and the wiring?"
    framing = RtuFraming

    @property
    def shown(self) -> str:
        return self.path

    @property
    def silence_s(self) -> float:
        return silence_s(self.baudrate)

    def open(self, reactor: Any, receiver: Receiver) -> Deferred[Any]:
        wire = _SerialWire(receiver)
        _ExclusivePort(
            wire,
            self.path,
            reactor,
            baudrate=self.baudrate,
            parity=self.parity,
            stopbits=self.stopbits,
        )
        return succeed(wire)

    def why(self, failure: Failure) -> str:
        problem = failure.value
        number = getattr(problem, "errno", None)
        if number == errno.ENOENT:
            return "does not exist; is the adapter plugged in?"
        if number in (errno.EACCES, errno.EPERM):
            return "may not be opened by this user; the group dialout usually may"
        if number in (errno.EAGAIN, errno.EBUSY):
            return "is in use by another program, or by a section with another BAUDRATE or PARITY"
        if isinstance(problem, (OSError, ValueError, termios.error)):
            return f"cannot be used as a serial line: {failure.getErrorMessage()}"
        return f"cannot be opened: {failure.type.__name__}: {failure.getErrorMessage()}"


class _ExclusivePort(SerialPort):  # type: ignore[misc]  Twisted says nothing of its types
    # Two masters on one line understand neither the devices nor each other.
    _serialFactory = functools.partial(serial.Serial, exclusive=True)


def silence_s(baudrate: int) -> float:
    """The silence that ends a frame: 3.5 characters, but 1.75 ms from 19200 on (MBSL 2.5.1.1)."""
    return max(_SHORTEST_SILENCE_S, _SILENT_CHARACTERS * _BITS_PER_CHARACTER / baudrate)


# ------------------------------------------------------------------------------------- wires


class _StreamWire(Protocol):
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
            self._cut()
        return self._closed

    def _cut(self) -> None:
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
            self._receiver.lost(self, self._why(reason))

    def _why(self, reason: Failure) -> str:
        if reason.check(error.ConnectionDone):
            return "closed the connection"
        return f"broke the connection: {reason.getErrorMessage()}"


class _SerialWire(_StreamWire):
    def _cut(self) -> None:
        # A serial port knows no abort, and would wait for a device that takes nothing.
        self.transport.connectionLost(Failure(error.ConnectionAborted()))

    def _why(self, reason: Failure) -> str:
        return "has gone; was the adapter pulled?"


class _DatagramWire(DatagramProtocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._closed: Deferred[None] | None = None

    def send(self, data: bytes) -> None:
        try:
            self.transport.write(data)
        except OSError as problem:
            self._lose(f"cannot be reached: {problem.strerror}")

    def close(self) -> Deferred[None]:
        if self._closed is None:
            self._closed = Deferred()
            defer.maybeDeferred(self.transport.stopListening).chainDeferred(self._closed)
        return self._closed

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        if self._closed is None:
            self._receiver.received(self, datagram)

    def connectionRefused(self) -> None:
        self._lose("refuses datagrams; is Modbus over UDP switched on there?")

    def _lose(self, why: str) -> None:
        if self._closed is None:
            self._receiver.lost(self, why)


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _why_unreachable(failure: Failure) -> str:
    if failure.check(error.ConnectionRefusedError):
        return "refuses connections; is Modbus switched on there, and is PORT right?"
    if failure.check(*_TIMEOUTS):
        return f"cannot be reached: no answer within {CONNECT_S:g} s"
    if failure.check(error.DNSLookupError):
        return "cannot be reached: the name is not known here"
    return f"cannot be reached: {failure.getErrorMessage() or failure.type.__name__}"
