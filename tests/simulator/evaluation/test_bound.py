"""The least time that a plant needs, against what is known of the laws."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.battery import Battery
from simulator.batteries.config import BatteryConfig
from simulator.evaluation.bound import bound_s
from simulator.evaluation.scenarios import b2500, battery


def least_s(
    house_w: float, *configs: BatteryConfig, due_s: float = 0.5, law: str = "classic"
) -> float | None:
    batteries = [Battery(replace(c, law=law, stepping="poll"), 0.0) for c in configs]
    intervals = [c.poll_interval_s or 1.0 for c in configs]
    return bound_s(batteries, [due_s] * len(batteries), intervals, house_w, 0.0)


def moving(power_w: float, **more: object) -> BatteryConfig:
    given: dict[str, object] = {"inspection_polls": 0, "initial_power_w": power_w, **more}
    return replace(battery(0), **given)  # type: ignore[arg-type]


class Bounds(SynchronousTestCase):
    def test_who_is_there_needs_no_time(self) -> None:
        self.assertEqual(least_s(310, moving(300)), 0.0)

    def test_a_classic_venus_accelerates(self) -> None:
        # steering-research-observer.md section 9: 2000 W take some ten polls, whoever asks.
        found = least_s(2300, moving(300))
        assert found is not None
        self.assertTrue(8 <= found <= 12, found)

    def test_it_drops_as_fast_as_its_inverter_can(self) -> None:
        found = least_s(300, moving(2300))
        assert found is not None
        self.assertTrue(4 <= found <= 8, found)

    def test_two_are_faster_than_one(self) -> None:
        one = least_s(2300, moving(300))
        other = replace(moving(300), mac="02B250000002")
        two = least_s(2600, moving(300), other)
        assert one is not None
        assert two is not None
        self.assertLess(two, one)

    def test_todays_firmware_needs_one_step_and_its_ramp(self) -> None:
        found = least_s(1300, moving(300), law="field")
        assert found is not None
        self.assertTrue(3 <= found <= 6, found)

    def test_a_slow_poller_needs_longer(self) -> None:
        quick = least_s(1300, moving(300))
        slow = least_s(1300, moving(300, poll_interval_s=3.0))
        assert quick is not None
        assert slow is not None
        self.assertGreater(slow, 2 * quick)

    def test_small_steps_from_rest_are_begun_below_the_spike_filter(self) -> None:
        self.assertEqual(least_s(100, moving(0)), 2.5)

    def test_crossing_zero(self) -> None:
        self.assertEqual(least_s(-60, moving(800)), 3.5)

    def test_near_is_near_enough(self) -> None:
        self.assertIsNotNone(least_s(2520, moving(300)))
        self.assertIsNone(least_s(2530, moving(300)))

    def test_what_is_not_possible_has_none(self) -> None:
        self.assertIsNone(least_s(-500, moving(0, initial_soc=1.0)))
        self.assertIsNone(least_s(3000, moving(300)))
        self.assertIsNone(least_s(-500, replace(b2500(0), inspection_polls=0)))

    def test_the_batteries_themselves_are_not_touched(self) -> None:
        one = Battery(replace(moving(300), law="classic", stepping="poll"), 0.0)
        bound_s([one], [0.5], [1.0], 2300, 0.0)
        self.assertEqual((one.power_w, one.setpoint_w), (300.0, 300.0))
