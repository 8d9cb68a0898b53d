"""When answers stop: marstek-devices.md section 1.8."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.battery import Battery
from tests.simulator.batteries.rig import config, exchange, steered

ON_AIR = 10.0
"""Seconds of good answers before the trouble begins."""


class Loss(SynchronousTestCase):
    def lost_after(
        self,
        device_type: str,
        period_s: float,
        answer: Callable[[int], bytes | None],
    ) -> float | None:
        """Seconds from the last good answer until the battery gives up, at most 200."""
        battery = Battery(config(device_type=device_type, initial_power_w=500))
        polls_on_air = round(ON_AIR / period_s)
        for poll in range(polls_on_air + round(200 / period_s)):
            good = poll <= polls_on_air
            before_w = battery.setpoint_w
            exchange(battery, poll * period_s, steered(0) if good else answer(poll))
            if battery.meter_lost:
                self.assertEqual(before_w, 500)
                self.assertLess(battery.setpoint_w, 0.02)
                battery.advance(10.0)
                self.assertEqual(battery.power_w, 0)
                return (poll - polls_on_air) * period_s
        return None

    def test_hmg_gives_up_25_seconds_after_the_last_good_answer(self) -> None:
        for period_s in (0.5, 1.0, 3.1):
            found = self.lost_after("HMG-50", period_s, lambda _: None)
            assert found is not None
            self.assertGreaterEqual(found, 25.0)
            self.assertLess(found, 25.0 + period_s)

    def test_e3_a_and_d_give_up_after_about_55_seconds_of_silence(self) -> None:
        for device_type in ("VNSE3-0", "VNSA-0", "VNSD-0"):
            for period_s in (0.45, 0.9, 1.0, 3.1):
                found = self.lost_after(device_type, period_s, lambda _: None)
                assert found is not None
                self.assertApproximates(found, 55, 1.0 + period_s)

    def test_e3_a_and_d_give_up_after_7_malformed_answers(self) -> None:
        for device_type in ("VNSE3-0", "VNSA-0", "VNSD-0"):
            found = self.lost_after(device_type, 1.0, lambda _: b"garbage")
            self.assertEqual(found, 8.0)  # the poll after the seventh

    def test_malformed_answers_are_silence_to_hmg(self) -> None:
        self.assertEqual(self.lost_after("HMG-50", 1.0, lambda _: b"garbage"), 25.0)

    def test_answers_of_another_ct_are_malformed(self) -> None:
        other = steered(0, ct_mac="000000000001")
        self.assertEqual(self.lost_after("VNSE3-0", 1.0, lambda _: other), 8.0)

    def test_a_repeated_index_freezes_a_battery_and_does_not_stop_it(self) -> None:
        for device_type in ("VNSE3-0", "HMG-50"):
            battery = Battery(config(device_type=device_type, initial_power_w=500))
            for poll in range(300):
                exchange(battery, float(poll), steered(300 if poll else 0, index=7))
            self.assertFalse(battery.meter_lost)
            self.assertEqual(battery.setpoint_w, 500)

    def test_a_good_answer_clears_all_strikes(self) -> None:
        battery = Battery(config())
        for poll in range(100):
            exchange(battery, float(poll), steered(0) if poll % 6 == 0 else b"garbage")
            self.assertFalse(battery.meter_lost)

    def test_it_follows_again_when_answers_come_back(self) -> None:
        battery = Battery(config())
        for poll in range(60):
            exchange(battery, float(poll), None)
        self.assertTrue(battery.meter_lost)
        exchange(battery, 60.0, steered(40))
        self.assertFalse(battery.meter_lost)
        self.assertEqual(battery.setpoint_w, 35)
