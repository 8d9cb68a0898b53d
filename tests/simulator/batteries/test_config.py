"""What a battery may be: simulator.md section 4.3, marstek-devices.md section 1.2."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.config import BatteryConfig
from simulator.batteries.families import B2500, HMG, JUPITER, VNSA, VNSD, VNSE3, family_of
from tests.vectors import each

MAC = "02B250000001"

WRONG: list[dict[str, Any]] = [
    {"name": "phase", "set": {"phase": "E"}, "says": "invalid phase 'E'"},
    {"name": "no_phase", "set": {"phase": ""}, "says": "invalid phase ''"},
    {"name": "soc", "set": {"initial_soc": 1.2}, "says": "initial_soc must be 0.0-1.0, got 1.2"},
    {"name": "charge", "set": {"max_charge_w": -1}, "says": "power values must be >= 0"},
    {"name": "discharge", "set": {"max_discharge_w": -1}, "says": "power values must be >= 0"},
    {"name": "too_strong", "set": {"max_charge_w": 32768}, "says": "power values must be <= 32767"},
    {
        "name": "delay",
        "set": {"power_update_delay_polls": -1},
        "says": "power_update_delay_ticks must be >= 0, got -1",
    },
    {"name": "dc_max", "set": {"max_dc_input_w": -1}, "says": "max_dc_input must be >= 0, got -1"},
    {
        "name": "dc",
        "set": {"dc_input_w": 10.0},
        "says": "dc_input_power must be within [0, max_dc_input=0], got 10.0",
    },
    {"name": "ramp", "set": {"ramp_w_per_s": 0}, "says": "ramp_rate must be > 0"},
    {"name": "poll", "set": {"poll_interval_s": 0}, "says": "poll_interval must be > 0"},
    {"name": "jitter", "set": {"poll_jitter_s": -1}, "says": "poll_jitter_s must be >= 0"},
    {"name": "start", "set": {"startup_delay_s": -1}, "says": "startup_delay_s must be >= 0"},
    {"name": "not_a_number", "set": {"capacity_wh": float("nan")}, "says": "a finite number"},
    {"name": "endless", "set": {"poll_interval_s": float("inf")}, "says": "a finite number"},
    {"name": "type", "set": {"device_type": "HMX-1"}, "says": "'HMX-1' has no simulated law"},
    {"name": "law", "set": {"law": "old"}, "says": "invalid law 'old'; use field or classic"},
    {"name": "reads", "set": {"reads": ""}, "says": "invalid reads ''; use sum or own_phase"},
    {"name": "stepping", "set": {"stepping": "x"}, "says": "invalid stepping 'x'; use continuous"},
    {"name": "rest", "set": {"rest_w": -1}, "says": "rest_w must be >= 0, got -1"},
    {
        "name": "charging_b2500",
        "set": {"device_type": "HMA-1", "initial_power_w": -100},
        "says": "within the power limits",
    },
    {"name": "separator", "set": {"ct_type": "HME|4"}, "says": "ASCII characters without '|'"},
    {"name": "umlaut", "set": {"ct_mac": "ä"}, "says": "ASCII characters without '|'"},
    {"name": "long", "set": {"device_type": "HMG" * 20}, "says": "at most 30 ASCII"},
    {"name": "wired_to", "set": {"wired_to": "D"}, "says": "invalid wired_to 'D'"},
    {"name": "mode", "set": {"recharge_mode": 2}, "says": "recharge_mode must be 0"},
    {"name": "index", "set": {"report_index": -1}, "says": "report_index must be 0, 1 or 2"},
    {"name": "baseline", "set": {"baseline_w": 5}, "says": "HMG does not know it"},
    {"name": "min_soc", "set": {"min_soc": 1.0}, "says": "min_soc must be"},
    {"name": "efficiency", "set": {"efficiency": 0}, "says": "efficiency must be"},
    {"name": "motion", "set": {"initial_power_w": 900}, "says": "within the power limits"},
]


class Validation(SynchronousTestCase):
    @each(WRONG)
    def refused(self, case: dict[str, Any]) -> None:
        error = self.assertRaises(ValueError, BatteryConfig, MAC, **case["set"])
        self.assertTrue(str(error).startswith(f"Battery {MAC}: "), str(error))
        self.assertIn(case["says"], str(error))

    def test_the_mac_is_12_hexadecimal_digits_and_kept_in_capitals(self) -> None:
        for wrong in ("xx", "", "02B25000000", "02B2500000011", "02B25000000g", MAC + "\n"):
            error = self.assertRaises(ValueError, BatteryConfig, wrong)
            self.assertIn("Battery MAC must be 12 hex chars", str(error))
        self.assertEqual(BatteryConfig("02b250000001").mac, MAC)


class Settings(SynchronousTestCase):
    def test_families_by_prefix_in_any_case(self) -> None:
        for device_type, family in (
            ("HMG-50", HMG),
            ("hmg-25", HMG),
            ("VNSE3-0", VNSE3),
            ("VNSX-0", VNSE3),
            ("vnsa-0", VNSA),
            (" VNSD-0", VNSD),
            ("hmj-2", B2500),
            ("HMA-1", B2500),
            ("HMK-1", B2500),
            ("HMN-1", JUPITER),
            ("HMM-1", JUPITER),
            ("jpls-8H", JUPITER),
            ("HMX-1", None),
            ("", None),
        ):
            self.assertIs(family_of(device_type), family)

    def test_report_index_as_it_leaves_the_factory(self) -> None:
        for device_type, ct_type, index, wanted in (
            ("VNSE3-0", "HME-4", None, 0),
            ("VNSE3-0", "HME-3", None, 0),
            ("HMG-50", "HME-4", None, 1),
            ("HMG-50", "HME-3", None, 2),
            ("HMG-50", "HME-3", 0, 0),
            ("VNSE3-0", "HME-4", 3, 1),
            ("VNSE3-0", "HME-3", 255, 2),
        ):
            config = BatteryConfig(
                MAC, device_type=device_type, ct_type=ct_type, report_index=index
            )
            self.assertEqual(config.interval_index, wanted)

    def test_the_phase_it_is_wired_to(self) -> None:
        for phase, wired_to, wanted in (
            ("A", "", "A"),
            ("C", "", "C"),
            ("D", "", "A"),
            ("D", "B", "B"),
            ("0", "", "A"),
            ("A", "C", "C"),
        ):
            config = BatteryConfig(MAC, phase=phase, wired_to=wired_to)
            self.assertEqual(config.wired_phase, wanted)
