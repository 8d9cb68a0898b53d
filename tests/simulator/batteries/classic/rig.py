"""Classic batteries for tests."""

from __future__ import annotations

from typing import Any

from simulator.batteries.battery import Battery
from simulator.batteries.config import BatteryConfig
from tests.simulator.batteries.rig import config, exchange, steered


def classic(**changes: Any) -> BatteryConfig:
    """A Venus C of 2500 W with a classic law, without inspection."""
    return config(**{"device_type": "HMG-50", "law": "classic", **changes})


def exchange_steered(battery: Battery, now: float, answer: int | bytes) -> None:
    """One poll at ``now`` with an answer, or with one that carries this value on phase A."""
    exchange(battery, now, steered(answer) if isinstance(answer, int) else answer)
