"""What a daemon says about itself at ``/api/status``, as far as it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MOST = 200
"""Meters, devices or batteries of one list that are looked at."""


@dataclass(frozen=True)
class MeterSaid:
    """One meter of the daemon.

    :ivar watts: after its filters; None when there is no reading.
    """

    section: str
    watts: tuple[float, ...] | None
    age_s: float | None
    error: str


@dataclass(frozen=True)
class BatterySaid:
    """One battery of the daemon."""

    name: str
    device_type: str
    phase: str
    power_w: float | None
    age_s: float | None


@dataclass(frozen=True)
class DeviceSaid:
    """One emulated meter of the daemon."""

    type: str
    port: int
    batteries: tuple[BatterySaid, ...]


@dataclass(frozen=True)
class Said:
    """What the daemon says about itself."""

    version: str
    uptime_s: float
    meters: tuple[MeterSaid, ...]
    devices: tuple[DeviceSaid, ...]

    @property
    def uptime(self) -> str:
        """For how long it runs, in words."""
        for unit, seconds in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
            if self.uptime_s >= 2 * seconds:
                return f"{self.uptime_s / seconds:.0f} {unit}"
        return f"{self.uptime_s:.0f} seconds"


def understand(document: Any) -> Said | None:
    """What ``/api/status`` says; None when it is something else.

    Another version may be speaking: what is missing or odd counts as not known.
    """
    if not isinstance(document, dict) or "devices" not in document:
        return None
    return Said(
        _text(document, "version"),
        _number(document, "uptime_s") or 0.0,
        tuple(map(_meter, _objects(document, "meters"))),
        tuple(map(_device, _objects(document, "devices"))),
    )


def _meter(said: Mapping[str, Any]) -> MeterSaid:
    watts = said.get("watts")
    numbers = [_finite(value) for value in watts[:_MOST]] if isinstance(watts, list) else [None]
    known = tuple(value for value in numbers if value is not None)
    complete = len(known) == len(numbers)
    return MeterSaid(
        _text(said, "section"),
        known if complete else None,
        _number(said, "age_s"),
        _text(said, "error"),
    )


def _device(said: Mapping[str, Any]) -> DeviceSaid:
    batteries = tuple(
        BatterySaid(
            _text(one, "id"),
            _text(one, "type"),
            _text(one, "phase"),
            _number(one, "power_w"),
            _number(one, "age_s"),
        )
        for one in _objects(said, "batteries")
    )
    return DeviceSaid(_text(said, "type"), int(_number(said, "port") or 0), batteries)


def _objects(said: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = said.get(key)
    return [x for x in found[:_MOST] if isinstance(x, dict)] if isinstance(found, list) else []


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    return value if isinstance(value, str) else ""


def _number(said: Mapping[str, Any], key: str) -> float | None:
    return _finite(said.get(key))


def _finite(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
