"""paho-mqtt as a protocol engine: no sockets, no threads, no clock of its own.

The only module that knows paho's client. paho asks ``_create_socket`` for a socket and gets a pipe:
what it "sends" goes to our transport, and it "receives" exactly the packet that we hand it.

paho keeps time with ``time.monotonic``, which means nothing in a virtual world: its ``loop_misc``
(keep-alive) is therefore never called; :mod:`astrameter.mqtt.session` does that on the injected
clock. Its reconnecting and its queues across connections are not used either: an engine lives as
long as one connection.

paho runs callbacks while it holds locks that are not re-entrant. So the callbacks here only take
notes; whoever feeds the engine acts on them when paho has returned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from astrameter.mqtt.framing import ProtocolError
from astrameter.mqtt.settings import MqttSettings

UNACKNOWLEDGED = 100
"""Publications with QoS 1 that may wait for their acknowledgement."""


@dataclass(frozen=True, slots=True)
class Message:
    """A publication that arrived.

    :ivar retained: the broker had kept it from before we subscribed.
    """

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True)
class Will:
    """What the broker publishes for us when we vanish without a word."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


class _Pipe:
    """What paho takes for its socket."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._packet = b""
        self._at = 0

    def load(self, packet: bytes) -> None:
        self._packet, self._at = packet, 0

    def recv(self, buffer_size: int) -> bytes:
        at = self._at
        if at == len(self._packet):
            raise BlockingIOError
        part = self._packet[at : at + buffer_size]
        self._at = at + len(part)
        return part

    def send(self, buffer: bytes | bytearray) -> int:
        self._write(bytes(buffer))
        return len(buffer)

    def close(self) -> None:
        self._packet, self._at = b"", 0

    def fileno(self) -> int:
        return -1

    def setblocking(self, flag: bool) -> None:
        """A pipe never blocks."""


class _Paho(Client):
    def __init__(self, client_id: str, pipe: _Pipe) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self._pipe = pipe

    def _create_socket(self) -> Any:
        return self._pipe


class Engine:
    """The MQTT side of one connection.

    :ivar answer: the broker's answer to CONNECT in paho's words; None before it.
    :ivar messages: arrived publications; the feeder empties it.
    :ivar acknowledged: message ids of acknowledged publications; the feeder empties it.
    :ivar refused: message ids of refused subscriptions; the feeder empties it.
    """

    def __init__(
        self, settings: MqttSettings, will: Will | None, write: Callable[[bytes], None]
    ) -> None:
        self.answer: str | None = None
        self.messages: list[Message] = []
        self.acknowledged: list[int] = []
        self.refused: list[int] = []
        self._settings = settings
        self._pipe = _Pipe(write)
        self._paho = paho = _Paho(settings.client_id, self._pipe)
        paho.max_queued_messages_set(UNACKNOWLEDGED)
        if settings.username is not None:
            paho.username_pw_set(settings.username, settings.password)
        if will is not None:
            paho.will_set(will.topic, will.payload, will.qos, will.retain)
        paho.on_connect = self._on_connect
        paho.on_message = self._on_message
        paho.on_publish = self._on_publish
        paho.on_subscribe = self._on_subscribe

    def begin(self, keepalive_s: int) -> None:
        """Send CONNECT, promising a packet at least every ``keepalive_s`` seconds."""
        self._paho.connect_async(self._settings.host, self._settings.port, keepalive_s)
        self._paho.reconnect()

    def feed(self, packet: bytes) -> None:
        """Take in one whole packet.

        :raises ProtocolError: when paho finds it malformed.
        """
        self._pipe.load(packet)
        try:
            outcome = self._paho.loop_read()
            if self._paho.want_write():
                self._paho.loop_write()
        except Exception as error:  # a parser of network bytes, written by others
            raise ProtocolError(f"it sends what cannot be read ({error})") from error
        if outcome == MQTTErrorCode.MQTT_ERR_PROTOCOL:
            raise ProtocolError("it sends a malformed packet")

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> int | None:
        """Send a publication; its message id, or None when too many wait already."""
        info = self._paho.publish(topic, payload, qos, retain)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def subscribe(self, topic_filter: str) -> int | None:
        """Ask for a topic with QoS 0; the message id of the request."""
        return self._paho.subscribe(topic_filter, 0)[1]

    def unsubscribe(self, topic_filter: str) -> None:
        """Ask for a topic no more."""
        self._paho.unsubscribe(topic_filter)

    def ping(self) -> None:
        """Send PINGREQ (MQTT 3.1.1 section 3.12)."""
        self._pipe.send(b"\xc0\x00")

    def disconnect(self) -> None:
        """Send DISCONNECT: an orderly end, after which the broker drops the will."""
        self._paho.disconnect()

    def _on_connect(
        self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        self.answer = reason.getName()

    def _on_message(self, _client: Any, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no filter of ours can ask for it
        self.messages.append(Message(topic, bytes(message.payload), message.retain))

    def _on_publish(
        self, _client: Any, _data: Any, mid: int, _reason: Any, _properties: Any
    ) -> None:
        self.acknowledged.append(mid)

    def _on_subscribe(
        self, _client: Any, _data: Any, mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self.refused.append(mid)
