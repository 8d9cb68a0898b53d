"""What carries a websocket: endpoints, and a guard that bounds every direction.

:mod:`twisted.web.websocket` speaks the protocol. What it leaves open is closed here: it waits for
ever when the connection ends before the handshake, lets a message grow without limit, lets
exceptions about bad bytes out to the reactor, and forgets the port in the ``Host`` header.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import Protocol as TypingProtocol

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import (
    IDelayedCall,
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import directlyProvides, implementer, providedBy

from astrameter.meters.urls import Url

CONNECT_S = 10.0
"""Time to find and reach the source, for TLS and for the websocket handshake."""

CLOSE_S = 1.0
"""Time for an orderly end before the connection is cut."""

MAX_MESSAGE = 1 << 20
"""Bytes of one message; the largest that meters send are some tens of kilobytes."""

TURN_BYTES = 8192
"""Bytes taken in before the reactor may do other work; the rest waits, and so does the source."""

_HOST = re.compile(rb"(?<=\r\nHost: )[^\r]*")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no connection.

    :ivar kind: one word; the log speaks up when it changes.
    :ivar text: the whole story for the owner.
    :ivar patient: trying again soon cannot help.
    """

    kind: str
    text: str
    patient: bool = False


@dataclass(frozen=True)
class Place:
    """Where a source is.

    :ivar url: as http or https, for messages too; without a query.
    :ivar tls: makes what TLS is to check, for https; called at the first connection.
    :ivar untrusted: what the owner can do about a certificate that is not trusted.
    """

    url: Url
    tls: Callable[[], IOpenSSLClientConnectionCreator]
    untrusted: str


class Listener(TypingProtocol):
    """The connection that a wire belongs to."""

    def attached(self, wire: Wire) -> None:
        """There is a transport."""

    def heard(self) -> None:
        """Something came, whatever it was."""

    def fail(self, trouble: Trouble) -> None:
        """What came is of no use."""


class Wire(Protocol):
    """Between the socket and Twisted's websocket protocol.

    To the socket it is the protocol, to the websocket protocol the transport.

    :ivar closing: the end has begun, by our doing or the source's; nothing can be said any more.
    """

    transport: Any

    def __init__(self, inner: Any, clock: Any, connection: Listener, url: Url) -> None:
        self.inner = inner
        self._clock = clock
        self._connection = connection
        self._url = url
        self._greeted = False
        self.closing = False
        self._received = 0
        self._pending = bytearray()
        self._turn: IDelayedCall | None = None
        self._limit: IDelayedCall | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    # ------------------------------------------------------------------ from the socket

    def connectionMade(self) -> None:
        directlyProvides(self, providedBy(self.transport))
        self._connection.attached(self)
        self._guarded(self.inner.makeConnection, self)

    def dataReceived(self, data: bytes) -> None:
        if self.closing:
            return
        self._connection.heard()
        self._pending += data
        if self._turn is None:
            self._take_in()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closing = True
        for call in (self._turn, self._limit):
            if call is not None and call.active():
                call.cancel()
        self.inner.connectionLost(reason)

    # ------------------------------------------------------------------ to the socket

    def write(self, data: bytes) -> None:
        if not self._greeted:
            self._greeted = True
            data = _HOST.sub(self._url.netloc.encode("ascii"), data, count=1)
        self.transport.write(data)

    def loseConnection(self) -> None:
        """End it when what was written is sent, or by force after a moment."""
        if self.closing:
            return
        self.closing = True
        self._pending.clear()
        self._limit = self._clock.callLater(CLOSE_S, self.transport.abortConnection)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        """End it now."""
        self.closing = True
        self._pending.clear()
        self.transport.abortConnection()

    # ------------------------------------------------------------------ inside

    def message_ended(self) -> None:
        """What comes now belongs to the next message."""
        self._received = 0

    def _take_in(self) -> None:
        self._turn = None
        part = bytes(self._pending[:TURN_BYTES])
        del self._pending[:TURN_BYTES]
        self._received += len(part)
        if self._received > MAX_MESSAGE + TURN_BYTES:
            self._complain("too_long", "sent a message of more than 1 MiB")
            return
        self._guarded(self.inner.dataReceived, part)
        if self.closing:
            return
        if self._pending:
            self.transport.pauseProducing()
            self._turn = self._clock.callLater(0, self._continue)

    def _continue(self) -> None:
        self._take_in()
        if self._turn is None and not self.closing:
            self.transport.resumeProducing()

    def _guarded(self, call: Callable[[Any], object], argument: Any) -> None:
        try:
            call(argument)
        except Exception as error:  # noqa: BLE001  bad bytes make wsproto and h11 raise anything
            self._complain("protocol", f"does not speak websocket as expected ({error})")

    def _complain(self, kind: str, what: str) -> None:
        self._connection.fail(Trouble(kind, f"{self._url.shown} {what}"))


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class Through(Factory):
    """The only endpoint there is, with a :class:`Wire` on what it connects."""

    noisy = False

    def __init__(self, endpoint: Any, clock: Any, connection: Listener, url: Url) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._connection = connection
        self._url = url
        self._inner: Any = None

    def endpointForURI(self, _uri: URI) -> IStreamClientEndpoint:
        return self

    def connect(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803  as the interface has it
    ) -> Deferred[Any]:
        self._inner = protocolFactory
        connected: Deferred[Wire] = self._endpoint.connect(self)
        return connected.addCallback(lambda wire: wire.inner)

    def buildProtocol(self, addr: Any) -> Wire:
        return Wire(self._inner.buildProtocol(addr), self._clock, self._connection, self._url)


def endpoint_to(reactor: Any, place: Place) -> IStreamClientEndpoint:
    """The way to a source by name or address, with TLS for https."""
    url = place.url
    arguments = (reactor, url.host, url.port, CONNECT_S)
    endpoint: IStreamClientEndpoint
    if isIPv6Address(url.host):
        endpoint = TCP6ClientEndpoint(*arguments)
    elif isIPAddress(url.host) or "_" in url.host:
        # HostnameEndpoint refuses names with underscores, which home networks have.
        endpoint = TCP4ClientEndpoint(*arguments)
    else:
        endpoint = HostnameEndpoint(*arguments)
    if url.scheme == "https":
        endpoint = wrapClientTLS(place.tls(), endpoint, reactor)
    return endpoint
