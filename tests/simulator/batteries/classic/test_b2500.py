"""The classic outputs of a B2500: battery-firmware.md sections 7 and 11.4."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.battery import Battery
from simulator.batteries.classic.b2500 import Output, output_w
from simulator.batteries.variants import B2500Settings
from tests.simulator.batteries.classic.rig import classic, exchange_steered
from tests.vectors import each, load

VECTORS = load("battery-laws")["b2500"]
OUTPUTS = [case for case in VECTORS if "steps" in case]
LOOPS = [case for case in VECTORS if "outputs" in case]
PAIRS = [case for case in VECTORS if "pairs" in case]


class GoldenVectors(SynchronousTestCase):
    @each(OUTPUTS)
    def output(self, case: dict[str, Any]) -> None:
        output = Output(case["max"], command=case["cmd0"])
        found = []
        for _ in case["steps"]:
            output.step(case["setpoint"], output_w(output.command))
            found.append([output.command, output_w(output.command)])
        self.assertEqual(found, case["steps"])

    @each(LOOPS)
    def closed_loop(self, case: dict[str, Any]) -> None:
        output = Output(800)
        found = []
        for _ in case["outputs"]:
            own_w = output_w(output.command)
            output.step(min(max(own_w + (300 - own_w) * 9 // 10, 0), 800), own_w)
            found.append(output_w(output.command))
        self.assertEqual(found, case["outputs"])

    @each(PAIRS)
    def delivers(self, case: dict[str, Any]) -> None:
        for command, wanted_w in case["pairs"]:
            self.assertEqual(output_w(command), wanted_w)


class AsABattery(SynchronousTestCase):
    def b2500(self, **changes: Any) -> Battery:
        return Battery(
            classic(
                **{
                    "device_type": "HMA-1",
                    "max_charge_w": 0,
                    "max_discharge_w": 800,
                    "max_dc_input_w": 1000,
                    **changes,
                }
            )
        )

    def run_at(self, battery: Battery, g: int, polls: int) -> list[float]:
        found = []
        for now in range(polls):
            exchange_steered(battery, float(now), g)
            found.append(battery.setpoint_w)
        return found

    def test_it_moves_34_watts_an_answer_and_stops_at_its_limit(self) -> None:
        found = self.run_at(self.b2500(), 300, 30)
        self.assertEqual(found[:4], [52, 86, 120, 154])
        self.assertEqual(found[-1], 798)  # another step needs 10 W more on each output

    def test_it_never_charges_and_idles_at_18_watts(self) -> None:
        battery = self.b2500(initial_power_w=200.0)
        self.assertEqual(self.run_at(battery, -400, 20)[-1], 0)
        self.assertEqual(self.run_at(self.b2500(), -400, 20), [18] * 20)
        battery.force(-500)
        battery.advance(10)
        self.assertEqual(battery.power_w, 0)

    def test_it_stays_where_the_difference_is_small(self) -> None:
        battery = self.b2500(initial_power_w=100.0)
        self.assertEqual(battery.setpoint_w, 100)
        self.assertEqual(self.run_at(battery, 24, 1), [18])  # its outputs begin at 9 W each

    def test_full_it_lets_its_panels_through(self) -> None:
        battery = self.b2500(initial_soc=1.0, dc_input_w=400.0)
        self.assertEqual(self.run_at(battery, -300, 40)[-1], 52)  # raised while it was at 0
        self.assertEqual(battery.power_w, 400)

    def test_it_reads_no_panels_before_it_is_full(self) -> None:
        battery = self.b2500(dc_input_w=400.0)
        self.assertEqual(self.run_at(battery, 0, 3), [18, 18, 18])

    def test_a_command_below_zero_ends_at_zero_or_wraps(self) -> None:
        for wraps, wanted_w in ((False, 0), (True, 800)):
            battery = self.b2500(initial_power_w=700.0, b2500=B2500Settings(channel_wraps=wraps))
            exchange_steered(battery, 0.0, -700)
            self.assertEqual(battery.setpoint_w, wanted_w)

    def test_a_limit_changed_by_its_owner_bounds_what_is_wanted(self) -> None:
        battery = self.b2500()
        battery.set_limits(0, 200)
        self.assertLessEqual(max(self.run_at(battery, 300, 30)), 220)

    def test_taken_over_and_given_back_it_delivers_nothing(self) -> None:
        battery = self.b2500(initial_power_w=200.0)
        battery.force(0)
        battery.force(None)
        self.assertEqual(battery.setpoint_w, 0)


class Properties(SynchronousTestCase):
    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(
        st.integers(1, 16000),
        st.booleans(),
        st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 4000)), max_size=60),
    )
    def test_an_output_stays_between_nothing_and_its_largest_power(
        self, largest_w: int, wraps: bool, steps: list[tuple[int, int]]
    ) -> None:
        output = Output(min(largest_w, 6000), wraps)
        for wanted_w, own_w in steps:
            output.step(wanted_w, own_w)
            if not wraps:
                self.assertTrue(0 <= output_w(output.command) <= largest_w)
            self.assertTrue(0 <= output.command <= 0xFFFF)
