"""Times as people write them."""

from __future__ import annotations

import math

LONGEST_S = 30 * 86400.0

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(value: object) -> float:
    """Seconds of a number, or of a text such as ``90s``, ``15m``, ``2h`` or ``1d``.

    :raises ValueError: for anything else, also when it is negative or longer than a month.
    """
    seconds = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(min(value, 2 * LONGEST_S))
    elif isinstance(value, str) and value.strip():
        text = value.strip().lower()
        unit = text[-1] if text[-1] in _UNITS else ""
        try:
            seconds = float(text.removesuffix(unit)) * _UNITS[unit or "s"]
        except ValueError:
            seconds = math.nan
    if not 0 <= seconds <= LONGEST_S:
        raise ValueError("seconds are wanted, or a time such as 90s, 15m, 2h or 1d, up to 30d")
    return seconds
