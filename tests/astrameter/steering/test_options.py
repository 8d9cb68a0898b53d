"""The steering keys (steering.md section 4)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import load_text
from astrameter.options import options_of
from astrameter.steering.options import SteeringOptions

RANGES: dict[str, tuple[float, float | None]] = {
    "BALANCE_GAIN": (0, 1),
    "BALANCE_DEADBAND": (0, None),
    "ERROR_BOOST_THRESHOLD": (0, None),
    "ERROR_BOOST_MAX": (0, None),
    "ERROR_REDUCE_THRESHOLD": (0, None),
    "MAX_CORRECTION_PER_STEP": (0, None),
    "MAX_TARGET_STEP": (0, None),
    "PACE_BASE_STEP": (0, None),
    "PACE_MAX_STEP": (0, None),
    "OSC_DAMP_MAX": (0, 1),
    "OSC_DAMP_ALPHA": (0, 1),
    "OSC_DAMP_DECAY": (0, 1),
    "OSC_DAMP_THRESHOLD": (0, None),
    "GRID_PREDICT_TRUST": (0, 1),
    "CONCENTRATE_DEADBAND": (0, None),
    "IMPORT_TRIM_W": (0, None),
    "SATURATION_ALPHA": (0.01, 1),
    "MIN_TARGET_FOR_SATURATION": (1, None),
    "SATURATION_DECAY_FACTOR": (0, 1),
    "SATURATION_GRACE_SECONDS": (0, None),
    "SATURATION_STALL_TIMEOUT_SECONDS": (0, None),
    "MIN_EFFICIENT_POWER": (0, None),
    "PROBE_MIN_POWER": (0, None),
    "EFFICIENCY_ROTATION_INTERVAL": (1, None),
    "EFFICIENCY_FADE_ALPHA": (0.01, 1),
    "EFFICIENCY_SATURATION_THRESHOLD": (0, 1),
    "EFFICIENCY_DEMAND_ALPHA": (0.01, 1),
    "MIN_DC_OUTPUT": (0, None),
}
SWITCHES = {"ACTIVE_CONTROL", "FAIR_DISTRIBUTION", "SATURATION_DETECTION"}
ATTRIBUTES = {one.key: one.attribute for one in options_of(SteeringOptions)}


class Keys(SynchronousTestCase):
    def loaded(self, key: str, value: object) -> Any:
        options = load_text(f"[CT002]\n{key} = {value}\n", "config.ini").ct002
        return getattr(options, ATTRIBUTES[key])

    def test_every_key_of_2x_is_accepted(self) -> None:
        self.assertLessEqual({*RANGES, *SWITCHES}, set(ATTRIBUTES))

    def test_values_out_of_range_are_brought_into_it(self) -> None:
        """Invariant 10."""
        for key, (low, high) in RANGES.items():
            self.assertEqual(self.loaded(key, -5), low, key)
            self.assertEqual(self.loaded(key, 100_000), high or 100_000, key)

    def test_switches_are_on_by_default(self) -> None:
        for key in SWITCHES:
            self.assertIs(getattr(SteeringOptions(), ATTRIBUTES[key]), True)
            self.assertIs(self.loaded(key, "off"), False)
