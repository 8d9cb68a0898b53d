"""What the state topics say (mqtt.md section 4)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from astrameter.events import CtAnswered, ShellyAnswered
from astrameter.reading import PhaseWatts

ONLINE = "online"
OFFLINE = "offline"

CONSUMER_KEYS = (
    ("phase", ""),
    ("reported_power", 0),
    ("device_type", ""),
    ("battery_ip", ""),
    ("ct_type", ""),
    ("ct_mac", ""),
    ("saturation", 0.0),
    ("last_target", None),
    ("active", True),
    ("poll_interval", None),
    ("last_seen", None),
    ("manual_target", None),
    ("auto_target", True),
    ("distribution_weight", 1.0),
    ("efficiency_window_weight", 1.0),
    ("min_dc_output", None),
)
"""What a CT's battery has besides the powers, in the order of section 4.1, with what stands for
a value that an event lacks."""


def consumer_state(event: CtAnswered) -> str:
    """Section 4.1."""
    data = event.data
    l1, l2, l3 = event.target
    powers = {"grid_power": _grid(event.grid_power), "target": {"l1": l1, "l2": l2, "l3": l3}}
    others = {key: data.get(key, default) for key, default in CONSUMER_KEYS}
    return to_json({**powers, **others})


def ct_status(smooth_target: float, active_control: bool, consumer_count: int) -> str:
    """Section 4.2: the sum of whole watts is a whole number."""
    return to_json(
        {
            "smooth_target": int(smooth_target) if math.isfinite(smooth_target) else None,
            "active_control": active_control,
            "consumer_count": consumer_count,
        }
    )


def battery_state(event: ShellyAnswered) -> str:
    """Section 4.3. A battery that was just answered is active."""
    return to_json(
        {
            "grid_power": _grid(event.grid_power),
            "active": True,
            "poll_interval": event.poll_interval_s,
            "last_seen": event.last_seen,
        }
    )


def shelly_status(battery_count: int) -> str:
    return to_json({"battery_count": battery_count})


def bridge(version: str, consumer_count: int) -> str:
    return to_json({"version": version, "consumer_count": consumer_count})


def meter_health(online: bool, watts: Sequence[float]) -> str:
    """Section 4.4; no ``watts`` when there is no reading."""
    return to_json({"online": online, "grid_power": meter_power(watts)})


def meter_power(watts: Sequence[float]) -> dict[str, float | None]:
    """As many phases as the meter has; the total is that of all its values."""
    named = dict(zip(("l1", "l2", "l3"), (*watts[:3], None, None, None), strict=False))
    return {**named, "total": sum(watts) if watts else None}


def to_json(document: dict[str, Any]) -> str:
    """Valid JSON, with ``null`` for what is no number."""
    try:
        return json.dumps(document, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(document))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _grid(watts: PhaseWatts) -> dict[str, float]:
    l1, l2, l3 = watts
    return {"l1": l1, "l2": l2, "l3": l3, "total": l1 + l2 + l3}
