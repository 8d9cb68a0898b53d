"""What Home Assistant is told about our devices (mqtt.md section 6).

Home Assistant's "device discovery": one retained document a device, with all its entities
(https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload; since 2024.11). A
numeric entity whose template renders ``None`` becomes "unknown" there.

No device has ``connections``: Home Assistant takes a MAC for an identity across integrations, and
would merge our battery with that of another one.
"""

from __future__ import annotations

from typing import Any

from astrameter.insights.payloads import OFFLINE, ONLINE, to_json
from astrameter.insights.topics import Topics, mac_slug, sanitize

SUPPORT_URL = "https://github.com/tomquist/astrameter"

PHASES = ("A", "B", "C", "D")
"""D is a battery on all three; without it Home Assistant refuses the state."""

Component = dict[str, Any]

_DC_BATTERIES = ("HMA", "HMJ", "HMK")
_WATTS = {"device_class": "power", "state_class": "measurement", "unit_of_measurement": "W"}
_DIAGNOSTIC = {"entity_category": "diagnostic"}
_CONFIG = {"entity_category": "config"}
_CONNECTIVITY = {"device_class": "connectivity"}
# A template renders a boolean as Python spells it.
_BOOLEAN_STATE = {"state_on": "True", "state_off": "False"}
_BOOLEAN_PAYLOAD = {"payload_on": "True", "payload_off": "False"}
_TEXT_COMMAND = {"payload_on": "true", "payload_off": "false"}


