"""The HTTP client of all meters that are polled over HTTP (meters.md section 1.2).

A meter prepares its request once and sends it at every poll::

    client = HttpClient(reactor)
    request = prepare(device_url(options.ip, "/status"), login=("user", "password"))
    document = (await client.send(request)).checked().json()

Requests go straight to Twisted's Agent over one small pool of kept connections: treq's layers
above it take twice as much time again at every poll.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from astrameter._version import VERSION
from astrameter.meters import http_agent
from astrameter.meters.urls import Url
from astrameter.reading import MeterError

FAST_TIMEOUT_S = 2.0
"""A battery polls about once a second and gives up long before 10 s: fail early, try again."""

CONNECT_TIMEOUT_S = 1.0

MAX_REDIRECTS = 10

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SHOWN_CHARACTERS = 40
_USER_AGENT = f"AstraMeter/{VERSION}"


@dataclass(frozen=True, slots=True)
class Request:
    """A request ready to be sent any number of times; see :func:`prepare`."""

    url: Url
    uri: bytes
    headers: Headers
    method: bytes
    body: bytes | None


def prepare(
    url: Url,
    *,
    headers: Iterable[tuple[str, str]] = (),
    login: tuple[str, str] | None = None,
    method: str = "GET",
    body: bytes | None = None,
) -> Request:
    """Make a request.

    :param headers: name and value; they replace the client's own, the last of a name wins.
    :param login: user name and password, sent at once (basic); also taken from ``url``.
    """
    sent = Headers({"Host": [url.netloc], "Accept": ["*/*"], "User-Agent": [_USER_AGENT]})
    if credentials := login or url.login:
        sent.setRawHeaders("Authorization", [basic_authorization(*credentials)])
    for name, value in headers:
        sent.setRawHeaders(name, [value])
    return Request(url, url.sent, sent, method.encode("ascii"), body)


def basic_authorization(user: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617).

    Latin-1 as in AstraMeter 2.x, UTF-8 where that cannot hold the words.
    """
    words = f"{user}:{password}"
    try:
        encoded = words.encode("latin-1")
    except UnicodeEncodeError:
        encoded = words.encode("utf-8")
    return f"Basic {base64.b64encode(encoded).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, whatever its status.

    :ivar url: who answered, after redirects.
    """

    url: Url
    status: int
    phrase: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header; None when it is missing."""
        values = self.headers.getRawHeaders(name.encode("ascii"))
        return values[0].decode("utf-8", "replace") if values else None

    def checked(self) -> Answer:
        """The same answer, if its status is 2xx.

        :raises MeterError: ``http_status`` otherwise.
        """
        if 200 <= self.status < 300:
            return self
        hint = ": check user name and password" if self.status in {401, 403} else ""
        said = f"{self.status} {self.phrase}".rstrip()
        raise MeterError("http_status", f"{self.url.shown} answered {said}{hint}")

    def json(self) -> Any:
        """The parsed body, whatever type it is declared as; an empty body is None.

        :raises MeterError: ``invalid_json``.
        """
        if not self.body.strip():
            return None
        try:
            try:
                return json.loads(self.body)
            except UnicodeDecodeError:
                return json.loads(self.body.decode("latin-1"))
        except (ValueError, RecursionError):
            start = self.body.lstrip()[:_SHOWN_CHARACTERS].decode("utf-8", "replace")
            raise MeterError(
                "invalid_json", f"{self.url.shown} did not answer with JSON but with {start!r}"
            ) from None


class HttpClient:
    """Sends requests for one meter and keeps its connections open in between.

    Follows redirects, ignores proxy variables, verifies certificates against the platform's
    trust store, and never waits longer than its timeouts.

    :param reactor: time and network.
    :param timeout_s: for a whole exchange with all redirects.
    :param verify_tls: False takes any certificate.
    :param cookies: keep cookies between requests, also for hosts that are IP addresses.
    :param agent: what to send with, instead of the network; for tests.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        timeout_s: float = FAST_TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        verify_tls: bool = True,
        cookies: bool = False,
        agent: IAgent | None = None,
    ) -> None:
        self._clock = reactor
        self._timeout_s = timeout_s
        self._connections: http_agent.Connections | None = None
        if agent is None:
            self._connections = http_agent.Connections(reactor, connect_timeout_s, verify_tls)
            agent = self._connections.agent
        self._agent = http_agent.with_cookies(agent) if cookies else agent

    def send(self, request: Request) -> Deferred[Answer]:
        """Send a request and read the whole answer, of any status.

        Fails with MeterError (``connect``, ``timeout``, ``tls_certificate``, ``bad_structure``;
        ``http_status`` for endless redirects), or with CancelledError when cancelled.
        """

        def give_up(_cancelled: object, seconds: float) -> NoReturn:
            raise MeterError("timeout", f"{request.url.shown} did not answer within {seconds:g} s")

        exchange = Deferred.fromCoroutine(self._exchange(request))
        return exchange.addTimeout(self._timeout_s, self._clock, give_up)

    def close(self) -> Deferred[None]:
        """Close all connections; fires when they are gone. The client stays usable."""
        return succeed(None) if self._connections is None else self._connections.close()

    async def _exchange(self, request: Request) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._answer(request)
            location = answer.header("Location") if answer.status in _REDIRECTS else None
            if location is None:
                return answer
            request = _redirected(request, answer.status, location)
        raise MeterError(
            "http_status", f"{request.url.shown} redirects more than {MAX_REDIRECTS} times"
        )

    async def _answer(self, request: Request) -> Answer:
        producer = None if request.body is None else http_agent.Body(request.body)
        try:
            response: IResponse = await self._agent.request(
                request.method, request.uri, request.headers, producer
            )
            body = await http_agent.read_body(response)
        except (CancelledError, MeterError):
            raise
        except Exception as error:  # noqa: BLE001  agents fail in many ways; all mean no reading
            raise http_agent.explain(error, request.url) from None
        phrase = response.phrase.decode("latin-1")
        return Answer(request.url, response.code, phrase, response.headers, body)


def _redirected(request: Request, status: int, location: str) -> Request:
    """The request that a redirect asks for; another origin gets no secrets, so no body."""
    try:
        url = request.url.follow(location)
    except ValueError:
        raise MeterError(
            "http_status", f"{request.url.shown} redirects to where no meter can be"
        ) from None
    to_get = status == 303 or (status in {301, 302} and request.method == b"POST")
    method, body = (b"GET", None) if to_get else (request.method, request.body)
    if url.origin == request.url.origin:
        return Request(url, url.sent, request.headers, method, body)
    if body is not None:
        raise MeterError(
            "http_status",
            f"{request.url.shown} redirects to {url.shown}, which must not get the password: is "
            "the address right?",
        )
    return prepare(url, method=method.decode("ascii"))
