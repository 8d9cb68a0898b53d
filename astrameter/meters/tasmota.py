"""Tasmota devices with an energy sensor or a reading head (meters.md section 4).

What differs from AstraMeter 2.x: fractions of a watt count, and numbers in quotes may have them;
keys without which nothing can be read refuse the file, where 2.x failed at the first read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from astrameter.meters.interface import MeterKind
from astrameter.meters.json_device import json_meter, phase_list
from astrameter.meters.jsonpaths import number_at
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import Url, device_url, host
from astrameter.options import Section, boolean, option, text


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[TASMOTA]``."""

    ip: str = option(host(), required=True, help="Address of the device.", example="192.168.1.20")
    user: str = option(text(), default="", help="User name, if the device has a web password.")
    password: str = option(
        text(), key="PASS", default="", secret=True, help="Password of that user."
    )
    json_status: str = option(
        text(),
        default="StatusSNS",
        help="Outer name in the answer to the command Status 10, nearly always StatusSNS.",
    )
    json_payload_mqtt_prefix: str = option(
        text(),
        required=True,
        help="Inner name: of the sensor, as in Tasmota's MQTT messages, like SML, eBZ or ENERGY.",
        example="SML",
    )
    json_power_mqtt_label: tuple[str, ...] = option(
        phase_list(),
        default=(),
        help="Name of the power in watts, import positive; several, comma-separated, one a phase.",
        example="Power",
    )
    json_power_calculate: bool = option(
        boolean(), default=False, help="The power is import minus export, each with a name."
    )
    json_power_input_mqtt_label: tuple[str, ...] = option(
        phase_list(),
        default=(),
        help="With JSON_POWER_CALCULATE: name of the import, or one a phase.",
        example="Power1",
    )
    json_power_output_mqtt_label: tuple[str, ...] = option(
        phase_list(),
        default=(),
        help="With JSON_POWER_CALCULATE: name of the export, or one a phase.",
        example="Power2",
    )


def _check(options: Options) -> Iterable[tuple[str, str]]:
    imports, exports = options.json_power_input_mqtt_label, options.json_power_output_mqtt_label
    used = {"JSON_POWER_MQTT_LABEL": options.json_power_mqtt_label}
    if options.json_power_calculate:
        used = {"JSON_POWER_INPUT_MQTT_LABEL": imports, "JSON_POWER_OUTPUT_MQTT_LABEL": exports}
    for key, labels in used.items():
        if not labels:
            yield key, "this key is required: write the name of the power in the device's answer"
        elif not all(labels):
            yield key, "one of the names between the commas is empty"
    if options.json_power_calculate and len(imports) != len(exports) and imports and exports:
        key = "JSON_POWER_OUTPUT_MQTT_LABEL"
        message = f"{len(exports)} names for {len(imports)} in JSON_POWER_INPUT_MQTT_LABEL"
        yield key, f"{message}; both want one a phase"
    if not options.json_status:
        yield "JSON_STATUS", "is empty; remove the line to have the default, StatusSNS"


def url_of(options: Options) -> Url:
    """Where the device tells its power."""
    if not options.user:
        return replace(device_url(options.ip, "/cm"), query="cmnd=status%2010")
    login = [("user", options.user), ("password", options.password)]
    return device_url(options.ip, "/cm", [*login, ("cmnd", "status 10")])


def parse(document: object, options: Options) -> tuple[float, ...]:
    """The reading in the answer to Status 10."""
    sensor = (options.json_status, options.json_payload_mqtt_prefix)
    if not options.json_power_calculate:
        labels = options.json_power_mqtt_label
        return tuple(number_at(document, *sensor, label) for label in labels)
    pairs = zip(
        options.json_power_input_mqtt_label, options.json_power_output_mqtt_label, strict=True
    )
    return tuple(
        number_at(document, *sensor, drawn) - number_at(document, *sensor, fed)
        for drawn, fed in pairs
    )


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    return json_meter(reactor, section, url_of(options), partial(parse, options=options))


KIND = MeterKind(
    Section(
        "TASMOTA",
        Options,
        help="A Tasmota device with an energy sensor, or with a reading head on the meter.",
        many=True,
        example={
            "IP": "192.168.1.20",
            "JSON_PAYLOAD_MQTT_PREFIX": "SML",
            "JSON_POWER_MQTT_LABEL": "Power",
        },
        check=_check,
    ),
    build,
)