class Discovery:
    """The documents of one installation.

    :param software: what Home Assistant shows as the version of their origin.
    """

    def __init__(self, topics: Topics, software: str) -> None:
        self._topics = topics
        self._origin = {"name": "astrameter", "sw_version": software, "support_url": SUPPORT_URL}
        self._ours = _available(topics.status)

    def hub(self) -> str:
        """The installation itself. Its status has no availability: it shows "off" instead."""
        topics = self._topics
        status = {
            "state_topic": topics.status,
            "payload_on": ONLINE,
            "payload_off": OFFLINE,
            **_CONNECTIVITY,
            **_DIAGNOSTIC,
        }
        reachable = {**_DIAGNOSTIC, "availability": [self._ours]}
        components = {
            "status": _entity("binary_sensor", "Status", status),
            "version": _sensor("Version", topics.bridge, "version", reachable),
            "consumer_count": _sensor("Consumer Count", topics.bridge, "consumer_count", reachable),
        }
        device = {"identifiers": topics.hub_id, "name": "AstraMeter", "manufacturer": "astrameter"}
        return self._document(topics.hub_node, device, components, topics.bridge)

    def ct(self, device_id: str, *, rotates: bool) -> str:
        """An emulated CT.

        :param rotates: it may concentrate the load on few batteries and change them.
        """
        topics, node = self._topics, self._topics.ct_node(device_id)
        state, command = topics.ct(device_id), topics.ct_command(device_id)
        components = {
            "smooth_target": _sensor(None, state, "smooth_target", _WATTS),
            "active_control": _switch(
                "Active Control",
                state,
                "active_control",
                {
                    "command_topic": command,
                    "command_template": '{"active_control": '
                    '{{ "true" if value == "ON" else "false" }}}',
                    "payload_on": "ON",
                    "payload_off": "OFF",
                    **_CONFIG,
                },
            ),
            "consumer_count": _sensor("Consumer Count", state, "consumer_count", _DIAGNOSTIC),
        }
        if rotates:
            components["force_rotation"] = _entity(
                "button",
                "Force Rotation",
                {"command_topic": command, "payload_press": '{"force_rotation": true}', **_CONFIG},
            )
        device = self._device(node, f"AstraMeter CT002 {device_id}")
        return self._document(node, device, components, state, self._ours)

    def consumer(self, device_id: str, battery_id: str, device_type: str, *, rotates: bool) -> str:
        """A battery that polls a CT; one device in Home Assistant whichever CT it polls."""
        topics, slug = self._topics, mac_slug(battery_id)
        state = topics.consumer(device_id, battery_id)
        components = {**_consumer_sensors(state), **_consumer_controls(state)}
        if rotates:
            components["efficiency_window_weight"] = _number(
                "Efficiency Window Weight",
                state,
                "efficiency_window_weight",
                "{{ (value_json.efficiency_window_weight | default(1.0)) * 100 }}",
                {"unit_of_measurement": "%", "min": 0, "max": 100, "step": 5, "mode": "slider"},
            )
        if device_type.upper().startswith(_DC_BATTERIES):
            components["min_dc_output"] = _number(
                "Min DC Output",
                state,
                "min_dc_output",
                "{{ value_json.min_dc_output | default(0) }}",
                {**_number_of_watts(0, 1000), "step": 1},
            )
        device: Component = {
            "identifiers": [f"astrameter_consumer_{slug}"],
            "name": " ".join(filter(None, ("AstraMeter Consumer", device_type, slug))),
            "manufacturer": "Marstek",
            "via_device": topics.ct_node(device_id),
        }
        if device_type:
            device["model_id"] = device_type
        node = topics.consumer_node(device_id, battery_id)
        own = _available(topics.availability(state))
        return self._document(node, device, components, state, self._ours, own)

    def meter(self, section: str) -> str:
        """A meter of the configuration."""
        state, node = self._topics.meter(section), self._topics.meter_node(section)
        components = {
            f"grid_power_{one}": _entity(
                "sensor",
                name,
                {"state_topic": state, "value_template": _unless_null(one), **_WATTS},
            )
            for one, name in (
                ("total", None),
                ("l1", "Power L1"),
                ("l2", "Power L2"),
                ("l3", "Power L3"),
            )
        }
        components["online"] = _boolean_sensor("Online", state, "online")
        words = " ".join(word.capitalize() for word in section.replace("_", " ").split())
        device = self._device(node, f"AstraMeter Powermeter {words}")
        return self._document(node, device, components, state, self._ours)

    def shelly(self, device_id: str) -> str:
        """An emulated Shelly."""
        state, node = self._topics.shelly(device_id), self._topics.shelly_node(device_id)
        count = _sensor("Battery Count", state, "battery_count", _DIAGNOSTIC)
        device = self._device(node, f"AstraMeter Shelly {device_id}")
        return self._document(node, device, {"battery_count": count}, state, self._ours)

    def battery(self, device_id: str, ip: str) -> str:
        """A battery that polls a Shelly."""
        topics = self._topics
        state, node = topics.battery(device_id, ip), topics.battery_node(device_id, ip)
        components = {
            **_grid_sensors(state),
            "active": _boolean_sensor("Active", state, "active"),
            **_seen_sensors(state),
        }
        device = {
            **self._device(node, f"AstraMeter Shelly Battery {sanitize(ip)}"),
            "via_device": topics.shelly_node(device_id),
        }
        own = _available(topics.availability(state))
        return self._document(node, device, components, state, self._ours, own)

    def _device(self, node: str, name: str) -> Component:
        return {
            "identifiers": node,
            "name": name,
            "manufacturer": "astrameter",
            "via_device": self._topics.hub_id,
        }

    def _document(
        self,
        node: str,
        device: Component,
        components: dict[str, Component],
        state_topic: str,
        *availability: Component,
    ) -> str:
        for key, component in components.items():
            component["unique_id"] = f"{node}_{key}"
        document: Component = {
            "device": device,
            "origin": self._origin,
            "components": components,
        }
        if len(availability) > 1:
            document["availability_mode"] = "all"
        if availability:
            document["availability"] = list(availability)
        document["state_topic"] = state_topic
        return to_json(document)


# ------------------------------------------------------------------------------- the batteries


