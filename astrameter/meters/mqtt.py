"""Any meter whose readings can be had from an MQTT broker (meters.md section 13)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from astrameter.meters.interface import MeterKind
from astrameter.meters.jsonpaths import JsonPath, as_number, json_path, json_paths
from astrameter.meters.options import MeterOptions
from astrameter.meters.pushed import PushedMeter, Values
from astrameter.mqtt import MqttClient, MqttSettings, check_filter, parse_uri
from astrameter.mqtt.settings import PORT, TLS_PORT
from astrameter.options import Kind, Section, boolean, items, option, optional, port, text
from astrameter.reading import MeterError

COMPLAIN_EVERY_S = 60.0
"""A topic that brings now good, now bad messages is in the log at most this often."""

T = TypeVar("T")


def _unless_blank(kind: Kind[T]) -> Kind[T | None]:
    """Like ``kind``, but a key without a value is not set, as in AstraMeter 2.x."""
    return replace(optional(kind), parse=lambda raw: kind.parse(raw) if raw else None)


@dataclass(frozen=True)
class Options(MeterOptions):
    """Keys of ``[MQTT]``."""

    uri: str = option(
        text(),
        default="",
        secret=True,
        help="The broker in one line: mqtt://user:password@host:port, or mqtts:// for TLS. Write "
        "special characters of name and password as %XX. Replaces BROKER, PORT, USERNAME, "
        "PASSWORD and TLS.",
        example="mqtt://user:password@192.168.1.2:1883",
    )
    broker: str = option(
        text(), default="", help="Host name or address of the broker.", example="192.168.1.2"
    )
    port: int | None = option(
        optional(port()), help="TCP port of the broker; not set: 1883, and 8883 with TLS."
    )
    username: str = option(text(), default="", help="User name at the broker, if it wants one.")
    password: str = option(text(), default="", secret=True, help="Password of that user.")
    tls: bool = option(
        boolean(),
        default=False,
        help="Encrypt the connection. The broker's certificate is always checked, against the "
        "system's authorities.",
    )
    topic: str = option(
        text(),
        default="",
        help="The topic with the reading; + and # may stand for levels.",
        example="home/powermeter",
    )
    topics: tuple[str, ...] | None = option(
        _unless_blank(items()),
        help="Several topics, comma-separated, one a phase. Replaces TOPIC.",
        example="meter/l1, meter/l2, meter/l3",
    )
    json_path: JsonPath | None = option(  # noqa: RUF009  it is dataclasses.field()
        _unless_blank(json_path()),
        help="Where in a JSON message the power is, in watts; not set: the message is the number.",
        example="$.power",
    )
    json_paths: tuple[JsonPath, ...] | None = option(
        _unless_blank(json_paths()),
        help="Several paths, comma-separated, one a phase. Replaces JSON_PATH.",
        example="$.l1.power, $.l2.power, $.l3.power",
    )

    @property
    def all_topics(self) -> tuple[str, ...]:
        """The topics that count."""
        if self.topics is not None:
            return self.topics
        return (self.topic,) if self.topic else ()

    @property
    def all_paths(self) -> tuple[JsonPath, ...]:
        """The paths that count."""
        if self.json_paths is not None:
            return self.json_paths
        return () if self.json_path is None else (self.json_path,)


def check(options: Options) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, message)."""
    if options.uri:
        try:
            parse_uri(options.uri)
        except ValueError as error:
            yield "URI", str(error)
    elif not options.broker:
        yield "BROKER", "name the broker's host here, or its whole address in URI"
    elif not isIPv6Address(options.broker) and any(c in options.broker for c in ":/ "):
        yield "BROKER", "this is a host alone; its port belongs into PORT, a whole address into URI"
    key = "TOPIC" if options.topics is None else "TOPICS"
    if not options.all_topics:
        yield key, "name the topic that brings the reading"
    for topic in options.all_topics:
        try:
            check_filter(topic)
        except ValueError as error:
            yield key, f"{topic!r} is no topic: {error}"
    topics, paths = len(options.all_topics), len(options.all_paths)
    if options.json_paths == ():
        yield "JSON_PATHS", "name at least one path, or remove the line"
    elif topics > 1 and paths > 1 and topics != paths:
        wanted = f"{topics} topics go with one path for all or {topics} paths"
        yield "JSON_PATHS", f"{wanted}, not {paths}"


def settings_of(options: Options) -> MqttSettings:
    """The broker that a checked section names."""
    if options.uri:
        return parse_uri(options.uri)
    default = TLS_PORT if options.tls else PORT
    return MqttSettings(
        options.broker,
        options.port or default,
        options.username or None,
        options.password or None,
        options.tls,
    )


