"""One attempt to talk to a source on a websocket: from connecting to the end of the connection."""

from __future__ import annotations

from typing import Any
from typing import Protocol as TypingProtocol

from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.web.websocket import ConnectionRejected, WebSocketClientEndpoint, WebSocketTransport
from zope.interface import implementer

from astrameter.meters.http_agent import explain
from astrameter.meters.websocket_wire import CONNECT_S, Place, Through, Trouble, Wire
from astrameter.reading import MeterError

GREETING_S = 10.0
"""Time from the websocket handshake until the source has accepted us."""

PING_EVERY_S = 30.0
"""meters.md sections 8 and 16."""

PONG_S = 15.0
"""Silence after a ping which means that the line is dead: half the ping's interval."""


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
        self._wire: Wire | None = None
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
        through = Through(self._endpoint, self._clock, self, url)
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
        ended = Trouble("closed", "we closed the connection")
        if self._is_open() and self._transport is not None:
            self._trouble = ended
            self._transport.loseConnection()
        else:
            self.fail(ended)
        return closed

    # ------------------------------------------------------------------ what the wire says

    def attached(self, wire: Wire) -> None:
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
        """We send a few hundred bytes: who does not take those is not going to recover.

        Before, TLS is not ready yet.
        """
        if self._is_open():
            self.fail(Trouble("deaf", f"{self._place.url.shown} does not take what it is sent"))

    def resumeProducing(self) -> None:
        """Never needed after a pause."""

    def stopProducing(self) -> None:
        """The transport gave up; ``connectionLost`` follows."""

    # ------------------------------------------------------------------ inside

    def _is_open(self) -> bool:
        return self._open and self._wire is not None and not self._wire.closing

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
