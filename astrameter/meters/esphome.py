"""A sensor of ESPHome, from its web server (meters.md section 10).

What differs from AstraMeter 2.x: fractions of a watt count; PORT may be left out; a missing
DOMAIN or ID refuses the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from astrameter.meters.interface import MeterKind
from astrameter.meters.json_device import json_meter, lone_host
from astrameter.meters.jsonpaths import number_at
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import Url, device_url
from astrameter.options import Section, option, port, text


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[ESPHOME]``."""

    ip: str = option(
        lone_host(), required=True, help="Address of the device.", example="192.168.1.20"
    )
    port: int = option(port(), default=80, help="TCP port of the device's web_server.")
    domain: str = option(text(), required=True, help="Kind of the component.", example="sensor")
    id: str = option(
        text(),
        required=True,
        help="Id of the component, as in the addresses of the web server; its value is the "
        "power in watts, import positive.",
        example="grid_power",
    )


def url_of(options: Options) -> Url:
    """Where the sensor is. Its id may be written escaped, or as device/id, as in 2.x."""
    return device_url(f"{options.ip}:{options.port}", f"/{options.domain}/{options.id}")


def parse(document: object) -> tuple[float, ...]:
    """The reading in the state of a sensor; one without a value is sent as ``"NaN"``."""
    return (number_at(document, "value"),)


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    return json_meter(reactor, section, url_of(options), parse, any_status=True)


KIND = MeterKind(
    Section(
        "ESPHOME",
        Options,
        help="A sensor of an ESPHome device that has the web_server component.",
        many=True,
        example={"IP": "192.168.1.20", "DOMAIN": "sensor", "ID": "grid_power"},
    ),
    build,
)
