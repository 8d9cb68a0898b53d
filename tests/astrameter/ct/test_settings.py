"""What the owner may set for a battery (ct-protocol.md section 12)."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.settings import DEFAULTS, BatterySettings, SettingError, with_setting


class Settings(SynchronousTestCase):
    def refused(self, name: str, value: object) -> str:
        return str(self.assertRaises(SettingError, with_setting, DEFAULTS, name, value))

    def test_defaults(self) -> None:
        self.assertEqual(DEFAULTS, BatterySettings(True, 0.0, True, 1.0, 1.0, None))

    def test_every_setting_can_be_changed_and_leaves_the_others_alone(self) -> None:
        for name, value in (
            ("active", False),
            ("auto_target", False),
            ("manual_target", -1234.5),
            ("distribution_weight", 10),
            ("efficiency_window_weight", 0),
            ("min_dc_output", 80),
        ):
            changed = with_setting(DEFAULTS, name, value)
            self.assertEqual(getattr(changed, name), value)
            self.assertEqual(with_setting(changed, name, getattr(DEFAULTS, name)), DEFAULTS)

    def test_numbers_become_floats(self) -> None:
        self.assertIsInstance(with_setting(DEFAULTS, "manual_target", 5).manual_target, float)

    def test_limits_belong_to_the_range(self) -> None:
        for name, low, high in (
            ("distribution_weight", 0, 10),
            ("efficiency_window_weight", 0, 1),
        ):
            with_setting(DEFAULTS, name, low)
            with_setting(DEFAULTS, name, high)
            self.assertIn(f"{low}..{high}", self.refused(name, low - 0.001))
            self.assertIn(f"{low}..{high}", self.refused(name, high + 0.001))
        self.assertIn("min_dc_output", self.refused("min_dc_output", -0.001))

    def test_a_manual_target_has_no_limits(self) -> None:
        self.assertEqual(with_setting(DEFAULTS, "manual_target", 1e12).manual_target, 1e12)

    def test_what_is_not_finite_is_refused(self) -> None:
        for value in (math.nan, math.inf, -math.inf, 10**400):
            for name in ("manual_target", "distribution_weight", "min_dc_output"):
                self.assertIn(name, self.refused(name, value))

    def test_the_wrong_type_is_refused(self) -> None:
        for name in ("active", "auto_target"):
            for value in (1, 0, "on", None):
                self.assertIn(name, self.refused(name, value))
        for name in ("manual_target", "distribution_weight", "efficiency_window_weight"):
            for value in (True, "5", None, [1]):
                self.assertIn(name, self.refused(name, value))

    def test_an_unknown_name_is_refused(self) -> None:
        for name in ("", "weight", "Active", "__class__"):
            self.assertIn(repr(name), self.refused(name, 1))

    def test_the_smallest_output_can_be_unset(self) -> None:
        changed = with_setting(DEFAULTS, "min_dc_output", 40)
        self.assertIsNone(with_setting(changed, "min_dc_output", None).min_dc_output)
