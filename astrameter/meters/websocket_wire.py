"""One websocket connection as a client: from connecting to its end, bounded in every direction.

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

from OpenSSL import SSL
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, succeed
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
    IPushProducer,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.websocket import ConnectionRejected, WebSocketClientEndpoint, WebSocketTransport
from zope.interface import directlyProvides, implementer, providedBy

from astrameter.meters.http_agent import explain
from astrameter.meters.urls import Url
from astrameter.reading import MeterError

CONNECT_S = 10.0
"""Time to find and reach the source, for TLS and for the websocket handshake."""

GREETING_S = 10.0
"""Time from then on until the source has accepted us."""

PING_EVERY_S = 30.0
"""meters.md sections 8 and 16."""

PONG_S = 15.0
"""Silence after a ping which means that the line is dead: half the ping's interval."""

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


class Owner(TypingProtocol):
    """Whom a connection reports to."""

    def connection_opened(self, connection: Connection) -> None:
        """The handshake is done; messages may be sent."""

    def connection_message(self, text: str | None) -> None:
        """A message came; None for one that is no text."""

    def connection_ended(self, connection: Connection, trouble: Trouble) -> None:
        """The last word; nothing is left of the connection."""


@implementer(IPushProducer)
class Connection:
    """One attempt, and what comes of it; makes itself known to its owner when it ends."""

    def __init__(
        self, reactor: Any, place: Place, endpoint: IStreamClientEndpoint, owner: Owner
    ) -> None:
        self._clock = reactor
        self._place = place
        self._endpoint = endpoint
        self._owner = owner
        self._attempt: Deferred[Any] | None = None
        self._wire: _Wire | None = None
        self._transport: WebSocketTransport | None = None
        self._open = False
        self._accepted = False
        self._ended = False
        self._heard = False
        self._trouble: Trouble | None = None
        self._deadline: IDelayedCall | None = None
        self._ping_timer: IDelayedCall | None = None
        self._closed: Deferred[None] | None = None

    # ------------------------------------------------------------------ what the owner does

    def begin(self) -> None:
        """Connect."""
        url = self._place.url
        scheme = "wss" if url.scheme == "https" else "ws"
        self._deadline = self._clock.callLater(CONNECT_S, self._late)
        through = _Through(self._endpoint, self._clock, self, url)
        client = WebSocketClientEndpoint(through, f"{scheme}://{url.netloc}{url.path}")
        self._attempt = Deferred.fromCoroutine(client.connect(self))
        self._attempt.addErrback(self._failed)

    def send(self, text: str) -> None:
        """Send a message, unless the connection is about to end."""
        if self._is_open() and self._transport is not None:
            self._transport.sendTextMessage(text)

    def accepted(self) -> None:
        """The source took us: there is no hurry any more."""
        self._accepted = True
        self._stop_deadline()

    def fail(self, trouble: Trouble) -> None:
        """End it now, for this reason; the owner hears of it when that is done."""
        if self._ended or self._trouble is not None:
            return
        self._trouble = trouble
        if self._wire is not None:
            self._wire.abort()
        elif self._attempt is not None:
            self._attempt.cancel()

    def close(self) -> Deferred[None]:
        """End it in good order, or by force after a moment; fires when it is gone."""
        if self._ended:
            return succeed(None)
        if self._closed is not None:
            return self._closed
        closed = self._closed = Deferred()
        self._stop_timers()
        ended = Trouble("closed", "we closed the connection")
        if self._is_open() and self._transport is not None:
            self._trouble = ended
            self._transport.loseConnection()
        else:
            self.fail(ended)
        return closed

    # ------------------------------------------------------------------ what the wire says

    def attached(self, wire: _Wire) -> None:
        """There is a transport."""
        self._wire = wire

    def heard(self) -> None:
        """Something came, whatever it was."""
        self._heard = True

    # ---------------------------------------- twisted.web.websocket: WebSocketClientFactory

    def buildProtocol(self, _url: str) -> Connection:
        return self

    # ---------------------------------------- twisted.web.websocket: WebSocketProtocol

    def negotiationStarted(self, transport: WebSocketTransport) -> None:
        self._transport = transport
        transport.attachProducer(self)

    def negotiationFinished(self) -> None:
        if self._trouble is not None:
            return
        self._open = True
        self._stop_deadline()
        self._deadline = self._clock.callLater(GREETING_S, self._late)
        self._ping_timer = self._clock.callLater(PING_EVERY_S, self._ping)
        self._owner.connection_opened(self)

    def pongReceived(self, _payload: bytes) -> None:
        self._message_ended()

    def textMessageReceived(self, message: str) -> None:
        self._message_ended()
        if self._is_open():
            self._owner.connection_message(message)

    def bytesMessageReceived(self, _data: bytes | bytearray) -> None:
        self._message_ended()
        if self._is_open():
            self._owner.connection_message(None)

    def connectionLost(self, reason: Failure) -> None:
        self._end(self._trouble or self._why_lost(reason))

    # ---------------------------------------- IPushProducer: of what we send

    def pauseProducing(self) -> None:
        """We send a few hundred bytes: who does not take those is not going to recover."""
        self.fail(Trouble("deaf", f"{self._place.url.shown} does not take what it is sent"))

    def resumeProducing(self) -> None:
        """Never needed after a pause."""

    def stopProducing(self) -> None:
        """The transport gave up; ``connectionLost`` follows."""

    # ------------------------------------------------------------------ inside

    def _is_open(self) -> bool:
        return self._open and not self._ended and self._trouble is None

    def _message_ended(self) -> None:
        if self._wire is not None:
            self._wire.message_ended()

    def _late(self) -> None:
        self._deadline = None
        shown = self._place.url.shown
        if self._open:
            text = f"{shown} did not accept us within {GREETING_S:.0f} s"
        elif self._wire is not None:
            text = f"{shown} did not answer within {CONNECT_S:.0f} s"
        else:
            text = f"{shown} did not accept the connection within {CONNECT_S:.0f} s"
        self.fail(Trouble("timeout", f"{text}: is it the right address and port?"))

    def _ping(self) -> None:
        self._ping_timer = None
        if self._is_open() and self._transport is not None:
            self._heard = False
            self._ping_timer = self._clock.callLater(PONG_S, self._judge_silence)
            self._transport.ping()

    def _judge_silence(self) -> None:
        self._ping_timer = None
        if self._heard:
            self._ping_timer = self._clock.callLater(PING_EVERY_S - PONG_S, self._ping)
        else:
            text = f"{self._place.url.shown} has fallen silent and does not answer any more"
            self.fail(Trouble("silent", text))

    def _failed(self, failure: Failure) -> None:
        """The attempt came to nothing."""
        if isinstance(failure.value, ConnectionRejected):
            self.fail(self._why_rejected(failure.value.response.code))
        elif self._wire is None:
            self._end(self._trouble or self._why_unreachable(failure))

    def _end(self, trouble: Trouble) -> None:
        if self._ended:
            return
        self._ended = True
        self._stop_timers()
        if self._attempt is not None:
            self._attempt.cancel()
        self._owner.connection_ended(self, trouble)
        if self._closed is not None:
            self._closed.callback(None)

    def _stop_timers(self) -> None:
        self._stop_deadline()
        if self._ping_timer is not None:
            self._ping_timer.cancel()
            self._ping_timer = None

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # ------------------------------------------------------------------ explanations

    def _why_rejected(self, status: int) -> Trouble:
        shown = self._place.url.shown
        hint = "is it the right address and port?"
        if status in {401, 403}:
            hint = "it wants nothing to do with this computer; has it been banned there?"
        elif 300 <= status < 400:
            hint = "it wants to be asked elsewhere; is it https, or another address?"
        return Trouble("http_status", f"{shown} answered {status} instead of a websocket: {hint}")

    def _why_unreachable(self, failure: Failure) -> Trouble:
        error = self._explained(failure)
        return Trouble(error.kind, str(error), patient=error.kind == "tls_certificate")

    def _why_lost(self, reason: Failure) -> Trouble:
        if not self._open:
            return self._why_unreachable(reason)
        text = f"{self._place.url.shown} closed the connection"
        if self._accepted:
            return Trouble("lost", text)
        return Trouble("unaccepted", f"{text} and did not accept us: is the token right?")

    def _explained(self, failure: Failure) -> MeterError:
        url = self._place.url
        error: Any = failure.value
        explained = error if isinstance(error, MeterError) else explain(error, url)
        if not isinstance(explained, MeterError):
            name = type(explained).__name__
            return MeterError("connect", f"{url.shown} cannot be reached ({explained or name})")
        if explained.kind == "tls_certificate" and isinstance(error, SSL.Error):
            text = f"the certificate of {url.shown} is not trusted: {self._place.untrusted}"
            return MeterError("tls_certificate", text)
        return explained


