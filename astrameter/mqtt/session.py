"""One connection to a broker, from CONNECT to its end (MQTT 3.1.1)."""

from __future__ import annotations

from collections import deque
from typing import Any
from typing import Protocol as TypingProtocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from astrameter.mqtt.endpoints import Trouble, why_lost
from astrameter.mqtt.engine import Engine, Message, Will
from astrameter.mqtt.framing import Framer, ProtocolError
from astrameter.mqtt.settings import MqttSettings

KEEPALIVE_S = 60
"""What we promise the broker; it gives us up after one and a half times that."""

PING_AFTER_S = 30.0
"""Silence in either direction after which we ask whether the broker is alive."""

PING_ANSWER_S = 10.0
"""Silence after that question which means that it is not, or the line is half open."""

CONNACK_S = 10.0
"""Time for TLS and the answer to CONNECT."""

ACKNOWLEDGE_S = 10.0
"""Time for the acknowledgement of a publication with QoS 1."""

CLOSE_S = 2.0
"""Time for an orderly end before the connection is cut."""

PACKETS_PER_TURN = 10
"""Packets taken in before the reactor may do other work; each takes some 0.1 ms."""

OUTGOING_MESSAGES = 1000
OUTGOING_BYTES = 1 << 20
"""Publications held back while the broker takes nothing; what comes then is refused."""

_CHECK_EVERY_S = 5.0

_Outgoing = tuple[str, bytes, int, bool, "Deferred[bool]"]

_REFUSALS = {
    "Unsupported protocol version": ("it does not speak MQTT 3.1.1", True),
    "Client identifier not valid": ("it does not like the client id", True),
    "Server unavailable": ("it is not available at the moment", False),
    "Bad user name or password": ("wrong user name or password", True),
    "Not authorized": ("wrong user name or password", True),
}


class Owner(TypingProtocol):
    """Whom a session reports to."""

    def session_ready(self, session: Session) -> None:
        """The broker accepted us."""

    def session_message(self, message: Message) -> None:
        """A publication arrived."""

    def session_refused_filter(self, topic_filter: str) -> None:
        """The broker does not let us subscribe to it."""

    def session_oversized(self, length: int) -> None:
        """A publication of so many bytes was passed over."""

    def session_overflowed(self) -> None:
        """The broker takes nothing, and publications are dropped; said once in a session."""

    def session_ended(self, session: Session, trouble: Trouble) -> None:
        """The connection is gone; the last word."""


