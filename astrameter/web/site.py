"""The HTTP side of the health server: routes, headers, bounds.

Imported only when a web server is wanted, because ``twisted.web`` is not small; and of that only
the protocol, because its tree of resources costs 2 MB, and here are ten paths.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http

from astrameter.logs import FailureLog
from astrameter.web.status import Status, problems, without_secrets
from astrameter.web.style import STYLE_HASH

MAX_CONNECTIONS = 20
IDLE_TIMEOUT_S = 30
MAX_BODY_BYTES = 65536
"""No route takes a body; what a client sends all the same is thrown away, and not for ever."""

_HEADERS = (
    (b"Cache-Control", b"no-cache"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (
        b"Content-Security-Policy",
        f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'".encode(),
    ),
)

Answer = tuple[int, bytes, bytes]
"""Status code, content type, body."""

Metrics = Callable[[], tuple[bytes, bytes]]
"""Gives the content type and the text of ``/metrics``."""


class Pages:
    """All routes (web.md section 9). Paths are compared as sent; everything else is a 404."""

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        status: Callable[[], Status],
        commit: str | None,
        metrics: Metrics | None = None,
    ) -> None:
        self._status = status
        self._trouble = FailureLog(clock, self._log, "the status of the daemon")
        health = {"status": "healthy", "service": "astrameter"}
        if commit:
            health["git_commit"] = commit
        self._health = _json(http.OK, health)
        self._routes: dict[bytes, Callable[[], Answer]] = {
            b"/": self._page,
            b"/ready": self._ready,
            b"/api/status": self._api_status,
        }
        if metrics is not None:
            self._metrics = metrics
            self._metrics_trouble = FailureLog(clock, self._log, "the metrics of the daemon")
            self._routes[b"/metrics"] = self._figures
        for path in (b"/health", b"/health/", b"/api", b"/api/"):
            self._routes[path] = self._healthy

    def answer(self, method: bytes, path: bytes) -> Answer:
        """What to say to a request; a wrong method is a 404 too, never a 405."""
        route = self._routes.get(path)
        if route is None or method not in (b"GET", b"HEAD"):
            return _not_found()
        return route()

    def _healthy(self) -> Answer:
        return self._health

    def _page(self) -> Answer:
        from astrameter.web.page import render_page, render_trouble  # noqa: PLC0415  seldom read

        return self._from_status(
            lambda status: _html(http.OK, render_page(status)),
            _html(http.INTERNAL_SERVER_ERROR, render_trouble()),
        )

    def _api_status(self) -> Answer:
        return self._from_status(
            lambda status: _json(http.OK, status),
            _json(http.INTERNAL_SERVER_ERROR, {"error": "The status is not available"}),
        )

    def _ready(self) -> Answer:
        return self._from_status(
            _readiness,
            _json(http.SERVICE_UNAVAILABLE, _not_ready(["the status is not available"])),
        )

    def _figures(self) -> Answer:
        try:
            content_type, body = self._metrics()
        except Exception as error:  # noqa: BLE001  as with the status
            self._metrics_trouble.failed(repr(error))
            return _json(http.INTERNAL_SERVER_ERROR, {"error": "The metrics are not available"})
        self._metrics_trouble.recovered()
        return http.OK, content_type, body

    def _from_status(self, render: Callable[[Status], Answer], otherwise: Answer) -> Answer:
        try:
            answer = render(without_secrets(self._status()))
        except Exception as error:  # noqa: BLE001  the owner's status must not break the server
            self._trouble.failed(repr(error))
            return otherwise
        self._trouble.recovered()
        return answer


class _Request(http.Request):
    """A request that keeps nothing of a body, and an answer that says nothing of the server."""

    channel: Any
    _received = 0

    def gotLength(self, _length: int | None) -> None:
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_BODY_BYTES:
            self.channel.forceAbortClient()

    def process(self) -> None:
        code, content_type, body = self.channel.site.pages.answer(self.method, self.path)
        self.setResponseCode(code)
        for name, value in (
            (b"Date", http.datetimeToString()),
            (b"Content-Type", content_type),
            (b"Content-Length", b"%d" % len(body)),
            *_HEADERS,
        ):
            self.responseHeaders.setRawHeaders(name, [value])
        http.Request.write(self, body)
        http.Request.finish(self)


class _Channel(http.HTTPChannel):
    """One connection, known to its site for as long as it lasts."""

    site: HealthSite
    requestFactory = _Request

    def connectionMade(self) -> None:
        self.site.opened(self)
        http.HTTPChannel.connectionMade(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        http.HTTPChannel.connectionLost(self, reason)
        self.site.closed(self)


class HealthSite(http.HTTPFactory):
    """The factory to listen with: :class:`Pages`, a bounded number of times at once.

    A connection too many ends the oldest. Refusing the new one instead would let twenty idle
    ones hide the daemon from its watchdog.
    """

    noisy = False
    protocol = _Channel  # type: ignore[assignment]  # the proxy only adds HTTP/2

    def __init__(
        self,
        clock: IReactorTime,
        status: Callable[[], Status],
        commit: str | None,
        metrics: Metrics | None = None,
    ) -> None:
        http.HTTPFactory.__init__(self, timeout=IDLE_TIMEOUT_S, reactor=clock)
        self.pages = Pages(clock, status, commit, metrics)
        self._channels: dict[_Channel, None] = {}
        self._all_closed: Deferred[None] | None = None

    def buildProtocol(self, addr: Any) -> Any:
        channel: Any = http.HTTPFactory.buildProtocol(self, addr)
        channel.site = self
        return channel

    def startFactory(self) -> None:
        """Without the access log, and without the timer that keeps its time of day."""

    def opened(self, channel: _Channel) -> None:
        """A connection has begun."""
        if len(self._channels) >= MAX_CONNECTIONS:
            _abort(next(iter(self._channels)))
        self._channels[channel] = None

    def closed(self, channel: _Channel) -> None:
        """A connection has ended."""
        self._channels.pop(channel, None)
        if not self._channels and self._all_closed is not None:
            all_closed, self._all_closed = self._all_closed, None
            all_closed.callback(None)

    def close(self) -> Deferred[None]:
        """Cut all connections; fire when the last has ended."""
        if not self._channels:
            return succeed(None)
        all_closed = self._all_closed = Deferred()
        for channel in list(self._channels):
            _abort(channel)
        return all_closed


def _abort(channel: _Channel) -> None:
    transport: Any = channel.transport
    transport.abortConnection()


def _readiness(status: Status) -> Answer:
    wrong = problems(status)
    if wrong:
        return _json(http.SERVICE_UNAVAILABLE, _not_ready(wrong))
    return _json(http.OK, {"status": "ready"})


def _not_ready(wrong: list[str]) -> dict[str, object]:
    return {"status": "not ready", "problems": wrong}


def _not_found() -> Answer:
    return _json(http.NOT_FOUND, {"error": "Not Found"})


def _json(code: int, document: Mapping[str, object]) -> Answer:
    body = json.dumps(document, allow_nan=False).encode()
    return code, b"application/json; charset=utf-8", body


def _html(code: int, document: str) -> Answer:
    return code, b"text/html; charset=utf-8", document.encode("utf-8", "replace")
