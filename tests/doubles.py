"""Stand-ins for the world around the unit under test."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Sequence
from typing import Any, Literal

from twisted.application import service
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from zope.interface import implementer

from astrameter.meters.interface import IMeter
from astrameter.reading import MeterError, Sample
from astrameter.routing import Route, Routes

Address = tuple[str, int]


@implementer(IListeningPort)
class FakeUDPPort:
    """A bound UDP port without a network.

    :ivar sent: every datagram written, with its destination.
    :ivar send_error: raised instead of sending, when set.
    """

    def __init__(self, reactor: FakeUDPReactor, port: int, protocol: Any, interface: str) -> None:
        self.protocol = protocol
        self.sent: list[tuple[bytes, Address]] = []
        self.send_error: OSError | None = None
        self.open = True
        self._reactor = reactor
        self._address = IPv4Address("UDP", interface, port)

    def startListening(self) -> None:
        number = self._address.port
        if number in self._reactor.refused or number in self._reactor.ports:
            in_use = OSError(errno.EADDRINUSE, "Address already in use")
            raise CannotListenError(self._address.host, number, in_use)
        self._reactor.ports[number] = self
        self.protocol.makeConnection(self)

    def write(self, datagram: bytes, addr: Address | None = None) -> None:
        assert addr is not None, "an unconnected port needs a destination"
        assert self.open, "written to a closed socket"
        if self.send_error is not None:
            raise self.send_error
        self.sent.append((datagram, addr))

    def getHost(self) -> IPv4Address:
        return self._address

    def stopListening(self) -> Deferred[None]:
        """Like the real port, tells the protocol in the reactor's next turn."""
        closed: Deferred[None] = Deferred()
        self._reactor.ports.pop(self._address.port, None)
        self._reactor.callLater(0, self._closed, closed)
        return closed

    def _closed(self, closed: Deferred[None]) -> None:
        self.open = False
        self.protocol.doStop()
        closed.callback(None)

    def take(self) -> list[bytes]:
        """What was sent since the last call, without the destinations."""
        sent, self.sent = self.sent, []
        return [datagram for datagram, _ in sent]


class FakeUDPReactor(Clock):
    """A clock with UDP ports.

    :ivar ports: what is bound, by port number.
    :ivar refused: port numbers that cannot be bound.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.rightNow = seconds
        self.ports: dict[int, FakeUDPPort] = {}
        self.refused: set[int] = set()

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 8192
    ) -> FakeUDPPort:
        bound = FakeUDPPort(self, port, protocol, interface)
        bound.startListening()
        return bound

    def deliver(self, port: int, datagram: bytes, source: Address) -> None:
        """A datagram arrives; at an unbound port it is lost."""
        if port in self.ports:
            self.ports[port].protocol.datagramReceived(datagram, source)

    def advance_to(self, seconds: float) -> None:
        """Advance to exactly ``seconds``; summing up differences would miss it by a rounding."""
        assert seconds >= self.rightNow, "time does not run backwards"
        self.rightNow = seconds
        self.advance(0)


@implementer(IMeter)
class StubMeter(service.Service):
    """A meter that says what the test wants.

    :ivar reading: what the following reads bring: watts, ``"error"`` (a MeterError), any other
        exception, or a Deferred of one of these, which all readers wait for.
    :ivar fresh: what the next ``next_sample`` waits for; None: there is a new sample at once.
    :ivar reads: how often it was read.
    """

    online: bool | None = None

    def __init__(self, reading: Any = (0.0,), section: str = "STUB") -> None:
        self.section = section
        self.reading = reading
        self.fresh: Deferred[None] | None = None
        self.reads = 0

    def read(self) -> Deferred[Sample]:
        self.reads += 1
        if not isinstance(self.reading, Deferred):
            return self._result(self.reading)
        reader: Deferred[Any] = Deferred()
        self.reading.addBoth(_tell, reader)
        return reader.addCallback(self._result)

    def _result(self, reading: Sequence[float] | Exception | Literal["error"]) -> Deferred[Sample]:
        if isinstance(reading, Exception):
            return fail(reading)
        if reading == "error":
            return fail(MeterError("no_data", "the test wants it to fail"))
        return succeed(Sample(tuple(float(watts) for watts in reading), 0.0))

    def first_sample(self, timeout_s: float) -> Deferred[None]:
        return succeed(None)

    def next_sample(self, timeout_s: float) -> Deferred[None]:
        fresh, self.fresh = self.fresh, None
        return succeed(None) if fresh is None else fresh


def _tell(result: Any, reader: Deferred[Any]) -> Any:
    reader.callback(result)
    return result


def routes_for(meters: Sequence[tuple[StubMeter, Sequence[str]]], *, wait: bool = False) -> Routes:
    """Routes to unfiltered meters, each with the networks it serves (``"192.168.1.0/24"``)."""
    routes = Routes()
    routes.replace(
        [
            Route(meter, meter, [ipaddress.IPv4Network(mask) for mask in masks], wait)
            for meter, masks in meters
        ]
    )
    return routes