@implementer(IPushProducer)
class Session(Protocol):
    """Bytes to engine, engine to owner; liveness; nothing unbounded in either direction.

    :param rest_s: how long nothing is taken in after :data:`PACKETS_PER_TURN` packets.
    """

    transport: Any

    def __init__(
        self,
        clock: IReactorTime,
        settings: MqttSettings,
        will: Will | None,
        owner: Owner,
        rest_s: float = 0.0,
    ) -> None:
        self._clock = clock
        self._rest_s = rest_s
        self._settings = settings
        self._owner = owner
        self._engine = Engine(settings, will, self._write)
        self._framer = Framer()
        self._established = False
        self._trouble: Trouble | None = None
        self._ended = False
        self._working = False
        self._continuation: IDelayedCall | None = None
        self._timer: IDelayedCall | None = None
        self._closed: Deferred[None] | None = None
        self._sent_at = self._received_at = 0.0
        self._pinged_at: float | None = None
        self._filters: dict[int, str] = {}
        self._unacknowledged: dict[int, Deferred[bool]] = {}
        self._blocked = False
        self._outgoing: deque[_Outgoing] = deque()
        self._outgoing_bytes = 0
        self._overflowed = False

    # ------------------------------------------------------------------ what the owner does

    def subscribe(self, topic_filter: str) -> None:
        """Ask the broker for a topic, with QoS 0."""
        mid = self._engine.subscribe(topic_filter)
        if mid is not None:
            self._filters[mid] = topic_filter

    def unsubscribe(self, topic_filter: str) -> None:
        """Want a topic no more."""
        self._engine.unsubscribe(topic_filter)

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> Deferred[bool]:
        """Send a publication; see :meth:`astrameter.mqtt.client.MqttClient.publish`."""
        if not self._established or self._closed is not None:
            return succeed(False)
        if not self._blocked and not self._outgoing:
            return self._send(topic, payload, qos, retain)
        size = self._outgoing_bytes + len(payload)
        if len(self._outgoing) >= OUTGOING_MESSAGES or size > OUTGOING_BYTES:
            if not self._overflowed:
                self._overflowed = True
                self._owner.session_overflowed()
            return succeed(False)
        done: Deferred[bool] = Deferred()
        self._outgoing.append((topic, payload, qos, retain, done))
        self._outgoing_bytes = size
        return done

    def close(self) -> Deferred[None]:
        """End the connection in good order, or by force after a moment; fires when it is gone."""
        if self._ended:
            return succeed(None)
        if self._closed is None:
            self._closed = Deferred()
            self._stop_timer()
            if self._established:
                self._engine.disconnect()
                self.transport.unregisterProducer()
                self.transport.loseConnection()
                self._timer = self._clock.callLater(CLOSE_S, self.transport.abortConnection)
            else:
                self.transport.abortConnection()
        return self._closed

    # ------------------------------------------------------------------ what the transport does

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self._received_at = self._clock.seconds()
        self._timer = self._clock.callLater(CONNACK_S, self._unanswered)
        self._engine.begin(KEEPALIVE_S)

    def dataReceived(self, data: bytes) -> None:
        if self._trouble is not None or self._closed is not None:
            return
        self._received_at = self._clock.seconds()
        self._framer.feed(data)
        self._work()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ended = True
        self._stop_timer()
        if self._continuation is not None:
            self._continuation.cancel()
            self._continuation = None
        lost = [*self._unacknowledged.values(), *(entry[-1] for entry in self._outgoing)]
        self._unacknowledged.clear()
        self._outgoing.clear()
        trouble = self._trouble or why_lost(reason, self._settings, self._established)
        self._owner.session_ended(self, trouble)
        for done in lost:
            done.callback(False)
        if self._closed is not None:
            self._closed.callback(None)

    def pauseProducing(self) -> None:
        self._blocked = True

    def resumeProducing(self) -> None:
        self._blocked = False
        while self._outgoing and not self._blocked:
            topic, payload, qos, retain, done = self._outgoing.popleft()
            self._outgoing_bytes -= len(payload)
            self._send(topic, payload, qos, retain).chainDeferred(done)

    def stopProducing(self) -> None:
        """The transport gave up; ``connectionLost`` follows."""

    # ------------------------------------------------------------------ inside

    def _write(self, data: bytes) -> None:
        self._sent_at = self._clock.seconds()
        self.transport.write(data)

    def _send(self, topic: str, payload: bytes, qos: int, retain: bool) -> Deferred[bool]:
        mid = self._engine.publish(topic, payload, qos, retain)
        if mid is None or qos == 0:
            return succeed(mid is not None)
        done: Deferred[bool] = Deferred(lambda _: self._forget(mid))
        self._unacknowledged[mid] = done
        return done.addTimeout(ACKNOWLEDGE_S, self._clock, lambda _result, _after_s: False)

    def _forget(self, mid: int) -> None:
        self._unacknowledged.pop(mid, None)

    def _work(self) -> None:
        """Take in some packets; the rest waits for a later turn of the reactor, and the broker
        too."""
        if self._working or self._continuation is not None:
            return
        self._working = True
        try:
            more = self._take_in()
        except ProtocolError as violation:
            where = f"what answers at {self._settings.address}"
            self._fail(Trouble("protocol", f"{where} is no usable MQTT broker: {violation}"))
            return
        finally:
            self._working = False
        if more and not self._ended:
            self.transport.pauseProducing()
            self._continuation = self._clock.callLater(self._rest_s, self._continue)

    def _continue(self) -> None:
        self._continuation = None
        self._work()
        if self._continuation is None and not self._ended and self._trouble is None:
            self.transport.resumeProducing()

    def _take_in(self) -> bool:
        """Feed the engine; whether there may be more to do."""
        for _ in range(PACKETS_PER_TURN):
            if self._ended or self._trouble is not None or self._closed is not None:
                return False
            packet = self._framer.next_packet()
            if self._framer.oversized:
                self._owner.session_oversized(self._framer.oversized)
                self._framer.oversized = 0
            if packet is None:
                return False
            self._engine.feed(packet)
            self._act()
        return True

    def _act(self) -> None:
        engine = self._engine
        if not self._established and engine.answer is not None:
            self._answered(engine.answer)
        while engine.messages:
            self._owner.session_message(engine.messages.pop(0))
        while engine.refused:
            refused = self._filters.pop(engine.refused.pop(), None)
            if refused is not None:
                self._owner.session_refused_filter(refused)
        while engine.acknowledged:
            done = self._unacknowledged.pop(engine.acknowledged.pop(0), None)
            if done is not None:
                done.callback(True)

    def _answered(self, answer: str) -> None:
        self._stop_timer()
        if answer == "Success":
            self._established = True
            self._timer = self._clock.callLater(_CHECK_EVERY_S, self._check)
            self._owner.session_ready(self)
            return
        text, patient = _REFUSALS.get(answer, (answer, False))
        user = self._settings.username
        who = "us" if user is None else f"user {user!r}"
        if user is None and answer in ("Bad user name or password", "Not authorized"):
            text = "it wants a user name and a password"
        where = f"the broker at {self._settings.address}"
        self._fail(Trouble("refused", f"{where} refused {who}: {text}", patient))

    def _check(self) -> None:
        """Every few seconds: is the broker still there?"""
        now = self._clock.seconds()
        self._timer = self._clock.callLater(_CHECK_EVERY_S, self._check)
        if self._pinged_at is not None and self._received_at >= self._pinged_at:
            self._pinged_at = None
        if self._pinged_at is not None:
            if now - self._pinged_at >= PING_ANSWER_S:
                self._silent()
        elif now - min(self._sent_at, self._received_at) >= PING_AFTER_S:
            self._pinged_at = now
            self._engine.ping()

    def _silent(self) -> None:
        self._stop_timer()
        where = f"the broker at {self._settings.address}"
        self._fail(Trouble("silent", f"{where} has fallen silent and does not answer any more"))

    def _unanswered(self) -> None:
        self._timer = None
        where = f"what answers at {self._settings.address}"
        self._fail(
            Trouble("unanswered", f"{where} did not greet us within {CONNACK_S:.0f} s; is it MQTT?")
        )

    def _fail(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._stop_timer()
        self.transport.abortConnection()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
