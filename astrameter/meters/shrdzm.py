"""The SHRDZM smart-meter module (meters.md section 5).

What differs from AstraMeter 2.x: fractions of a watt count; any character may be in user name
and password (MH02).
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
from astrameter.options import Section, option, text

_IMPORT = "1.7.0"
_EXPORT = "2.7.0"


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[SHRDZM]``."""

    ip: str = option(host(), required=True, help="Address of the module.", example="192.168.1.20")
    user: str = option(text(), default="", help="User name at the module.", example="admin")
    password: str = option(
        text(), key="PASS", default="", secret=True, help="Password of that user."
    )


def parse(document: object) -> tuple[float, ...]:
    """The reading in the answer to ``/getLastData``: import minus export."""
    return (number_at(document, _IMPORT) - number_at(document, _EXPORT),)


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    login = [("user", options.user), ("password", options.password)]
    url = device_url(options.ip, "/getLastData", login)
    return json_meter(reactor, section, url, parse, any_status=True)


KIND = MeterKind(
    Section(
        "SHRDZM",
        Options,
        help="The SHRDZM module on the customer interface of a smart meter.",
        many=True,
        example={"IP": "192.168.1.20", "USER": "admin"},
    ),
    build,
)
