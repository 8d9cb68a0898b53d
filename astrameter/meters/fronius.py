"""The Fronius Smart Meter, through the inverter's Solar API (meters.md section 22).

What differs from AstraMeter 2.x: PER_PHASE without any phase in the answer is an error, where
2.x told the batteries 0 W.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from astrameter.meters.interface import MeterKind
from astrameter.meters.json_device import json_meter
from astrameter.meters.jsonpaths import Step, number_at, value_at
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import device_url, host
from astrameter.options import Section, boolean, option, text
from astrameter.reading import MeterError

_DATA = ("Body", "Data")
_STATUS = ("Head", "Status")
_SUM = "PowerReal_P_Sum"
_PHASES = ("PowerReal_P_Phase_1", "PowerReal_P_Phase_2", "PowerReal_P_Phase_3")
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[FRONIUS]``."""

    ip: str = option(host(), required=True, help="Address of the inverter.", example="192.168.1.20")
    device_id: str = option(text(), default="0", help="Number of the meter in the Solar API.")
    per_phase: bool = option(
        boolean(),
        default=False,
        help="Give the three phases one by one. Some inverters tell phases without their sign: "
        "leave it off unless export is negative on each phase.",
    )


def parse(document: object, options: Options) -> tuple[float, ...]:
    """The reading in the answer to ``GetMeterRealtimeData``."""
    code = _number_or_none(document, *_STATUS, "Code")
    if code:
        raise MeterError(
            "device_status", f"the inverter answers with code {code:g}{_reason(document)}"
        )
    if not options.per_phase:
        return (number_at(document, *_DATA, _SUM),)
    phases = [_number_or_none(document, *_DATA, name) for name in _PHASES]
    if phases == [None, None, None]:
        raise MeterError("missing_field", "no phase has a power in the answer: use PER_PHASE = no")
    return tuple(0.0 if power is None else power for power in phases)


def _number_or_none(document: object, *steps: Step) -> float | None:
    try:
        return number_at(document, *steps)
    except MeterError as error:
        if error.kind != "missing_field":
            raise
        return None


def _reason(document: object) -> str:
    status = value_at(document, *_STATUS)
    if isinstance(status, dict):
        for name in ("Reason", "UserMessage"):
            if text := status.get(name):
                return f": {str(text)[:_SHOWN_CHARACTERS]}"
    return ""


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    url = device_url(
        options.ip,
        "/solar_api/v1/GetMeterRealtimeData.cgi",
        [("Scope", "Device"), ("DeviceId", options.device_id)],
    )
    return json_meter(reactor, section, url, partial(parse, options=options))


KIND = MeterKind(
    Section(
        "FRONIUS",
        Options,
        help="A Fronius Smart Meter at the feed-in point, read through the inverter's Solar API.",
        many=True,
        example={"IP": "192.168.1.20"},
    ),
    build,
)
