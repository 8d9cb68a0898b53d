"""The section ``[MQTT_INSIGHTS]`` (mqtt.md section 1). Its presence switches the part on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from astrameter.options import Kind, Section, boolean, number, option, port, text

if TYPE_CHECKING:
    from astrameter.mqtt.settings import MqttSettings

T = TypeVar("T")

DEFAULT_BROKER = "localhost"
DEFAULT_PORT = 1883
DEFAULT_BASE = "astrameter"
DEFAULT_PREFIX = "homeassistant"

_FORBIDDEN = "+#\0"


def _blank_is(default: T, kind: Kind[T]) -> Kind[T]:
    """Like ``kind``, but a key without a value has its default, as in AstraMeter 2.x."""
    return replace(kind, parse=lambda raw: kind.parse(raw) if raw else default)


@dataclass(frozen=True)
class InsightsOptions:
    """Keys of ``[MQTT_INSIGHTS]``."""

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
        _blank_is(DEFAULT_BROKER, text()),
        default=DEFAULT_BROKER,
        help="Host name or address of the broker.",
        example="192.168.1.2",
    )
    port: int = option(
        _blank_is(DEFAULT_PORT, port()),
        default=DEFAULT_PORT,
        help="TCP port of the broker. With TLS it usually is 8883, which has to be written here.",
    )
    username: str = option(text(), default="", help="User name at the broker, if it wants one.")
    password: str = option(text(), default="", secret=True, help="Password of that user.")
    tls: bool = option(
        _blank_is(False, boolean()),
        default=False,
        help="Encrypt the connection. The broker's certificate is always checked, against the "
        "system's authorities.",
    )
    base_topic: str = option(
        _blank_is(DEFAULT_BASE, text()),
        default=DEFAULT_BASE,
        help="What all topics begin with. Two AstraMeters at one broker need one each.",
    )
    ha_discovery: bool = option(
        _blank_is(True, boolean()),
        default=True,
        help="Announce everything to Home Assistant, which then has devices and entities for it. "
        "Off removes what was announced before.",
    )
    ha_discovery_prefix: str = option(
        _blank_is(DEFAULT_PREFIX, text()),
        default=DEFAULT_PREFIX,
        help="The discovery prefix that is set in Home Assistant.",
    )
    addon_slug: str = option(
        text(),
        default="",
        help="The id of AstraMeter's own device in Home Assistant; the add-on sets it. Not set: "
        "made of BASE_TOPIC.",
    )
    marstek_mqtt_enabled: bool = option(
        _blank_is(True, boolean()),
        default=True,
        help="Answer the Marstek app for the emulated CTs whose MAC was registered with the "
        "Marstek account. The app must reach this broker, through hame-relay for example.",
    )
    marstek_mqtt_interval: float = option(
        _blank_is(300.0, number()),
        default=300.0,
        unit="s",
        help="How often the readings are sent to the app without being asked. 0 or less: never.",
    )
    powermeter_health_interval: float = option(
        _blank_is(30.0, number()),
        default=30.0,
        unit="s",
        help="How often it is published whether each meter works, and what it reads. 0 or less: "
        "never.",
    )
    publish_interval: float = option(
        _blank_is(2.0, number(0, 3600)),
        default=2.0,
        unit="s",
        help="The least time between two publications of the same changing values. A setting "
        "that is changed is published at once. 0 publishes every answered poll.",
    )


def check(options: InsightsOptions) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, message)."""
    if options.uri:
        from astrameter.mqtt.settings import parse_uri  # noqa: PLC0415  as in broker_of()

        try:
            parse_uri(options.uri)
        except ValueError as error:
            yield "URI", str(error)
    for key, topic in (
        ("BASE_TOPIC", options.base_topic),
        ("HA_DISCOVERY_PREFIX", options.ha_discovery_prefix),
    ):
        if any(character in _FORBIDDEN for character in topic):
            yield key, "a topic to publish to cannot hold + or #"


def broker_of(options: InsightsOptions) -> MqttSettings:
    """The broker that checked options name (section 1.1: a URI replaces all that it could say)."""
    # Every start reads the options; only who uses MQTT is to pay for the client behind it.
    from astrameter.mqtt.settings import MqttSettings, parse_uri  # noqa: PLC0415

    if options.uri:
        return parse_uri(options.uri)
    return MqttSettings(
        options.broker,
        options.port,
        options.username or None,
        options.password or None,
        options.tls,
    )


INSIGHTS = Section(
    "MQTT_INSIGHTS",
    InsightsOptions,
    help="Publishes to an MQTT broker what the emulated meters, the batteries and the meters do, "
    "with entities for Home Assistant, and takes commands there. The section alone switches it "
    "on.",
    check=check,
)
