"""The MQTT client: a service that keeps a session with one broker, come what may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random, SystemRandom
from typing import Any

from paho.mqtt.matcher import MQTTMatcher
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.backoff import Backoff
from astrameter.mqtt.endpoints import (
    CONNECT_S,
    EndpointFactory,
    Trouble,
    broker_endpoint,
    why_unreachable,
)
from astrameter.mqtt.engine import Message, Will
from astrameter.mqtt.framing import MAX_PACKET_BYTES
from astrameter.mqtt.session import Session
from astrameter.mqtt.settings import MqttSettings
from astrameter.mqtt.topics import check_filter, check_topic

HELD_S = 30.0
"""A connection that lasted this long was a good one: the next wait is short again."""

Handler = Callable[[str, bytes, bool], None]
"""``(topic, payload, retained)`` of a publication."""


class _Subscriber:
    """One handler, whose failures stay its own."""

    _log = Logger()

    def __init__(self, section: str, topic_filter: str, handler: Handler) -> None:
        self._section = section
        self._filter = topic_filter
        self._handler = handler
        self._failing = False

    def deliver(self, message: Message) -> None:
        try:
            self._handler(message.topic, message.payload, message.retained)
        except Exception:  # noqa: BLE001  whatever a handler raises must not end the session
            if not self._failing:
                self._log.failure(
                    "[{section}] a message for {filter} could not be handled",
                    section=self._section,
                    filter=self._filter,
                )
            self._failing = True
        else:
            self._failing = False


class MqttClient(Service):
    """Connects, subscribes, publishes and reconnects, for as long as the service runs.

    MQTT 3.1.1, clean session, keep-alive 60 s (meters.md section 13, mqtt.md section 2).

    :ivar connected: the broker has accepted us and the connection stands.
    :ivar connections: how often it has.
    :ivar trouble: why not, in the owner's words; empty while connected and before the first try.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: MqttSettings,
        section: str,
        *,
        will: Will | None = None,
        endpoint_factory: EndpointFactory = broker_endpoint,
        backoff: Backoff | None = None,
        random: Random | None = None,
        rest_s: float = 0.0,
    ) -> None:
        """Nothing happens before ``startService``.

        :param section: the configuration section, for the log.
        :param random: for the client id and the jitter.
        :param rest_s: the pause after some messages of a flood, for who has better things to do.
        :raises ValueError: when the will's topic is none.
        """
        if will is not None:
            check_topic(will.topic)
        random = random or SystemRandom()
        # The same id for the client's whole life: a broker that has not noticed the end of the
        # last connection then ends it at once, and publishes its will before, not after, we
        # announce ourselves.
        client_id = settings.client_id or f"astrameter-{random.getrandbits(32):08x}"
        self.settings = replace(settings, client_id=client_id)
        self.section = section
        self.connected = False
        self.connections = 0
        self.trouble = ""
        self._reactor = reactor
        self._will = will
        self._rest_s = rest_s
        self._endpoint_factory = endpoint_factory
        self._backoff = backoff or Backoff(random=random)
        self._subscribers = MQTTMatcher()
        self._filters: dict[str, list[_Subscriber]] = {}
        self._watchers: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self._retry: IDelayedCall | None = None
        self._connecting: Deferred[Any] | None = None
        self._session: Session | None = None
        self._ready_at = 0.0
        self._trouble_kind = ""
        self._trouble_since: float | None = None
        self._refusing = False
        self._oversized = False

    # ------------------------------------------------------------------ what others use

    def subscribe(self, topic_filter: str, handler: Handler) -> None:
        """Hand every publication that matches to ``handler``, in this and all later connections.

        A handler that raises is logged and called again for the next message.

        :raises ValueError: when ``topic_filter`` is none.
        """
        subscribers = self._filters.get(check_filter(topic_filter))
        if subscribers is None:
            subscribers = self._subscribers[topic_filter] = self._filters[topic_filter] = []
            if self._session is not None and self.connected:
                self._session.subscribe(topic_filter)
        subscribers.append(_Subscriber(self.section, topic_filter, handler))

    def unsubscribe(self, topic_filter: str) -> None:
        """Take every handler of exactly this filter away; unknown ones are ignored."""
        if self._filters.pop(topic_filter, None) is None:
            return
        del self._subscribers[topic_filter]
        if self._session is not None and self.connected:
            self._session.unsubscribe(topic_filter)

    def watch(self, connected: Callable[[], None], disconnected: Callable[[], None]) -> None:
        """Be told of every change of :attr:`connected`, after it and after subscribing."""
        self._watchers.append((connected, disconnected))

    def publish(
        self, topic: str, payload: bytes | str, *, qos: int = 0, retain: bool = False
    ) -> Deferred[bool]:
        """Publish with QoS 0 or 1; never fails, never raises.

        Fires with True when the message was handed to the connection (QoS 0) or acknowledged by
        the broker (QoS 1, within 10 s). Fires with False when it was not: no connection, too much
        waiting already, lost with the connection, or no valid topic. While the broker takes
        nothing a bounded number of messages waits, and the Deferred with each.
        """
        try:
            data = payload.encode() if isinstance(payload, str) else payload
            check_topic(topic)
            if len(data) + len(topic) > MAX_PACKET_BYTES:
                raise ValueError(f"{len(data)} bytes are too long")
            if qos not in (0, 1):
                raise ValueError("the quality of service is 0 or 1")
        except ValueError as error:
            self._refuse(topic, str(error))
            return succeed(False)
        if self._session is None or not self.connected:
            return succeed(False)
        return self._session.publish(topic, data, qos, retain)

    # ------------------------------------------------------------------ service

    def startService(self) -> None:
        Service.startService(self)
        self._retry = self._reactor.callLater(0, self._connect)

    def stopService(self) -> Deferred[None]:
        """Say goodbye and close, within two seconds; fires when nothing is left."""
        Service.stopService(self)
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        waits: list[Deferred[Any]] = []
        if self._connecting is not None:
            waits.append(self._connecting)
            self._connecting.cancel()
        if self._session is not None:
            session, self._session = self._session, None
            waits.append(session.close())
        self._set_connected(False)
        self._trouble_kind, self._trouble_since, self.trouble = "", None, ""
        self._backoff.reset()
        return gatherResults(waits).addCallback(lambda _: None)

    # ------------------------------------------------------------------ connecting

    def _connect(self) -> None:
        self._retry = None
        factory = Factory.forProtocol(self._new_session)
        factory.noisy = False
        # A TLS name that is none, for example, fails while the endpoint is being made.
        attempt: Deferred[Any] = maybeDeferred(
            lambda: self._endpoint_factory(self._reactor, self.settings).connect(factory)
        )
        self._connecting = attempt
        attempt.addTimeout(CONNECT_S, self._reactor)
        attempt.addErrback(self._unreachable).addCallback(self._attempted)

    def _new_session(self) -> Session:
        self._session = Session(self._reactor, self.settings, self._will, self, self._rest_s)
        return self._session

    def _attempted(self, _result: object) -> None:
        self._connecting = None

    def _unreachable(self, failure: Failure) -> None:
        if self.running:
            self._again(why_unreachable(failure, self.settings))

    def session_ready(self, session: Session) -> None:
        """The broker accepted us: subscribe, tell those who watch."""
        self._ready_at = self._reactor.seconds()
        for topic_filter in self._filters:
            session.subscribe(topic_filter)
        if self._trouble_since is None:
            self._log.info(
                "[{section}] connected to the broker at {address}",
                section=self.section,
                address=self.settings.address,
            )
        else:
            self._log.info(
                "[{section}] connected to the broker at {address} again after {seconds:.0f} s",
                section=self.section,
                address=self.settings.address,
                seconds=self._ready_at - self._trouble_since,
            )
        self._trouble_kind, self._trouble_since, self.trouble = "", None, ""
        self._set_connected(True)

    def session_message(self, message: Message) -> None:
        """A publication arrived: hand it to whom it concerns."""
        for subscribers in tuple(self._subscribers.iter_match(message.topic)):
            for subscriber in subscribers:
                subscriber.deliver(message)

    def session_refused_filter(self, topic_filter: str) -> None:
        """The broker's access rules keep a topic from us."""
        self._log.warn(
            "[{section}] the broker at {address} does not let us subscribe to {filter}",
            section=self.section,
            address=self.settings.address,
            filter=topic_filter,
        )

    def session_oversized(self, length: int) -> None:
        """Somebody publishes what cannot be meant for us."""
        if not self._oversized:
            self._log.warn(
                "[{section}] a message of {length} bytes is ignored, and so are others like it",
                section=self.section,
                length=length,
            )
        self._oversized = True

    def session_overflowed(self) -> None:
        """The broker does not take what we publish."""
        self._log.warn(
            "[{section}] the broker at {address} takes nothing; messages to it are dropped",
            section=self.section,
            address=self.settings.address,
        )

    def session_ended(self, session: Session, trouble: Trouble) -> None:
        """The connection is gone."""
        if session is not self._session:
            return
        self._session = None
        if self.connected and self._reactor.seconds() - self._ready_at >= HELD_S:
            self._backoff.reset()
        self._set_connected(False)
        if self.running:
            self._again(trouble)

    def _again(self, trouble: Trouble) -> None:
        """Remember why there is no connection, and try again later."""
        self.trouble = trouble.text
        if self._trouble_since is None:
            self._trouble_since = self._reactor.seconds()
        if trouble.kind != self._trouble_kind:
            self._trouble_kind = trouble.kind
            self._log.warn(
                "[{section}] {trouble}; trying again", section=self.section, trouble=trouble.text
            )
        if self._retry is None:
            wait_s = self._backoff.next_wait_s(trouble.patient)
            self._retry = self._reactor.callLater(wait_s, self._connect)

    def _set_connected(self, connected: bool) -> None:
        if connected == self.connected:
            return
        self.connected = connected
        self.connections += connected
        for watcher in self._watchers:
            try:
                watcher[0 if connected else 1]()
            except Exception:  # noqa: BLE001  whatever a watcher raises must not end the session
                self._log.failure("[{section}] a watcher failed", section=self.section)

    def _refuse(self, topic: str, error: str) -> None:
        if not self._refusing:
            self._log.warn(
                "[{section}] cannot publish to {topic!r}: {error} (logged once)",
                section=self.section,
                topic=topic,
                error=error,
            )
        self._refusing = True
