"""The ramp law of a Venus C: battery-firmware.md sections 4, 11.1 and 11.2."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.battery import Battery
from simulator.batteries.classic.venus_c import RampLaw
from simulator.batteries.integer_law import divided
from tests.simulator.batteries.classic.rig import classic, exchange_steered
from tests.simulator.batteries.rig import datagram, numbers
from tests.vectors import each, load

VECTORS = load("battery-laws")
LIMIT_W = 2500.0
TABLE_W = [50.23, 50.12, 60.02, 180.30, 350.41, 410.35]


def law(charge_w: float = 0.0, highest_w: float = LIMIT_W, lowest_w: float = -LIMIT_W) -> RampLaw:
    return RampLaw(highest_w, -lowest_w, charge_w)


def signed(value: int) -> int:
    """The running minimum is compared without sign; the vectors write it with one."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


class GoldenVectors(SynchronousTestCase):
    @each(VECTORS["venus_c_ramp"])
    def ramp(self, case: dict[str, Any]) -> None:
        one = law(case["sp0"], case["hi"], case["lo"])
        for number, (g, *wanted) in enumerate(case["steps"]):
            one.regulate(g)
            found = [one.ramp, signed(one.lowest_g), signed(one.rise_g)]
            self.assertEqual(found, wanted[1:], f"step {number}")
            self.assertApproximates(one.charge_w, wanted[0], 6e-5, f"step {number}")

    @each(VECTORS["venus_c_gate"])
    def gate(self, case: dict[str, Any]) -> None:
        one = law()
        for number, (g, out_w, charge_w, ramp, last_g) in enumerate(case["steps"]):
            one.step(divided(g, case["nb"]), out_w)
            self.assertEqual([one.ramp, one.last_g], [ramp, last_g], f"step {number}")
            self.assertApproximates(one.charge_w, charge_w, 6e-5, f"step {number}")


class Law(SynchronousTestCase):
    def test_the_largest_steps_grow_with_each_step_in_one_direction(self) -> None:
        one, before_w, steps = law(), 0.0, []
        for _ in range(7):
            one.regulate(450)
            steps.append(round(before_w - one.charge_w, 2))
            before_w = one.charge_w
        self.assertEqual(steps, [*TABLE_W, TABLE_W[-1]])

    def test_every_setpoint_is_a_single_precision_number(self) -> None:
        one = law()
        one.regulate(300)
        one.regulate(300)
        self.assertNotEqual(one.charge_w, -100.35)
        self.assertEqual(one.charge_w, -100.3499984741211)

    def test_positive_ramps_cannot_be_reached_but_work(self) -> None:
        for ramp, change_w, after in ((1, 50.21, 2), (2, 100.01, 3), (4, 300.0, 5), (5, 300.0, 5)):
            one = law()
            one.ramp, one.last_g = ramp, 300
            one.regulate(300)
            self.assertEqual((round(one.charge_w, 2), one.ramp), (change_w, after))
        for ramp in (1, 3):
            one = law()
            one.ramp = ramp
            one.regulate(300)
            self.assertEqual(one.ramp, -1)

    def test_export_is_applied_in_full_at_once(self) -> None:
        one = law(-2000.0)
        one.regulate(-1900)
        self.assertEqual(one.charge_w, -100.0)

    def test_a_rise_after_a_fall_crawls_with_10_watts(self) -> None:
        one = law()
        for g in (40, -60, 40):
            before_w = one.charge_w
            one.regulate(g)
        self.assertEqual(before_w - one.charge_w, 10)

    def test_it_stands_at_its_limit_like_a_saw(self) -> None:
        one = law(-2500.0, lowest_w=-800.0)
        found = set()
        for _ in range(40):
            one.regulate(300)
            found.add(round(one.charge_w))
        self.assertEqual((min(found), max(found)), (-810, -700))

    def test_a_limit_of_0_drives_it_in_the_other_direction(self) -> None:
        one = law(highest_w=0.0)
        for _ in range(2):
            one.regulate(-200)
        self.assertEqual(one.charge_w, -100)


