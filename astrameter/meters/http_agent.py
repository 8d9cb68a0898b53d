"""Twisted's web client, wired for meters: bounded, quick to give up, leaving nothing behind."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from http.cookiejar import CookieJar
from typing import Any

from OpenSSL import SSL
from service_identity.exceptions import VerificationError
from twisted.internet import error as network
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import (
    IConsumer,
    IProtocolFactory,
    ISSLTransport,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    CookieAgent,
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import directlyProvides, implementer, providedBy

from astrameter.meters.urls import Url
from astrameter.reading import MeterError
from astrameter.tls import UnverifiedTls, tls_to

MAX_BODY = 1 << 20
"""Bytes of one answer; the largest that meters send are some tens of kilobytes."""

_MAX_ANSWER = MAX_BODY + (64 << 10)
"""Bytes between two requests, headers and framing included."""

_IDLE_S = 30
"""How long an unused connection stays open: longer than polling with a throttle pauses, short
enough to give a device with few sockets its socket back."""

_MAX_IDLE = 4
"""Unused connections to one host; meters that ask in parallel need a few."""

_MAX_ENDPOINTS = 16

_CLOSE_S = 1.0
"""Dropped connections are gone in the reactor's next turn; nothing waits for a defect longer."""


class _TooLongError(Exception):
    pass


@implementer(IAgentEndpointFactory)
class Connections:
    """The connections of one client, and the agent that uses them."""

    def __init__(self, reactor: Any, connect_timeout_s: float, verify_tls: bool) -> None:
        self._reactor = reactor
        self._timeout_s = connect_timeout_s
        self._verify_tls = verify_tls
        self._endpoints: dict[tuple[bytes, bytes, int], IStreamClientEndpoint] = {}
        self._open: set[_Connection] = set()
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = _MAX_IDLE
        self._pool.cachedConnectionTimeout = _IDLE_S
        self.agent = Agent.usingEndpointFactory(reactor, self, self._pool)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Where to connect to; remembered, because preparing TLS takes milliseconds."""
        key = (uri.scheme, uri.host, uri.port)
        endpoint = self._endpoints.get(key)
        if endpoint is None:
            if len(self._endpoints) >= _MAX_ENDPOINTS:
                self._endpoints.clear()
            endpoint = self._endpoints[key] = _Guarded(self._endpoint(*key), self._open)
        return endpoint

    def close(self) -> Deferred[None]:
        """Drop every connection, used or not; fires when all are gone, or after a second."""
        cached = self._pool.closeCachedConnections()
        gone = [connection.drop() for connection in tuple(self._open)]
        closing = gatherResults([cached, *gone], consumeErrors=True).addCallback(lambda _: None)
        return closing.addTimeout(_CLOSE_S, self._reactor, lambda *_: None)

    def _endpoint(self, scheme: bytes, host_bytes: bytes, port: int) -> IStreamClientEndpoint:
        host = host_bytes.decode("ascii")
        endpoint = self._tcp_endpoint(host, port)
        if scheme == b"http":
            return endpoint
        creator = tls_to(host) if self._verify_tls else UnverifiedTls(host)
        return wrapClientTLS(creator, endpoint, self._reactor)

    def _tcp_endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        arguments = (self._reactor, host, port, self._timeout_s)
        version = _ip_version(host)
        if version == 6:
            return TCP6ClientEndpoint(*arguments)
        # HostnameEndpoint refuses names with underscores, which home networks have.
        if version == 4 or "_" in host:
            return TCP4ClientEndpoint(*arguments)
        return HostnameEndpoint(*arguments)


@implementer(IStreamClientEndpoint)
class _Guarded:
    """Another endpoint, whose connections are bounded and can be dropped at any time."""

    def __init__(self, endpoint: IStreamClientEndpoint, opened: set[_Connection]) -> None:
        self._endpoint: Any = endpoint
        self._opened = opened

    def connect(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803  as the interface has it
    ) -> Deferred[Any]:
        guard = _GuardFactory(protocolFactory, self._opened)
        connected: Deferred[_Connection] = self._endpoint.connect(guard)
        return connected.addCallback(lambda connection: connection.inner)


class _GuardFactory(Factory):
    noisy = False

    def __init__(self, inner: IProtocolFactory, opened: set[_Connection]) -> None:
        self._inner = inner
        self._opened = opened

    def buildProtocol(self, addr: Any) -> _Connection:
        inner = self._inner.buildProtocol(addr)
        assert inner is not None
        return _Connection(inner, self._opened)


class _Connection(Protocol):
    """Between the socket and Twisted's HTTP protocol, which bounds neither headers nor waits.

    To the socket it is the protocol, to the HTTP protocol the transport.
    """

    transport: Any

    def __init__(self, inner: Any, opened: set[_Connection]) -> None:
        self.inner = inner
        self._opened = opened
        self._received = 0
        self._too_long = False
        self._gone: Deferred[None] = Deferred()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def drop(self) -> Deferred[None]:
        """Disconnect at once; fires when it is done."""
        self.stopProducing()
        return self._gone

    def connectionMade(self) -> None:
        directlyProvides(self, providedBy(self.transport))
        self._opened.add(self)
        self.inner.makeConnection(self)

    def dataReceived(self, data: bytes) -> None:
        self._received += len(data)
        if self._received <= _MAX_ANSWER:
            self.inner.dataReceived(data)
        else:
            self._too_long = True
            self.stopProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._opened.discard(self)
        self.inner.connectionLost(Failure(_TooLongError()) if self._too_long else reason)
        self._gone.callback(None)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """The first bytes of the next request: the next answer may be as long again."""
        self._received = 0
        self.transport.writeSequence(data)

    def stopProducing(self) -> None:
        """Disconnect without waiting for the other side."""
        self.transport.abortConnection()

    def loseConnection(self) -> None:
        """Disconnect; over TLS at once, because a hanging device never agrees to the end."""
        if ISSLTransport.providedBy(self.transport):
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()


@implementer(IBodyProducer)
class Body:
    """The body of a request, written in one piece."""

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Nothing is left to pause."""

    def resumeProducing(self) -> None:
        """Nothing is left to resume."""

    def stopProducing(self) -> None:
        """Nothing is left to stop."""


