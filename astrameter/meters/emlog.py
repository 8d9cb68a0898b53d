"""The Emlog smart-meter logger (meters.md section 6).

What differs from AstraMeter 2.x: fractions of a watt count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from astrameter.meters.interface import MeterKind
from astrameter.meters.json_device import json_meter
from astrameter.meters.jsonpaths import number_at
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import device_url, host
from astrameter.options import Section, boolean, option, text

_IMPORT = "Leistung170"
_EXPORT = "Leistung270"


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[EMLOG]``."""

    ip: str = option(host(), required=True, help="Address of the logger.", example="192.168.1.20")
    meter_index: str = option(
        text(), default="", help="Which of the logger's meters: its index there.", example="0"
    )
    json_power_calculate: bool = option(
        boolean(),
        default=False,
        help="Subtract the export (Leistung270) from the import (Leistung170), for meters that "
        "do not tell a signed power.",
    )


def parse(document: object, options: Options) -> tuple[float, ...]:
    """The reading in the answer to ``getinformation.php``."""
    power = number_at(document, _IMPORT)
    if options.json_power_calculate:
        power -= number_at(document, _EXPORT)
    return (power,)


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    query = [("heute", None), ("meterindex", options.meter_index)]
    url = device_url(options.ip, "/pages/getinformation.php", query)
    return json_meter(reactor, section, url, partial(parse, options=options), any_status=True)


KIND = MeterKind(
    Section(
        "EMLOG",
        Options,
        help="The Emlog logger of electricity meters.",
        many=True,
        example={"IP": "192.168.1.20", "METER_INDEX": "0"},
    ),
    build,
)