def _consumer_sensors(state: str) -> dict[str, Component]:
    targets = {
        f"target_l{i}": _sensor(f"Target L{i}", state, f"target.l{i}", _WATTS) for i in (1, 2, 3)
    }
    texts = {
        key: _sensor(name, state, key, _DIAGNOSTIC)
        for key, name in (
            ("device_type", "Device Type"),
            ("battery_ip", "Battery IP"),
            ("ct_type", "CT Type"),
            ("ct_mac", "CT MAC"),
        )
    }
    saturation = {
        "unit_of_measurement": "%",
        "state_topic": state,
        "value_template": "{{ (value_json.saturation * 100) | round(1) }}",
    }
    phase = {"device_class": "enum", "options": list(PHASES), **_DIAGNOSTIC}
    return {
        **_grid_sensors(state),
        **targets,
        "reported_power": _sensor("Reported Power", state, "reported_power", _WATTS),
        "last_target": _sensor("Last Target", state, "last_target", _WATTS),
        "saturation": _entity("sensor", "Saturation", saturation),
        "phase": _sensor("Phase", state, "phase", phase),
        **texts,
        **_seen_sensors(state),
    }


def _consumer_controls(state: str) -> dict[str, Component]:
    def switch(name: str, key: str, more: Component) -> Component:
        command = {"command_topic": _command(state, key), **_TEXT_COMMAND, **more}
        return _switch(name, state, key, command)

    return {
        "manual_target": _number(
            "Manual Target",
            state,
            "manual_target",
            "{{ value_json.manual_target | default(0) }}",
            _number_of_watts(-10000, 10000),
        ),
        "auto_target": switch("Auto Target", "auto_target", _CONFIG),
        "active": switch("Active", "active", {}),
        "distribution_weight": _number(
            "Distribution Weight",
            state,
            "distribution_weight",
            "{{ value_json.distribution_weight | default(1.0) }}",
            {"min": 0, "max": 10, "step": 0.1, "mode": "slider"},
        ),
    }


def _grid_sensors(state: str) -> dict[str, Component]:
    names = {"total": None, "l1": "Grid Power L1", "l2": "Grid Power L2", "l3": "Grid Power L3"}
    return {
        f"grid_power_{one}": _sensor(name, state, f"grid_power.{one}", _WATTS)
        for one, name in names.items()
    }


def _seen_sensors(state: str) -> dict[str, Component]:
    seen = {"device_class": "timestamp", **_DIAGNOSTIC}
    interval = {"device_class": "duration", "unit_of_measurement": "s", **_DIAGNOSTIC}
    return {
        "last_seen": _sensor("Last Seen", state, "last_seen", seen),
        "poll_interval": _sensor("Poll Interval", state, "poll_interval", interval),
    }


# ------------------------------------------------------------------------------- the platforms


def _entity(platform: str, name: str | None, more: Component) -> Component:
    """:param name: None takes the name of the device."""
    return {"platform": platform, "name": name, **more}


def _sensor(name: str | None, state: str, path: str, more: Component) -> Component:
    template = f"{{{{ value_json.{path} }}}}"
    return _entity("sensor", name, {"state_topic": state, "value_template": template, **more})


def _boolean_sensor(name: str, state: str, path: str) -> Component:
    more = {**_CONNECTIVITY, **_BOOLEAN_PAYLOAD, **_DIAGNOSTIC}
    return {**_sensor(name, state, path, more), "platform": "binary_sensor"}


def _switch(name: str, state: str, path: str, more: Component) -> Component:
    retained = {**_BOOLEAN_STATE, "retain": True, **more}
    return {**_sensor(name, state, path, retained), "platform": "switch"}


def _number(name: str, state: str, key: str, template: str, more: Component) -> Component:
    return _entity(
        "number",
        name,
        {
            "state_topic": state,
            "value_template": template,
            "command_topic": _command(state, key),
            "retain": True,
            **more,
            **_CONFIG,
        },
    )


def _number_of_watts(low: int, high: int) -> Component:
    return {
        "unit_of_measurement": "W",
        "device_class": "power",
        "min": low,
        "max": high,
        "mode": "box",
    }


def _command(state: str, key: str) -> str:
    return f"{state}/{key}/set"


def _unless_null(one: str) -> str:
    """An empty state leaves what was before; a meter that is away is told by "online"."""
    path = f"value_json.grid_power.{one}"
    return f"{{{{ {path} if {path} is not none else '' }}}}"


def _available(topic: str) -> Component:
    return {"topic": topic, "payload_available": ONLINE, "payload_not_available": OFFLINE}