def read_body(response: IResponse) -> Deferred[bytes]:
    """The whole body of a response; cancelling closes the connection.

    A body that ends with the connection is complete, as small devices send it.
    """
    reader = _BodyReader()
    response.deliverBody(reader)
    return reader.done


class _BodyReader(Protocol):
    transport: Any

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._stop())
        self._body = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > MAX_BODY and not self.done.called:
            self.done.errback(_TooLongError())
            self._stop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss) is None:
            self.done.errback(reason)
        else:
            self.done.callback(bytes(self._body))

    def _stop(self) -> None:
        self._body.clear()
        self.transport.stopProducing()


def with_cookies(agent: IAgent) -> IAgent:
    """An agent that keeps cookies, in a jar of its own."""
    return CookieAgent(agent, CookieJar())


def explain(error: Exception, url: Url) -> Exception:
    """What went wrong with a request to ``url``, as a MeterError in the owner's words.

    A cancelled request stays a CancelledError, and what no request can cause stays what it is.
    """
    cause = _innermost(error)
    if isinstance(cause, MeterError):
        return cause
    if isinstance(cause, (CancelledError, network.ConnectingCancelledError)):
        return CancelledError()
    for kinds, kind, text in _EXPLANATIONS:
        if isinstance(cause, kinds):
            return MeterError(kind, text.format(url=url.shown, host=url.host, cause=cause))
    if isinstance(cause, SSL.Error):
        return _tls_error(cause, url)
    if cause is error:
        return error
    return MeterError("bad_structure", f"{url.shown} does not answer in proper HTTP")


_EXPLANATIONS: tuple[tuple[Any, str, str], ...] = (
    (_TooLongError, "bad_structure", "{url} answered with more than 1 MiB"),
    (
        network.DNSLookupError,
        "connect",
        "no device is known by the name {host}: check the spelling, or use its IP address",
    ),
    (network.TimeoutError, "timeout", "{url} did not accept the connection in time"),
    (
        network.ConnectionRefusedError,
        "connect",
        "{url} refused the connection: is it the right address and port?",
    ),
    (network.ConnectError, "connect", "{url} cannot be reached ({cause})"),
    (
        (network.ConnectionDone, network.ConnectionLost, network.ConnectionAborted),
        "connect",
        "{url} closed the connection before its answer was complete",
    ),
    (
        VerificationError,
        "tls_certificate",
        "the certificate of {url} is for another name than {host}",
    ),
)


def _tls_error(error: SSL.Error, url: Url) -> MeterError:
    queue = error.args[0] if error.args else ()
    reason = queue[0][-1] if isinstance(queue, list) and queue else "connection lost"
    if "certificate" in reason:
        return MeterError(
            "tls_certificate",
            f"the certificate of {url.shown} is not trusted: use http://, or add it to this "
            "computer's trusted certificates",
        )
    return MeterError(
        "connect", f"{url.shown} does not speak TLS as expected ({reason}): is it http://?"
    )


def _innermost(error: BaseException) -> BaseException:
    wrappers = (
        ResponseFailed,
        ResponseNeverReceived,
        RequestTransmissionFailed,
        RequestGenerationFailed,
    )
    while isinstance(error, wrappers) and error.reasons:
        error = error.reasons[0].value
    return error


def _ip_version(host: str) -> int | None:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None
