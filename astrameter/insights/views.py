"""How the batteries of a CT and those of a Shelly are published (mqtt.md sections 4 and 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from astrameter.events import CtAnswered, ShellyAnswered
from astrameter.insights import payloads
from astrameter.insights.board import Publication
from astrameter.insights.discovery import Discovery
from astrameter.insights.topics import Topics, fits

E_contra = TypeVar("E_contra", contravariant=True)

SETTINGS = (
    "active",
    "manual_target",
    "auto_target",
    "distribution_weight",
    "efficiency_window_weight",
    "min_dc_output",
)
"""What the owner may set for a battery of a CT."""

_AT_ONCE = (*SETTINGS, "phase", "device_type", "active_control")
_IN_TURN = (
    "reported_power",
    "battery_ip",
    "ct_type",
    "ct_mac",
    "saturation",
    "last_target",
    "smooth_target",
    "consumer_count",
)

MIN_GRACE_S = 10.0
"""A battery of a CT that was forgotten is called away after so long, or twice its own poll
interval: one that skips a poll now and then would otherwise flicker (mqtt.md section 9.9)."""


class View(Protocol[E_contra]):
    """What is published about the batteries at one kind of emulated meter.

    :ivar bridge_first: the order in which a new battery is announced (section 4).
    """

    bridge_first: bool

    def key(self, event: E_contra) -> tuple[str, str]:
        """Device id and battery id of an answer."""

    def fits(self, device: str, battery: str) -> bool:
        """Whether there can be topics for it."""

    def at_once(self, event: E_contra) -> object:
        """What is published at once when it changes."""

    def in_turn(self, event: E_contra) -> object:
        """What is published at intervals when it changes."""

    def state(self, event: E_contra) -> Publication: ...
    def status(self, event: E_contra) -> Publication: ...
    def state_topic(self, device: str, battery: str) -> str: ...
    def status_topic(self, device: str) -> str: ...

    def device(self, device: str) -> Publication:
        """The announcement of the emulated meter."""

    def battery(self, event: E_contra) -> Publication:
        """The announcement of the battery."""

    def device_config(self, device: str) -> str:
        """The topic of :meth:`device`."""

    def battery_config(self, device: str, battery: str) -> str:
        """The topic of :meth:`battery`."""

    def grace_s(self, event: E_contra) -> float:
        """How long after it was forgotten a battery is called away."""


class CtView:
    """Batteries at a CT.

    :param rotates: whether the CT of that id concentrates the load on few batteries.
    """

    bridge_first = True

    def __init__(
        self, topics: Topics, discovery: Discovery, rotates: Callable[[str], bool]
    ) -> None:
        self._topics = topics
        self._discovery = discovery
        self._rotates = rotates

    def key(self, event: CtAnswered) -> tuple[str, str]:
        return event.device_id, event.consumer_id

    def fits(self, device: str, battery: str) -> bool:
        return fits(device, levels=True) and fits(battery)

    def at_once(self, event: CtAnswered) -> object:
        return tuple(map(event.data.get, _AT_ONCE))

    def in_turn(self, event: CtAnswered) -> object:
        return event.grid_power, event.target, *map(event.data.get, _IN_TURN)

    def state(self, event: CtAnswered) -> Publication:
        topic = self._topics.consumer(event.device_id, event.consumer_id)
        return Publication(topic, payloads.consumer_state(event))

    def status(self, event: CtAnswered) -> Publication:
        data = event.data
        text = payloads.ct_status(
            data.get("smooth_target", 0.0),
            data.get("active_control", True),
            data.get("consumer_count", 0),
        )
        return Publication(self._topics.ct(event.device_id), text)

    def state_topic(self, device: str, battery: str) -> str:
        return self._topics.consumer(device, battery)

    def status_topic(self, device: str) -> str:
        return self._topics.ct(device)

    def device(self, device: str) -> Publication:
        text = self._discovery.ct(device, rotates=self._rotates(device))
        return Publication(self.device_config(device), text)

    def battery(self, event: CtAnswered) -> Publication:
        device, battery = event.device_id, event.consumer_id
        kind, rotates = event.data.get("device_type", ""), self._rotates(device)
        text = self._discovery.consumer(device, battery, kind, rotates=rotates)
        return Publication(self.battery_config(device, battery), text)

    def device_config(self, device: str) -> str:
        return self._topics.config(self._topics.ct_node(device))

    def battery_config(self, device: str, battery: str) -> str:
        return self._topics.config(self._topics.consumer_node(device, battery))

    def grace_s(self, event: CtAnswered) -> float:
        return max(MIN_GRACE_S, 2.0 * (event.data.get("poll_interval") or 0.0))

    @staticmethod
    def with_values(event: CtAnswered, values: dict[str, Any]) -> CtAnswered:
        """The same answer with other settings."""
        return replace(event, data={**event.data, **values})


class ShellyView:
    """Batteries at a Shelly."""

    bridge_first = False

    def __init__(self, topics: Topics, discovery: Discovery) -> None:
        self._topics = topics
        self._discovery = discovery

    def key(self, event: ShellyAnswered) -> tuple[str, str]:
        return event.device_id, event.battery_ip

    def fits(self, device: str, battery: str) -> bool:
        return fits(device, levels=True) and bool(battery)

    def at_once(self, event: ShellyAnswered) -> object:
        return None

    def in_turn(self, event: ShellyAnswered) -> object:
        return event.grid_power, event.battery_count

    def state(self, event: ShellyAnswered) -> Publication:
        topic = self._topics.battery(event.device_id, event.battery_ip)
        return Publication(topic, payloads.battery_state(event))

    def status(self, event: ShellyAnswered) -> Publication:
        text = payloads.shelly_status(event.battery_count)
        return Publication(self._topics.shelly(event.device_id), text)

    def state_topic(self, device: str, battery: str) -> str:
        return self._topics.battery(device, battery)

    def status_topic(self, device: str) -> str:
        return self._topics.shelly(device)

    def device(self, device: str) -> Publication:
        return Publication(self.device_config(device), self._discovery.shelly(device))

    def battery(self, event: ShellyAnswered) -> Publication:
        device, ip = event.device_id, event.battery_ip
        return Publication(self.battery_config(device, ip), self._discovery.battery(device, ip))

    def device_config(self, device: str) -> str:
        return self._topics.config(self._topics.shelly_node(device))

    def battery_config(self, device: str, battery: str) -> str:
        return self._topics.config(self._topics.battery_node(device, battery))

    def grace_s(self, event: ShellyAnswered) -> float:
        return 0.0
