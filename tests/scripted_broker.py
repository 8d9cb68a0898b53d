"""An MQTT 3.1.1 broker in memory that does what a test says; knows nothing of paho.

Bytes travel through ``callLater(0)`` in both directions, as they never re-enter in reality.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK = 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14


@dataclass(frozen=True)
class Packet:
    """One packet: its kind (the upper half of the first byte), flags and body."""

    kind: int
    flags: int
    body: bytes


def packet(kind: int, flags: int, body: bytes) -> bytes:
    length, encoded = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([kind << 4 | flags]) + bytes(encoded) + body


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def publication(topic: str | bytes, payload: bytes, *, retain: bool = False) -> bytes:
    return packet(PUBLISH, int(retain), text(topic) + payload)


def parse(data: bytes) -> tuple[list[Packet], bytes]:
    """All whole packets, and the rest."""
    packets = []
    while len(data) >= 2:
        length, shift, at = 0, 0, 1
        while True:
            length |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                break
        if len(data) < at + length:
            break
        packets.append(Packet(data[0] >> 4, data[0] & 15, data[at : at + length]))
        data = data[at + length :]
    return packets, data


def matches(topic_filter: str, topic: str) -> bool:
    levels, parts = topic_filter.split("/"), topic.split("/")
    for i, level in enumerate(levels):
        if level == "#":
            return True
        if i >= len(parts) or level not in ("+", parts[i]):
            return False
    return len(levels) == len(parts)


class Line:
    """One connection as the broker sees it, and the client's transport at the same time.

    :ivar received: the client's packets.
    :ivar raw: the client's bytes.
    :ivar filters: what it subscribed to, with the QoS.
    :ivar ended: how the client ended it: ``lose``, ``abort`` or empty.
    :ivar paused: the client wants no more bytes at the moment.
    """

    def __init__(self, broker: ScriptedBroker, protocol: Any) -> None:
        self.broker = broker
        self.protocol = protocol
        self.received: list[Packet] = []
        self.raw = b""
        self.filters: list[tuple[str, int]] = []
        self.ended = ""
        self.open = True
        self.paused = False
        self.producer: Any = None
        self._unparsed = b""
        self._held: list[bytes] = []

    def kinds(self) -> list[int]:
        return [one.kind for one in self.received]

    # ----------------------------------------------------------------- the broker's side

    def send(self, data: bytes) -> None:
        """Bytes to the client, in the next turn."""
        self.broker.clock.callLater(0, self._deliver, data)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """A publication to whoever subscribed to a matching filter."""
        if any(matches(one, topic) for one, _ in self.filters):
            self.send(publication(topic, payload, retain=retain))

    def hang_up(self, reason: Exception | None = None) -> None:
        self.broker.clock.callLater(0, self.lost, reason or error.ConnectionDone())

    def lost(self, reason: Exception) -> None:
        if self.open:
            self.open = False
            self.protocol.connectionLost(Failure(reason))

    def _deliver(self, data: bytes) -> None:
        if not self.open:
            return
        if self.paused:
            self._held.append(data)
        else:
            self.protocol.dataReceived(data)

    # ----------------------------------------------------------------- the client's transport

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        if self.open and not self.ended:
            self.raw += data
            self.broker.clock.callLater(0, self._arrived, data)

    def loseConnection(self) -> None:
        assert self.producer is None, "Twisted would wait for the producer for ever"
        self.ended = self.ended or "lose"
        if self.broker.closes:
            self.broker.clock.callLater(0, self.lost, error.ConnectionDone())

    def abortConnection(self) -> None:
        self.ended = "abort"
        self.broker.clock.callLater(0, self.lost, error.ConnectionAborted())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        held, self._held = self._held, []
        for data in held:
            self.send(data)

    def _arrived(self, data: bytes) -> None:
        packets, self._unparsed = parse(self._unparsed + data)
        for one in packets:
            self.received.append(one)
            self.broker.react(self, one)


@implementer(IStreamClientEndpoint)
class _Endpoint:
    def __init__(self, broker: ScriptedBroker) -> None:
        self._broker = broker

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        return self._broker.connect(protocolFactory)


class ScriptedBroker:
    """:ivar reach: ``up``, ``down`` (refuses) or ``away`` (never answers a connection attempt).

    :ivar connack: the return code of the answer to CONNECT; None: no answer.
    :ivar answers: kinds of packets that are answered.
    :ivar refused_filters: topics that SUBACK refuses.
    :ivar closes: whether the connection ends when the client closes it in good order.
    :ivar attempts: when the client tried to connect, on the clock.
    :ivar retained: what a new subscriber is told.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.reach = "up"
        self.connack: int | None = 0
        self.answers = {SUBSCRIBE, UNSUBSCRIBE, PUBLISH, PINGREQ}
        self.refused_filters: set[str] = set()
        self.closes = True
        self.attempts: list[float] = []
        self.lines: list[Line] = []
        self.cancelled = 0
        self.retained: dict[str, bytes] = {}

    def endpoint(self, _reactor: Any, _settings: Any) -> _Endpoint:
        """An endpoint factory."""
        return _Endpoint(self)

    @property
    def line(self) -> Line:
        """The last connection."""
        return self.lines[-1]

    def connect(self, factory: Any) -> Deferred[Any]:
        self.attempts.append(self.clock.seconds())
        if self.reach == "down":
            return fail(error.ConnectionRefusedError())
        if self.reach == "away":
            return Deferred(self._cancel)
        protocol = factory.buildProtocol(None)
        line = Line(self, protocol)
        self.lines.append(line)
        protocol.makeConnection(line)
        return succeed(protocol)

    def react(self, line: Line, one: Packet) -> None:
        if one.kind == CONNECT and self.connack is not None:
            line.send(packet(CONNACK, 0, bytes([0, self.connack])))
            if self.connack:
                line.hang_up()
        if one.kind not in self.answers:
            return
        if one.kind == SUBSCRIBE:
            self._subscribe(line, one)
        elif one.kind == UNSUBSCRIBE:
            name = one.body[4:].decode()
            line.filters = [pair for pair in line.filters if pair[0] != name]
            line.send(packet(UNSUBACK, 0, one.body[:2]))
        elif one.kind == PUBLISH and one.flags & 6:
            length = int.from_bytes(one.body[:2], "big")
            line.send(packet(PUBACK, 0, one.body[2 + length : 4 + length]))
        elif one.kind == PINGREQ:
            line.send(packet(PINGRESP, 0, b""))

    def _subscribe(self, line: Line, one: Packet) -> None:
        mid, rest, codes = one.body[:2], one.body[2:], b""
        told = []
        while rest:
            length = int.from_bytes(rest[:2], "big")
            name, qos = rest[2 : 2 + length].decode(), rest[2 + length]
            rest = rest[3 + length :]
            refused = name in self.refused_filters
            codes += b"\x80" if refused else bytes([qos])
            if not refused:
                line.filters.append((name, qos))
                told += [(t, p) for t, p in self.retained.items() if matches(name, t)]
        line.send(packet(SUBACK, 0, mid + codes))
        for topic, payload in told:
            line.send(publication(topic, payload, retain=True))

    def _cancel(self, _deferred: Any) -> None:
        self.cancelled += 1


def settle(clock: Clock, turns: int = 20) -> None:
    """Let everything happen that needs no time."""
    for _ in range(turns):
        clock.advance(0)


def turn(clock: Clock) -> None:
    """One turn of a reactor: what is due now, but not what that schedules in its place.

    ``Clock.advance(0)`` would go on until nothing is due any more.
    """
    for call in [call for call in clock.calls if call.getTime() <= clock.seconds()]:
        if call.active():
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)
