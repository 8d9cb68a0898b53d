"""The AMIS reader of Austrian smart meters (meters.md section 11).

What differs from AstraMeter 2.x: fractions of a watt count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from astrameter.meters.interface import MeterKind
from astrameter.meters.json_device import json_meter
from astrameter.meters.jsonpaths import number_at
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import device_url, host
from astrameter.options import Section, option


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[AMIS_READER]``."""

    ip: str = option(host(), required=True, help="Address of the reader.", example="192.168.1.20")


def parse(document: object) -> tuple[float, ...]:
    """The reading in the answer to ``/rest``: the balance, import positive."""
    return (number_at(document, "saldo"),)


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    return json_meter(reactor, section, device_url(options.ip, "/rest"), parse, any_status=True)


KIND = MeterKind(
    Section(
        "AMIS_READER",
        Options,
        help="The AMIS reader on the infrared interface of an Austrian AMIS meter.",
        many=True,
        example={"IP": "192.168.1.20"},
    ),
    build,
)
