"""Shelly RPC documents: request bytes in, reply bytes out (shelly.md sections 2 and 3)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from astrameter.reading import NO_POWER, MeterError, Sample

MAX_REQUEST_BYTES = 4096
"""Longer datagrams are not looked at; a battery's request has about 60 bytes."""

_TINY = 0.001
"""Watts that make a number show a decimal point, which some firmware needs (section 3.2)."""

_SMALLEST_PHASE_W = 0.1


class Method(Enum):
    """The requests that are answered: EM for three phases, EM1 for a single channel."""

    EM = "EM.GetStatus"
    EM1 = "EM1.GetStatus"


class Rejection(Enum):
    """Why a datagram gets no reply, in words for the log."""

    TOO_LONG = f"longer than {MAX_REQUEST_BYTES} bytes"
    NOT_TEXT = "not UTF-8 text"
    NOT_JSON = "not a JSON document"
    NOT_A_REQUEST = "not an object with an integer params.id"
    NO_ID = "a request without id"
    OTHER_METHOD = "neither EM.GetStatus nor EM1.GetStatus"


WELL_FORMED = frozenset({Rejection.NO_ID, Rejection.OTHER_METHOD})
"""Rejected requests for which the meter is read all the same (section 8)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that can be answered.

    :ivar id_json: the member ``id``, as the JSON text to echo.
    """

    id_json: str
    method: Method


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def parse(datagram: bytes) -> Request | Rejection:
    """Read one datagram. Total: never raises, whatever the bytes.

    ``params.id`` may be any integer; ``true`` and ``false`` count as such, as they do in the
    predecessor. Of members that occur twice the last one counts.
    """
    if len(datagram) > MAX_REQUEST_BYTES:
        return Rejection.TOO_LONG
    try:
        text = datagram.decode("utf-8")
    except UnicodeDecodeError:
        return Rejection.NOT_TEXT
    try:
        return _understand(json.loads(text))
    except (ValueError, RecursionError):
        return Rejection.NOT_JSON


def _understand(document: Any) -> Request | Rejection:
    """Raises ValueError or RecursionError for an ``id`` that JSON cannot express again."""
    params = document.get("params") if isinstance(document, dict) else None
    if not isinstance(params, dict) or not isinstance(params.get("id"), int):
        return Rejection.NOT_A_REQUEST
    if "id" not in document:
        return Rejection.NO_ID
    name = document.get("method")
    if name == Method.EM.value:
        method = Method.EM
    elif name == Method.EM1.value:
        method = Method.EM1
    else:
        return Rejection.OTHER_METHOD
    return Request(_encode(document["id"]), method)


def reply(request: Request, device_id: str, sample: Sample) -> bytes:
    """The answer to ``request`` with the numbers of ``sample`` (sections 3.1 and 3.2).

    EM shows readings of one or three values; any other number of them shows as no power.
    EM1 shows the sum of all values.

    :raises MeterError: when the values have no finite sum, so that there is nothing to show.
    """
    total = sample.total
    if not math.isfinite(total):
        raise MeterError("not_numeric", f"the meter's values add up to {total}, not a power")
    if request.method is Method.EM1:
        result = f'{{"act_power":{_total(total)}}}'
    else:
        phases = NO_POWER
        if len(sample.watts) in (1, 3):
            phases = sample.phases
        else:
            total = 0.0
        a, b, c = phases
        result = (
            f'{{"a_act_power":{_phase(a)},"b_act_power":{_phase(b)},"c_act_power":{_phase(c)},'
            f'"total_act_power":{_total(total)}}}'
        )
    return (
        f'{{"id":{request.id_json},"src":{_encode(device_id)},"dst":"unknown","result":{result}}}'
    ).encode("ascii")


def _phase(power_w: float) -> float:
    """One decimal; what is nearly nothing shows as +0.001 W, sign and zero lost."""
    return _TINY if abs(power_w) < _SMALLEST_PHASE_W else round(power_w, 1)


def _total(power_w: float) -> float:
    """Three decimals; to whole watts, negative ones too, 0.001 W is added."""
    rounded = round(power_w, 3)
    return rounded + _TINY if rounded.is_integer() else rounded
