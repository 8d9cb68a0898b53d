"""The classic integrator of a Venus D: battery-firmware.md sections 6 and 11.3."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.battery import Battery
from simulator.batteries.classic.venus_d import Integrator
from tests.simulator.batteries.classic.rig import classic, exchange_steered
from tests.simulator.batteries.rig import datagram, numbers
from tests.vectors import each, load

VECTORS = load("battery-laws")


class GoldenVectors(SynchronousTestCase):
    @each(VECTORS["venus_d"])
    def integrator(self, case: dict[str, Any]) -> None:
        law = Integrator(case["ratio"], case["combined"], case["sp0"])
        found = []
        for error_w, measured_w, _ in case["steps"]:
            grid_w = error_w if measured_w is None else measured_w
            law.step(error_w, grid_w, case["lo"], case["hi"])
            found.append(law.setpoint_w)
        self.assertEqual(found, [setpoint_w for _, _, setpoint_w in case["steps"]])


class Branches(SynchronousTestCase):
    """At their edges; the setpoint is 100 before, the loop gain 50 percent."""

    def change(self, error_w: int, grid_w: int) -> int:
        law = Integrator(50, setpoint_w=100)
        law.step(error_w, grid_w, -800, 800)
        return law.setpoint_w - 100

    def test_import(self) -> None:
        self.assertEqual([self.change(21, 0), self.change(21, 1)], [5, 5])
        self.assertEqual([self.change(11, 1), self.change(10, 1)], [0, 0])
        self.assertEqual(self.change(21, -1), 21)

    def test_export(self) -> None:
        self.assertEqual([self.change(-20, 0), self.change(-20, -1)], [-10, -10])
        self.assertEqual(self.change(-20, 1), -20)
        self.assertEqual([self.change(-11, -1), self.change(-10, -1)], [-6, -15])

    def test_nothing_measured_or_nothing_to_do(self) -> None:
        self.assertEqual([self.change(5, 0), self.change(-5, 0), self.change(0, -5)], [0, 0, 0])

    def test_parking(self) -> None:
        for setpoint_w, wanted_w in ((10, 0), (-10, 0), (11, 11), (-11, -11)):
            law = Integrator(setpoint_w=setpoint_w)
            law.step(10, 10, -800, 800)
            self.assertEqual(law.setpoint_w, wanted_w)


class AsABattery(SynchronousTestCase):
    def venus_d(self, **changes: Any) -> Battery:
        return Battery(classic(device_type="VNSD-0", **changes))

    def test_it_acts_at_once_and_does_not_divide(self) -> None:
        battery = self.venus_d()
        exchange_steered(battery, 0.0, datagram(numbers((300, 0, 0), counts=(3, 0, 0, 0))))
        self.assertEqual(battery.setpoint_w, 295)

    def test_the_loop_gain_and_the_baseline_of_its_owner(self) -> None:
        battery = self.venus_d(ctrl_ratio=50, baseline_w=30)
        exchange_steered(battery, 0.0, 530)
        self.assertEqual(battery.setpoint_w, 245)

    def test_combined_it_parks_below_15(self) -> None:
        for phase, wanted in (("A", 7), ("D", 0)):
            battery = self.venus_d(phase=phase)
            exchange_steered(battery, 0.0, 12)
            self.assertEqual(battery.setpoint_w, wanted)

    def test_it_follows_limits_that_are_changed(self) -> None:
        battery = self.venus_d()
        battery.set_limits(300, 200)
        exchange_steered(battery, 0.0, 500)
        self.assertEqual(battery.setpoint_w, 200)
        exchange_steered(battery, 0.0, -900)
        self.assertEqual(battery.setpoint_w, -300)

    def test_a_unit_in_motion_goes_on_from_there_and_stops_when_taken_over(self) -> None:
        battery = self.venus_d(initial_power_w=400.0)
        exchange_steered(battery, 0.0, -100)
        self.assertEqual(battery.setpoint_w, 300)
        battery.force(0.0)
        battery.force(None)
        self.assertEqual(battery.setpoint_w, 0)


class Properties(SynchronousTestCase):
    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(
        st.integers(0, 120),
        st.booleans(),
        st.lists(
            st.tuples(
                st.one_of(st.integers(-3000, 3000), st.integers(-(10**200), 10**200)),
                st.integers(-3000, 3000),
            ),
            max_size=60,
        ),
    )
    def test_the_setpoint_stays_within_the_limits(
        self, ratio: int, combined: bool, steps: list[tuple[int, int]]
    ) -> None:
        law = Integrator(ratio, combined)
        for error_w, grid_w in steps:
            law.step(error_w, grid_w, -1200, 800)
            self.assertTrue(-1200 <= law.setpoint_w <= 800)