class _Wire(Protocol):
    """Between the socket and Twisted's websocket protocol.

    To the socket it is the protocol, to the websocket protocol the transport.
    """

    transport: Any

    def __init__(self, inner: Any, clock: Any, connection: Connection, url: Url) -> None:
        self.inner = inner
        self._clock = clock
        self._connection = connection
        self._url = url
        self._greeted = False
        self._closing = False
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
        if self._closing:
            return
        self._connection.heard()
        self._pending += data
        if self._turn is None:
            self._take_in()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = True
        self._pending.clear()
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
        if self._closing:
            return
        self._closing = True
        self._pending.clear()
        self._limit = self._clock.callLater(CLOSE_S, self.transport.abortConnection)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        """End it now."""
        self._closing = True
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
        if self._closing:
            return
        if self._pending:
            self.transport.pauseProducing()
            self._turn = self._clock.callLater(0, self._continue)

    def _continue(self) -> None:
        self._take_in()
        if self._turn is None and not self._closing:
            self.transport.resumeProducing()

    def _guarded(self, call: Callable[[Any], object], argument: Any) -> None:
        try:
            call(argument)
        except Exception as error:  # noqa: BLE001  bad bytes make wsproto and h11 raise anything
            self._complain("protocol", f"does not speak websocket as expected ({error})")

    def _complain(self, kind: str, what: str) -> None:
        self._connection.fail(Trouble(kind, f"{self._url.shown} {what}"))
        self.abort()


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class _Through(Factory):
    """The only endpoint there is, with a :class:`_Wire` on what it connects."""

    noisy = False

    def __init__(self, endpoint: Any, clock: Any, connection: Connection, url: Url) -> None:
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
        connected: Deferred[_Wire] = self._endpoint.connect(self)
        return connected.addCallback(lambda wire: wire.inner)

    def buildProtocol(self, addr: Any) -> _Wire:
        return _Wire(self._inner.buildProtocol(addr), self._clock, self._connection, self._url)


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
