"""The port of the HTTP API: bounded bodies, bounded connections."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.server import Request, Site

from astrameter.reading import PhaseWatts
from simulator.api.guard import is_local
from simulator.api.resource import JSON_TYPE, Api
from simulator.control import SiteControl, Status

LARGEST_BODY = 64 << 10
LONGEST_UPLOAD = 1 << 20
"""A body up to here is read and thrown away, so that its sender gets the answer."""

MOST_CONNECTIONS = 200
IDLE_TIMEOUT_S = 60

CLOSE_S = 1.0
"""So long answers under way have at the end (simulator.md section 7: at most a second)."""

_TOO_LARGE = b'{"error": "the body is too large: at most %d bytes"}' % LARGEST_BODY


class PortTakenError(Exception):
    """The port cannot be opened; ``str()`` says why, and how to mend it."""


class _Request(Request):
    """A request whose body is bounded."""

    _received = 0

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > LONGEST_UPLOAD:
            self._refuse_and_close()

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received <= LARGEST_BODY:
            content: Any = self.content
            content.write(data)
        elif self._received > LONGEST_UPLOAD:
            self._refuse_and_close()

    def process(self) -> None:
        if self._received <= LARGEST_BODY:
            Request.process(self)
            return
        answer: Any = self
        answer.setResponseCode(http.REQUEST_ENTITY_TOO_LARGE)
        answer.setHeader(b"Content-Type", JSON_TYPE)
        answer.setHeader(b"Content-Length", b"%d" % len(_TOO_LARGE))
        answer.write(_TOO_LARGE)
        answer.finish()

    def write(self, data: bytes) -> None:
        if not self.startedWriting:
            self.responseHeaders.removeHeader(b"Server")
            self.responseHeaders.setRawHeaders(b"X-Content-Type-Options", [b"nosniff"])
        Request.write(self, data)

    def _refuse_and_close(self) -> None:
        transport: Any = self.channel.transport
        transport.write(
            b"HTTP/1.1 413 Request Entity Too Large\r\nConnection: close\r\n"
            b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (JSON_TYPE, len(_TOO_LARGE), _TOO_LARGE)
        )
        self.channel.loseConnection()


class _Channel(http.HTTPChannel):
    """One connection, known to its site for as long as it lasts."""

    site: _Site

    def connectionMade(self) -> None:
        self.site.opened(self)
        http.HTTPChannel.connectionMade(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        http.HTTPChannel.connectionLost(self, reason)
        self.site.closed(self)


class _Site(Site):
    """A connection too many ends the oldest: idle ones must not lock out the meter's reader."""

    noisy = False
    displayTracebacks = False
    protocol = _Channel  # type: ignore[assignment]  # the proxy only adds HTTP/2
    requestFactory = _Request

    def __init__(self, api: Api, reactor: Any) -> None:
        Site.__init__(
            self, api, parsePOSTFormSubmission=False, timeout=IDLE_TIMEOUT_S, reactor=reactor
        )
        self._channels: dict[_Channel, None] = {}
        self._all_closed: Deferred[None] | None = None

    def startFactory(self) -> None:
        """Without the access log, and without the timer that keeps its time of day."""

    def opened(self, channel: _Channel) -> None:
        if len(self._channels) >= MOST_CONNECTIONS:
            _abort(next(iter(self._channels)))
        self._channels[channel] = None

    def closed(self, channel: _Channel) -> None:
        self._channels.pop(channel, None)
        if not self._channels and self._all_closed is not None:
            all_closed, self._all_closed = self._all_closed, None
            all_closed.callback(None)

    def close(self) -> Deferred[None]:
        """Let answers under way go out, then close; fires when the last connection has ended."""
        if not self._channels:
            return succeed(None)
        all_closed = self._all_closed = Deferred()
        for channel in list(self._channels):
            transport: Any = channel
            transport.loseConnection()
        return all_closed

    def abort(self) -> None:
        """Cut whatever is left."""
        for channel in list(self._channels):
            _abort(channel)


def _abort(channel: _Channel) -> None:
    transport: Any = channel.transport
    transport.abortConnection()


class ApiServer(Service):
    """Serves the API while it runs.

    :ivar port: the TCP port; 0 until it has started when any was asked for.
    """

    def __init__(
        self,
        control: SiteControl,
        power: Callable[[], PhaseWatts],
        look: Callable[[], Status],
        reactor: Any,
        host: str,
        port: int,
    ) -> None:
        self.port = port
        self._host = host
        self._reactor = reactor
        self._api = Api(control, power, look, reactor, loopback=is_local(host))
        self._site = _Site(self._api, reactor)
        self._listening: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        Service.privilegedStartService(self)
        self._listen()

    def startService(self) -> None:
        """:raises PortTakenError: when the port cannot be opened."""
        self._listen()
        Service.startService(self)

    def _listen(self) -> None:
        if self._listening is not None:
            return
        interface = "127.0.0.1" if self._host == "localhost" else self._host
        try:
            listening = self._reactor.listenTCP(
                self.port, self._site, interface="" if interface == "0.0.0.0" else interface
            )
        except CannotListenError as error:
            reason = getattr(error.socketError, "strerror", None) or error.socketError
            raise PortTakenError(
                f"the HTTP API cannot listen on {self._host}:{self.port}: {reason}; stop what uses "
                "it, or choose another with --http-port or http.host and http.port"
            ) from None
        self._listening = listening
        self.port = cast(IPv4Address, listening.getHost()).port

    def stopService(self) -> Deferred[Any]:
        """Close the port; answers under way go out first."""
        Service.stopService(self)
        listening, self._listening = self._listening, None
        closed = None if listening is None else listening.stopListening()
        self._api.close()
        ended = self._site.close()
        last = self._reactor.callLater(CLOSE_S, self._site.abort)
        ended.addCallback(lambda _: last.cancel() if last.active() else None)
        return DeferredList([ended, closed or succeed(None)])
