"""The ways to a device: TCP, UDP, a serial line here, or one behind a TCP gateway.

A *link* is the description, as configured; opening it brings a *wire*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import Protocol as TypingProtocol

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
from twisted.python.failure import Failure

from astrameter.modbus.framing import DatagramFraming, Framing, MbapFraming, RtuFraming
from astrameter.modbus.wires import DatagramWire, Receiver, StreamWire, Wire

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
        """What a failure to open it means, as for :meth:`Receiver.lost`."""


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
        wire: Deferred[Any] = connectProtocol(self._endpoint(reactor), StreamWire(receiver))
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
        wire = DatagramWire(receiver)
        reactor.listenUDP(0, wire, interface="::" if ":" in address else "")
        wire.transport.connect(address, self.port)
        return wire


def silence_s(baudrate: int) -> float:
    """The silence that ends a frame: 3.5 characters, but 1.75 ms from 19200 on (MBSL 2.5.1.1)."""
    return max(_SHORTEST_SILENCE_S, _SILENT_CHARACTERS * _BITS_PER_CHARACTER / baudrate)


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _why_unreachable(failure: Failure) -> str:
    if failure.check(error.ConnectionRefusedError):
        return "refuses connections; is Modbus switched on there, and is PORT right?"
    if failure.check(*_TIMEOUTS):
        return f"cannot be reached: no answer within {CONNECT_S:g} s"
    if failure.check(error.DNSLookupError):
        return "cannot be reached: the name is not known here"
    return f"cannot be reached: {failure.getErrorMessage() or repr(failure.value)}"
