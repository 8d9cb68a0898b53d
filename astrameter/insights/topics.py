"""Names: topics, and what Home Assistant knows our devices by (mqtt.md section 3).

A device id stands in topics as it is written; only in ids of Home Assistant it is made safe. Both
must stay as AstraMeter 2.x had them, or entities lose their history.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

STATUS = "status"
SET = "set"
AVAILABILITY = "availability"

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_CT, _SHELLY, _METER = "ct002", "shelly", "powermeter"
_CONSUMER, _BATTERY = "consumer", "battery"


def sanitize(text: str) -> str:
    """``text`` with every character that no id may hold as ``_``."""
    return _UNSAFE.sub("_", text)


def fits(name: str, *, levels: bool = False) -> bool:
    """Whether an id can stand in a topic as one level, or with ``levels`` as several."""
    if not name or any(character in "+#\0" for character in name):
        return False
    return levels or "/" not in name


def mac_slug(battery_id: str) -> str:
    """What a battery is known by whichever CT it polls."""
    return sanitize(battery_id).lower().replace("-", "").replace("_", "")


class Kind(enum.Enum):
    """What a state topic tells about."""

    HUB = "hub"
    CT = _CT
    CONSUMER = _CONSUMER
    SHELLY = _SHELLY
    BATTERY = _BATTERY
    METER = _METER


@dataclass(frozen=True, slots=True)
class Place:
    """What a state topic is about.

    :ivar device: the device id, or the sanitised section of a meter; empty for the hub.
    :ivar battery: its id in the topic; empty where there is none.
    """

    kind: Kind
    device: str = ""
    battery: str = ""


@dataclass(frozen=True, slots=True)
class CommandTopic:
    """Who a command is for.

    :ivar battery: empty for a command to the whole CT.
    :ivar field: the setting of the battery; empty for a command to the whole CT.
    """

    device: str
    battery: str = ""
    field: str = ""


class Topics:
    """All names of one installation.

    :ivar base: what all topics begin with.
    :ivar hub_id: what Home Assistant knows the installation itself by.
    """

    def __init__(self, base: str, prefix: str = "homeassistant", addon_slug: str = "") -> None:
        self.base = base
        self.hub_id = addon_slug or f"astrameter_{sanitize(base)}"
        self.status = f"{base}/status"
        self.bridge = f"{base}/bridge"
        self._prefix = prefix
        self._cts = f"{base}/{_CT}/"
        self._shellies = f"{base}/{_SHELLY}/"
        self._meters = f"{base}/{_METER}/"

    # ------------------------------------------------------------------------------ states

    def ct(self, device: str) -> str:
        return f"{self._cts}{device}/{STATUS}"

    def consumer(self, device: str, battery: str) -> str:
        return f"{self._cts}{device}/{_CONSUMER}/{battery}"

    def shelly(self, device: str) -> str:
        return f"{self._shellies}{device}/{STATUS}"

    def battery(self, device: str, ip: str) -> str:
        return f"{self._shellies}{device}/{_BATTERY}/{sanitize(ip)}"

    def meter(self, section: str) -> str:
        return f"{self._meters}{sanitize(section)}"

    @staticmethod
    def availability(state_topic: str) -> str:
        """Where it is told whether the battery of a state topic is there."""
        return f"{state_topic}/{AVAILABILITY}"

    def availability_filters(self) -> tuple[str, ...]:
        """All of those."""
        return (
            f"{self._cts}+/{_CONSUMER}/+/{AVAILABILITY}",
            f"{self._shellies}+/{_BATTERY}/+/{AVAILABILITY}",
        )

    def place(self, state_topic: str) -> Place | None:
        """What a state topic is about; None when it is none of this installation."""
        if state_topic == self.bridge:
            return Place(Kind.HUB)
        if state_topic.startswith(self._meters):
            return Place(Kind.METER, state_topic.removeprefix(self._meters))
        for start, level, whole, part in (
            (self._cts, f"/{_CONSUMER}/", Kind.CT, Kind.CONSUMER),
            (self._shellies, f"/{_BATTERY}/", Kind.SHELLY, Kind.BATTERY),
        ):
            if state_topic.startswith(start):
                rest = state_topic.removeprefix(start)
                device, found, battery = rest.rpartition(level)
                if found:
                    return Place(part, device, battery)
                device, found, _ = rest.rpartition(f"/{STATUS}")
                return Place(whole, device) if found else None
        return None

    # ---------------------------------------------------------------------------- commands

    def ct_command(self, device: str) -> str:
        return f"{self._cts}{device}/{SET}"

    def consumer_command(self, device: str, battery: str, field: str) -> str:
        return f"{self.consumer(device, battery)}/{field}/{SET}"

    def of_command(self, command: CommandTopic) -> str:
        """Where it is sent."""
        if command.battery:
            return self.consumer_command(command.device, command.battery, command.field)
        return self.ct_command(command.device)

    def command_filters(self, device: str = "+") -> tuple[str, str]:
        """What to subscribe for all commands, or those of a device whose id has a ``/``."""
        return self.consumer_command(device, "+", "+"), self.ct_command(device)

    def command(self, topic: str) -> CommandTopic | None:
        """Who a command on ``topic`` is for (section 5); None when it is no command topic."""
        if not (topic.startswith(self._cts) and topic.endswith(f"/{SET}")):
            return None
        middle = topic[len(self._cts) : -len(SET) - 1]
        device, found, rest = middle.partition(f"/{_CONSUMER}/")
        if not found:
            return CommandTopic(middle) if middle else None
        battery, _, field = rest.rpartition("/")
        return CommandTopic(device, battery, field) if device and battery else None

    # ------------------------------------------------------------------------ Home Assistant

    @property
    def hub_node(self) -> str:
        return f"astrameter_addon_{sanitize(self.hub_id)}"

    @staticmethod
    def ct_node(device: str) -> str:
        return f"astrameter_ct002_{sanitize(device)}"

    @staticmethod
    def consumer_node(device: str, battery: str) -> str:
        return f"astrameter_ct002_{sanitize(device)}_{sanitize(battery)}"

    @staticmethod
    def shelly_node(device: str) -> str:
        return f"astrameter_shelly_{sanitize(device)}"

    @staticmethod
    def battery_node(device: str, ip: str) -> str:
        return f"astrameter_shelly_{sanitize(device)}_{sanitize(ip)}"

    @staticmethod
    def meter_node(section: str) -> str:
        return f"astrameter_powermeter_{sanitize(section)}"

    def node(self, place: Place) -> str:
        """The node of what a state topic is about."""
        match place.kind:
            case Kind.HUB:
                return self.hub_node
            case Kind.CT:
                return self.ct_node(place.device)
            case Kind.CONSUMER:
                return self.consumer_node(place.device, place.battery)
            case Kind.SHELLY:
                return self.shelly_node(place.device)
            case Kind.BATTERY:
                return self.battery_node(place.device, place.battery)
            case Kind.METER:
                return self.meter_node(place.device)

    def config(self, node: str) -> str:
        """Where a device is announced to Home Assistant."""
        return f"{self._prefix}/device/{node}/config"
