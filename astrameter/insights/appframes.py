"""What the Marstek app asks a CT, and what it is told (mqtt.md sections 8.2 to 8.5)."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

PREFIXES = ("hame_energy", "marstek_energy")
"""Older and newer generations of the app; each question is answered on both."""

MAX_REQUEST = 256

_FIRMWARE = 202409090159
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}\Z")
_SEPARATORS = str.maketrans(",;=", "___")


class Question(enum.Enum):
    """What the app wants to know: the value of ``cd``."""

    RUNTIME = 1
    SLAVES = 4


class Slave(NamedTuple):
    """A battery in the list.

    :ivar phase: ``A`` to ``D``, or ``0`` while it inspects.
    """

    device_type: str
    battery_id: str
    ip: str
    phase: str


def request_topics(ct_type: str, mac: str) -> tuple[str, ...]:
    """Where the app asks."""
    return tuple(f"{prefix}/{ct_type}/App/{mac}/ctrl" for prefix in PREFIXES)


def answer_topics(ct_type: str, mac: str) -> tuple[str, ...]:
    """Where it listens."""
    return tuple(f"{prefix}/{ct_type}/device/{mac}/ctrl" for prefix in PREFIXES)


def question(payload: bytes) -> Question | None:
    """What is asked; None for anything else."""
    if len(payload) > MAX_REQUEST:
        return None
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    values: dict[str, str] = {}
    for piece in text.split(","):
        key, found, value = piece.partition("=")
        if found and key.strip():
            values[key.strip().lower()] = value.strip()
    code = _integer(values.get("cd", ""))
    if code == Question.RUNTIME.value:
        return Question.RUNTIME
    if code == Question.SLAVES.value and _integer(values.get("p1", "")) is not None:
        return Question.SLAVES
    return None


def runtime_frame(watts: Sequence[float], slaves: int, rssi: int, version: int) -> str:
    """The reading, as a CT002 and as a CT003 show it."""
    a, b, c = (round(value) for value in (*watts[:3], 0, 0, 0)[:3])
    values = {
        "pwr_a": a,
        "pwr_b": b,
        "pwr_c": c,
        "pwr_t": a + b + c,
        "wif_s": 2,
        "wif_r": rssi,
        "ver_v": version,
        "slv_n": slaves,
        "cur_d": 0,
        "ble_s": 0,
        "fc4_v": _FIRMWARE,
        "kwh": "0.00",
        "n_kwh": "0.00",
        "used_kwh": "0.00",
        "fed_kwh": "0.00",
    }
    return ",".join(f"{key}={value}" for key, value in values.items())


def slave_list(slaves: Iterable[Slave]) -> str:
    """All batteries in the order given; empty without any."""
    return ",".join(
        f"slv_t={_safe(one.device_type)},slv_id={_safe(one.battery_id)},"
        f"slv_ip={_safe(one.ip) or '0.0.0.0'},slv_p={one.phase.lower()}"
        for one in slaves
    )


def _safe(text: str) -> str:
    return text.translate(_SEPARATORS)


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.match(text) else None
