"""What the owner may set for each battery (ct-protocol.md section 12)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any


class SettingError(ValueError):
    """A value was refused; the text names the setting and the values that are allowed."""


@dataclass(frozen=True, slots=True)
class BatterySettings:
    """The owner's settings of one battery.

    :ivar active: False pauses it: it is taken to 0 W and left out of the pool.
    :ivar manual_target: watts it holds in manual mode.
    :ivar auto_target: False is manual mode.
    :ivar distribution_weight: its share of the pool's work, 0..10.
    :ivar efficiency_window_weight: its share of the time alone at work, 0..1.
    :ivar min_dc_output: smallest output asked of it, watts; None follows the configuration.
    """

    active: bool = True
    manual_target: float = 0.0
    auto_target: bool = True
    distribution_weight: float = 1.0
    efficiency_window_weight: float = 1.0
    min_dc_output: float | None = None


DEFAULTS = BatterySettings()

_RANGES = {
    "manual_target": (-math.inf, math.inf),
    "distribution_weight": (0.0, 10.0),
    "efficiency_window_weight": (0.0, 1.0),
    "min_dc_output": (0.0, math.inf),
}
_SWITCHES = frozenset({"active", "auto_target"})


def with_setting(settings: BatterySettings, name: str, value: object) -> BatterySettings:
    """``settings`` with one of them changed.

    :raises SettingError: unknown name, wrong type, not finite, out of range.
    """
    if name in _SWITCHES:
        if not isinstance(value, bool):
            raise SettingError(f"{name} is on or off, not {value!r}")
        return replace(settings, **{name: value})
    if name not in _RANGES:
        raise SettingError(f"there is no setting {name!r}")
    if name == "min_dc_output" and value is None:
        return replace(settings, min_dc_output=None)
    changes: dict[str, Any] = {name: _number(name, value)}
    return replace(settings, **changes)


def _number(name: str, value: object) -> float:
    low, high = _RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingError(f"{name} is a number, not {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SettingError(f"{name} is a finite number")
    if not low <= number <= high:
        raise SettingError(f"{name} is {low:g}..{high:g}, not {number:g}")
    return number