class Gate(SynchronousTestCase):
    def moved(self, *steps: tuple[int, int], rest_w: int = 20) -> list[bool]:
        one = RampLaw(LIMIT_W, LIMIT_W, rest_w=rest_w)
        found = []
        for g, out_w in steps:
            before_w = one.charge_w
            one.step(g, out_w)
            found.append(one.charge_w != before_w)
        return found

    def test_a_jump_of_more_than_50_is_held_unless_the_output_moved(self) -> None:
        self.assertEqual(self.moved((50, 0)), [True])
        self.assertEqual(self.moved((51, 0)), [False])
        self.assertEqual(self.moved((51, 19)), [False])
        self.assertEqual(self.moved((51, 20)), [True])
        self.assertEqual(self.moved((-40, 0), (20, 0)), [True, True])  # no spike up to 20
        self.assertEqual(self.moved((-40, 0), (21, 0)), [True, False])

    def test_a_steady_drift_is_held_for_ever(self) -> None:
        drift = [(100 * k, 0) for k in range(1, 20)]
        self.assertEqual(self.moved(*drift), [False] * 19)

    def test_a_resting_or_charging_unit_is_held_below_20(self) -> None:
        for out_w in (0, -300):
            self.assertEqual(self.moved((19, out_w), (-19, out_w)), [False, False])
        self.assertEqual(self.moved((-20, 0), (20, 0)), [True, True])

    def test_a_discharging_unit_is_held_from_0_to_9_only(self) -> None:
        self.assertEqual(self.moved((9, 50), (0, 50)), [False, False])
        self.assertEqual(self.moved((10, 50)), [True])
        self.assertEqual(self.moved((-1, 50)), [True])
        self.assertEqual(self.moved((-1, 1)), [True])

    def test_the_narrower_rest_of_a_venus_e(self) -> None:
        self.assertEqual(self.moved((-15, 0), (9, 0), (-9, 0), rest_w=10), [True, False, False])


class AsABattery(SynchronousTestCase):
    def test_it_divides_by_the_batteries_on_its_phase(self) -> None:
        battery = Battery(classic(phase="B"))
        exchange_steered(battery, 0.0, datagram(numbers((0, 99, 0), counts=(7, 3, 5, 9))))
        self.assertApproximates(battery.setpoint_w, 33, 1e-4)

    def test_it_reads_the_sum_or_its_own_phase(self) -> None:
        for phase, reads, wanted in (
            ("A", "sum", 48),
            ("C", "sum", 48),
            ("A", "own_phase", 40),
            ("B", "own_phase", -20),
            ("D", "sum", 48),
            ("D", "own_phase", 45),
        ):
            battery = Battery(classic(phase=phase, reads=reads))
            exchange_steered(battery, 0.0, datagram(numbers((40, -20, 28), total_w=45)))
            self.assertEqual(battery.setpoint_w, wanted, (phase, reads))

    def test_a_unit_in_motion_goes_on_from_there(self) -> None:
        battery = Battery(classic(initial_power_w=-200.0))
        self.assertEqual((battery.power_w, battery.setpoint_w), (-200, -200))
        exchange_steered(battery, 0.0, -40)
        self.assertEqual(battery.setpoint_w, -240)

    def test_its_window_is_that_of_its_first_limits(self) -> None:
        battery = Battery(classic(initial_power_w=300.0))
        battery.set_limits(2500, 100)
        for now in range(4):
            exchange_steered(battery, float(now), 45)
        self.assertEqual((battery.power_w, battery.setpoint_w), (100, 480))

    def test_its_setpoint_winds_up_while_the_inverter_cannot_follow(self) -> None:
        battery = Battery(classic(initial_soc=1.0))
        for now in range(6):
            exchange_steered(battery, float(now), -500)
        self.assertEqual((battery.power_w, battery.setpoint_w), (0, -2500))

    def test_silence_does_not_make_it_give_up(self) -> None:
        battery = Battery(classic(initial_power_w=300.0))
        for now in range(0, 600, 10):
            battery.advance_to(float(now))
            battery.poll(float(now))
        self.assertEqual((battery.power_w, battery.meter_lost), (300, False))

    def test_taken_over_and_given_back_it_begins_at_zero(self) -> None:
        battery = Battery(classic(initial_power_w=300.0))
        battery.force(100.0)
        battery.force(None)
        self.assertEqual(battery.setpoint_w, 0)
        exchange_steered(battery, 0.0, 40)
        self.assertEqual(battery.setpoint_w, 40)


class Properties(SynchronousTestCase):
    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(
        st.floats(0, 3000),
        st.floats(0, 3000),
        st.floats(-3000, 3000),
        st.lists(
            st.tuples(
                st.one_of(st.integers(-3000, 3000), st.integers(-(10**200), 10**200)),
                st.integers(-3000, 3000),
            ),
            max_size=60,
        ),
    )
    def test_the_setpoint_stays_finite_and_within_2500(
        self, charge_w: float, discharge_w: float, start_w: float, steps: list[tuple[int, int]]
    ) -> None:
        one = RampLaw(charge_w, discharge_w, start_w)
        for g, out_w in steps:
            one.step(g, out_w)
            self.assertTrue(math.isfinite(one.charge_w))
            self.assertLessEqual(abs(one.charge_w), LIMIT_W)
            self.assertTrue(-5 <= one.ramp <= 0)