class _Feed:
    """One value of the reading: where it comes from, and how that goes.

    :ivar path: where it is in a JSON message; None: the message is the number.
    """

    _log = Logger()

    def __init__(self, section: str, topic: str, path: JsonPath | None) -> None:
        self.topic = topic
        self.path = path
        self.name = topic if path is None else f"{topic} {path.text}"
        self._section = section
        self._failing = False
        self._complained_at: float | None = None

    def failed(self, error: MeterError, topic: str, now: float) -> None:
        """A message on ``topic`` brought no number."""
        last = self._complained_at
        if not self._failing and (last is None or now - last >= COMPLAIN_EVERY_S):
            self._failing = True
            self._complained_at = now
            self._log.warn(
                "[{section}] a message on {topic} is of no use: {error}; the last good value stays",
                section=self._section,
                topic=topic,
                error=str(error),
            )

    def succeeded(self) -> None:
        if self._failing:
            self._failing = False
            self._log.info(
                "[{section}] {name} brings good values again", section=self._section, name=self.name
            )


class MqttMeter(PushedMeter):
    """Subscribes to one or several topics; the last number of each is the reading."""

    def __init__(self, reactor: Any, section: str, options: Options, client: MqttClient) -> None:
        """:param client: has the same section and the settings of ``options``; not yet started."""
        PushedMeter.__init__(self, reactor, section)
        self._client = client
        topics, paths = options.all_topics, options.all_paths or (None,)
        count = max(len(topics), len(paths))
        self._feeds = [
            _Feed(section, topics[i % len(topics)], paths[i % len(paths)]) for i in range(count)
        ]
        self._values = Values([feed.name for feed in self._feeds])
        client.watch(self._client_connected, self._client_disconnected)
        for topic in dict.fromkeys(topics):
            indexes = tuple(i for i, feed in enumerate(self._feeds) if feed.topic == topic)
            client.subscribe(topic, self._handler(indexes))

    def startService(self) -> None:
        Service.startService(self)
        self._client.startService()

    def stopService(self) -> Deferred[None]:
        PushedMeter.stopService(self)
        return self._client.stopService()

    def absence(self) -> str:
        if self._client.trouble:
            return self._client.trouble
        return f"nothing has arrived yet on {', '.join(self._values.missing)}"

    def _client_connected(self) -> None:
        self.connected = True

    def _client_disconnected(self) -> None:
        self.connected = False

    def _handler(self, indexes: tuple[int, ...]) -> Any:
        """Takes the messages of one subscription, which may feed several values."""
        is_json = any(self._feeds[i].path is not None for i in indexes)

        def handle(topic: str, payload: bytes, _retained: bool) -> None:
            try:
                content = _decoded(payload, is_json)
            except MeterError as error:
                for i in indexes:
                    self._feeds[i].failed(error, topic, self._clock.seconds())
                return
            self._take(indexes, topic, content)

        return handle

    def _take(self, indexes: tuple[int, ...], topic: str, content: object) -> None:
        now = self._clock.seconds()
        news = False
        for i in indexes:
            feed = self._feeds[i]
            try:
                value = (
                    as_number(content, "the message")
                    if feed.path is None
                    else feed.path.number(content)
                )
            except MeterError as error:
                feed.failed(error, topic, now)
            else:
                feed.succeeded()
                self._values.put(i, value, now)
                news = True
        if news:
            self.store(self._values.sample())
            self.wake()


def _decoded(payload: bytes, is_json: bool) -> object:
    try:
        message = payload.decode()
    except UnicodeDecodeError:
        raise MeterError("undecodable", "it is not UTF-8 text") from None
    if not is_json:
        return message
    try:
        return json.loads(message)
    except (ValueError, RecursionError):
        raise MeterError("invalid_json", "it is not JSON") from None


def build(reactor: Any, section: str, options: Options) -> MqttMeter:
    """The meter of a checked section."""
    return MqttMeter(reactor, section, options, MqttClient(reactor, settings_of(options), section))


MAX_AGE_S = 360.0
"""A little more than the slowest usual reporting period (Tasmota's 300 s)."""

KIND = MeterKind(
    Section(
        "MQTT",
        Options,
        help="A meter whose readings come from an MQTT broker: Tasmota, Zigbee2MQTT, ESPHome, "
        "OpenHAB and anything else that publishes numbers or JSON.",
        many=True,
        example={"BROKER": "192.168.1.2", "TOPIC": "home/powermeter"},
        check=check,
    ),
    build,
    max_age_s=MAX_AGE_S,
)
