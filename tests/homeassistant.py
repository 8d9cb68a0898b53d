"""What Home Assistant says about device discovery, as far as a document alone can be checked.

From its published documentation, in our words:
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery (topics, device discovery
payload, shared options), the pages of the platforms sensor, binary_sensor, switch, number and
button below /integrations/, and the device and state classes of
https://developers.home-assistant.io/docs/core/entity/sensor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

_TOPIC = re.compile(r"[^+#\0]+/device/([a-zA-Z0-9_-]+)/config\Z")
_PATH = re.compile(r"value_json\.([a-z0-9_.]+)")

_ROOT = {"device", "origin", "components", "availability", "availability_mode", "state_topic"}
_ROOT |= {"command_topic", "qos", "encoding"}
_ORIGIN = {"name", "sw_version", "support_url"}
_DEVICE = {
    *("configuration_url", "connections", "hw_version", "identifiers", "manufacturer", "model"),
    *("model_id", "name", "serial_number", "suggested_area", "sw_version", "via_device"),
}
_AVAILABILITY = {"topic", "payload_available", "payload_not_available", "value_template"}
_ANY = {
    *("availability", "availability_mode", "availability_topic", "enabled_by_default", "encoding"),
    *("entity_category", "entity_picture", "icon", "json_attributes_template"),
    *("json_attributes_topic", "name", "object_id", "platform", "qos", "unique_id"),
    "device_class",
}
_STATE = {"state_topic", "value_template"}
_COMMAND = {"command_topic", "command_template", "retain"}
_PLATFORMS: dict[str, tuple[set[str], set[str]]] = {  # required, optional
    "sensor": (
        {"state_topic"},
        {
            *_STATE,
            *("expire_after", "force_update", "last_reset_value_template", "options"),
            *("state_class", "suggested_display_precision", "unit_of_measurement"),
        },
    ),
    "binary_sensor": (
        {"state_topic"},
        {*_STATE, "expire_after", "force_update", "off_delay", "payload_on", "payload_off"},
    ),
    "switch": (
        {"command_topic"},
        {
            *_STATE,
            *_COMMAND,
            *("optimistic", "payload_on", "payload_off", "state_on", "state_off"),
        },
    ),
    "number": (
        {"command_topic"},
        {
            *_STATE,
            *_COMMAND,
            *("max", "min", "mode", "optimistic", "payload_reset", "step", "unit_of_measurement"),
        },
    ),
    "button": ({"command_topic"}, {*_COMMAND, "payload_press"}),
}
_POWER = {"mW", "W", "kW", "MW", "GW", "TW"}
_DURATION = {"d", "h", "min", "s", "ms", "µs"}
_UNITS: dict[str, dict[str, set[str | None]]] = {
    "sensor": {
        "power": {*_POWER},
        "duration": {*_DURATION},
        "timestamp": {None},
        "enum": {None},
    },
    "number": {"power": {*_POWER}},
    "binary_sensor": {"connectivity": {None}},
    "switch": {"outlet": {None}, "switch": {None}},
    "button": {"identify": {None}, "restart": {None}, "update": {None}},
}
_CATEGORIES = {
    "sensor": {None, "diagnostic"},
    "binary_sensor": {None, "diagnostic"},
}


def faults(topic: str, payload: str) -> list[str]:
    """Everything that is wrong with one announcement."""
    return list(_faults(topic, json.loads(payload)))


def faults_of_all(documents: dict[str, str], states: dict[str, str]) -> list[str]:
    """What is wrong with announcements together, and with the states that they point to.

    :param states: what stands on the state topics.
    """
    found: list[str] = []
    ids: dict[tuple[str, str], str] = {}
    devices: dict[str, str] = {}
    parsed = {topic: json.loads(payload) for topic, payload in documents.items()}
    for topic, document in parsed.items():
        found += _faults(topic, document)
        for one in _identifiers(document["device"]):
            devices.setdefault(one, topic)
        for component in document["components"].values():
            key = (component["platform"], component["unique_id"])
            if key in ids:
                found.append(f"{topic}: {key} is in {ids[key]}, too")
            ids[key] = topic
            found += _unreadable(topic, component, states)
    for topic, document in parsed.items():
        via = document["device"].get("via_device")
        if via is not None and via not in devices:
            found.append(f"{topic}: nobody announces the device {via}")
    return found


def _faults(topic: str, document: Any) -> Iterator[str]:
    if not _TOPIC.match(topic):
        yield f"{topic}: no discovery topic"
    for key in document.keys() - _ROOT:
        yield f"{topic}: unknown key {key}"
    for key in {"device", "origin", "components"} - document.keys():
        yield f"{topic}: {key} is missing"
    yield from _origin_faults(topic, document["origin"])
    yield from _device_faults(topic, document["device"])
    yield from _availability_faults(topic, document)
    unnamed = [key for key, one in document["components"].items() if one.get("name", "") is None]
    if len(unnamed) > 1:
        yield f"{topic}: {unnamed} all have the name of the device"
    for key, component in document["components"].items():
        for fault in _component_faults(component):
            yield f"{topic}: {key}: {fault}"


def _origin_faults(topic: str, origin: Any) -> Iterator[str]:
    if not origin.get("name"):
        yield f"{topic}: the origin has no name"
    for key in origin.keys() - _ORIGIN:
        yield f"{topic}: unknown key {key} of the origin"
    if not str(origin.get("support_url", "https://")).startswith(("http://", "https://")):
        yield f"{topic}: support_url is no URL"


def _device_faults(topic: str, device: Any) -> Iterator[str]:
    if not (_identifiers(device) or device.get("connections")):
        yield f"{topic}: the device has neither identifiers nor connections"
    for key in device.keys() - _DEVICE:
        yield f"{topic}: unknown key {key} of the device"
    for key, value in device.items():
        if key not in ("identifiers", "connections") and not isinstance(value, str):
            yield f"{topic}: {key} of the device is no text"


def _availability_faults(topic: str, where: Any) -> Iterator[str]:
    if where.get("availability_mode", "latest") not in ("all", "any", "latest"):
        yield f"{topic}: availability_mode"
    if "availability" in where and "availability_topic" in where:
        yield f"{topic}: availability and availability_topic exclude each other"
    for one in where.get("availability", []):
        if not one.get("topic") or one.keys() - _AVAILABILITY:
            yield f"{topic}: {one} is no availability"


def _component_faults(component: Any) -> Iterator[str]:
    platform = component.get("platform")
    if component.keys() == {"platform"}:
        return  # this is how an entity is removed
    if platform not in _PLATFORMS:
        yield f"there is no platform {platform}"
        return
    required, optional = _PLATFORMS[platform]
    for key in (required | {"unique_id"}) - component.keys():
        yield f"{key} is missing"
    for key in component.keys() - required - optional - _ANY:
        yield f"unknown key {key}"
    if not (component.get("name") is None or isinstance(component["name"], str)):
        yield "the name is text or null"
    for key in ("state_topic", "command_topic"):
        if not re.match(r"[^+#\0]+\Z", component.get(key, "x")):
            yield f"{key} cannot be published to"
    categories = _CATEGORIES.get(platform, {None, "config", "diagnostic"})
    if component.get("entity_category") not in categories:
        yield "no such entity_category for this platform"
    yield from _availability_faults("availability", component)
    yield from _class_faults(platform, component)
    if platform == "number":
        yield from _number_faults(component)
    if platform in ("switch", "binary_sensor"):
        on = component.get("state_on", component.get("payload_on", "ON"))
        off = component.get("state_off", component.get("payload_off", "OFF"))
        if on == off:
            yield "on and off are the same"


def _class_faults(platform: str, component: Any) -> Iterator[str]:
    device_class, unit = component.get("device_class"), component.get("unit_of_measurement")
    if device_class is not None:
        units = _UNITS[platform].get(device_class)
        if units is None:
            yield f"there is no device_class {device_class}"
        elif unit not in units:
            yield f"{device_class} is not measured in {unit}"
    if component.get("state_class") not in (None, "measurement", "total", "total_increasing"):
        yield "there is no such state_class"
    is_text = device_class in ("timestamp", "enum")
    if is_text and ("state_class" in component or "unit_of_measurement" in component):
        yield f"{device_class} is no number"
    if ("options" in component) != (device_class == "enum"):
        yield "options go with the device_class enum"


def _number_faults(component: Any) -> Iterator[str]:
    low, high = component.get("min", 1), component.get("max", 100)
    if not low < high:
        yield "min is below max"
    if not component.get("step", 1) >= 0.001:
        yield "step is at least 0.001"
    if component.get("mode", "auto") not in ("auto", "box", "slider"):
        yield "there is no such mode"


def _unreadable(topic: str, component: Any, states: dict[str, str]) -> Iterator[str]:
    """Templates that find nothing in what is published; enumerations that miss a value."""
    template = component.get("value_template")
    if template is None or component["state_topic"] not in states:
        return
    if template.count("{{") != 1 or template.count("}}") != 1:
        yield f"{topic}: {template!r} is no template"
    state = json.loads(states[component["state_topic"]])
    for path in _PATH.findall(template):
        value = state
        for name in path.split("."):
            if not isinstance(value, dict) or name not in value:
                yield f"{topic}: {component['state_topic']} has no {path}"
                break
            value = value[name]
        else:
            for fault in _value_faults(component, value):
                yield f"{topic}: {path} = {value!r} {fault}"


def _value_faults(component: Any, value: Any) -> Iterator[str]:
    """A value that the entity would refuse."""
    if "options" in component and value not in component["options"]:
        yield f"is none of {component['options']}"
    if "unit_of_measurement" in component and not (value is None or isinstance(value, int | float)):
        yield "is no number"
    if component.get("device_class") == "timestamp" and not _is_timestamp(value):
        yield "is no time with a zone"
    rendered = str(value)
    match component["platform"]:
        case "binary_sensor":
            if rendered not in (component["payload_on"], component["payload_off"]):
                yield "is neither on nor off"
        case "switch":
            if rendered not in (component["state_on"], component["state_off"]):
                yield "is neither on nor off"
        case "number":
            if value is not None and not component["min"] <= value <= component["max"]:
                yield "is out of range"


def _is_timestamp(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _identifiers(device: Any) -> list[str]:
    found = device.get("identifiers", [])
    return [found] if isinstance(found, str) else found
