"""``--set``: options by name, with every mistake told at once."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.settings import SettingsError, parsed


class Settings(SynchronousTestCase):
    def refused(self, *texts: str) -> list[str]:
        return str(self.assertRaises(SettingsError, parsed, texts)).splitlines()

    def test_values_have_the_type_of_the_option(self) -> None:
        found, warnings = parsed(
            ["ACTIVE_CONTROL=no", "min_efficient_power = 150", "MIN_DC_OUTPUT=40.5"]
        )
        self.assertEqual(
            found, {"active_control": False, "min_efficient_power": 150, "min_dc_output": 40.5}
        )
        self.assertEqual(warnings, [])

    def test_the_last_one_wins(self) -> None:
        self.assertEqual(parsed(["MIN_DC_OUTPUT=1", "MIN_DC_OUTPUT=2"])[0], {"min_dc_output": 2.0})

    def test_the_fail_safe_can_be_set_too(self) -> None:
        self.assertEqual(parsed(["FAILSAFE_POWER=-200"])[0], {"failsafe_power": -200.0})

    def test_what_is_no_setting_is_told(self) -> None:
        self.assertEqual(self.refused("foo"), ["--set expects KEY=VALUE, got 'foo'"])

    def test_an_unknown_key_is_told_with_what_may_be_meant(self) -> None:
        (line,) = self.refused("MIN_EFICIENT_POWER=1")
        self.assertIn("did you mean MIN_EFFICIENT_POWER?", line)

    def test_an_unknown_key_like_no_other_is_told_with_all_there_are(self) -> None:
        (line,) = self.refused("XYZ=1")
        self.assertIn("FAIR_DISTRIBUTION", line)

    def test_a_wrong_value_is_told_with_what_is_wanted(self) -> None:
        (line,) = self.refused("MIN_DC_OUTPUT=lots")
        self.assertEqual(line, "--set MIN_DC_OUTPUT=lots: this is a number of at least 0")

    def test_all_mistakes_are_told_at_once(self) -> None:
        self.assertEqual(len(self.refused("foo", "XYZ=1", "MIN_DC_OUTPUT=lots")), 3)

    def test_what_has_no_effect_is_warned_about(self) -> None:
        found, (warning,) = parsed(["BALANCE_GAIN=0.4"])
        self.assertEqual(found, {"balance_gain": 0.4})
        self.assertIn("BALANCE_GAIN has no effect", warning)

    def test_out_of_range_is_brought_into_it_with_a_warning(self) -> None:
        found, (warning,) = parsed(["MIN_DC_OUTPUT=-5"])
        self.assertEqual(found, {"min_dc_output": 0})
        self.assertEqual(warning, "MIN_DC_OUTPUT=-5.0 is taken as 0")
