"""Today's B2500: marstek-devices.md section 2.5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.battery import Battery
from simulator.batteries.variants import B2500Settings
from tests.simulator.batteries.rig import config, datagram, exchange, numbers, steered


def b2500(**changes: Any) -> Battery:
    return Battery(
        config(
            **{
                "device_type": "HMJ-2",
                "max_charge_w": 0,
                "max_discharge_w": 800,
                "max_dc_input_w": 1000,
                **changes,
            }
        )
    )


def setpoints(battery: Battery, readings: Sequence[int], every_s: float = 1.0) -> list[float]:
    found = []
    for number, g in enumerate(readings):
        exchange(battery, number * every_s, steered(g))
        found.append(battery.setpoint_w)
    return found


class Waking(SynchronousTestCase):
    def test_it_begins_off_and_sleeps_through_small_shares(self) -> None:
        self.assertEqual(setpoints(b2500(), [79] * 20), [0] * 20)

    def test_import_of_80_twice_wakes_it_at_80(self) -> None:
        self.assertEqual(setpoints(b2500(), [80, 80]), [0, 80])
        self.assertEqual(setpoints(b2500(), [500, 500]), [0, 80])

    def test_the_two_readings_have_to_be_consecutive(self) -> None:
        self.assertEqual(setpoints(b2500(), [80, 79, 80, 80]), [0, 0, 0, 80])

    def test_readings_closer_than_half_a_second_are_one(self) -> None:
        self.assertEqual(setpoints(b2500(), [80] * 4, every_s=0.3), [0, 0, 80, 80])
        self.assertEqual(setpoints(b2500(), [80] * 3, every_s=0.5), [0, 80, 160])

    def test_a_small_inverter_and_a_single_output_wake_earlier(self) -> None:
        for settings, smallest_w in (
            (B2500Settings(small_inverter=True), 40),
            (B2500Settings(single_output=True), 40),
            (B2500Settings(small_inverter=True, single_output=True), 20),
        ):
            found = setpoints(b2500(b2500=settings), [smallest_w - 1] * 3 + [smallest_w] * 2)
            self.assertEqual(found, [0, 0, 0, 0, smallest_w])

    def test_a_unit_that_begins_in_motion_is_awake(self) -> None:
        self.assertEqual(setpoints(b2500(initial_power_w=200.0), [50]), [250])


class Integration(SynchronousTestCase):
    def test_it_adds_the_reading_once_the_output_has_arrived(self) -> None:
        found = setpoints(b2500(initial_power_w=200.0), [100, 100, -50, -50])
        self.assertEqual(found, [300, 400, 350, 300])

    def test_it_waits_while_the_output_is_on_its_way(self) -> None:
        battery = b2500(initial_power_w=200.0, ramp_w_per_s=50)
        self.assertEqual(setpoints(battery, [100, 100, 100]), [300, 300, 400])

    def test_an_output_within_9_watts_has_arrived(self) -> None:
        for short_w, wanted_w in ((9, 320), (10, 300)):
            battery = b2500(initial_power_w=200.0)
            exchange(battery, 0.0, steered(100))
            self.kept_down(battery, 1.0, 20, 300 - short_w)
            self.assertEqual(battery.setpoint_w, wanted_w)

    def test_after_6_seconds_it_starts_from_where_the_output_is(self) -> None:
        battery = b2500(initial_power_w=200.0)
        battery.begin(100.0)
        exchange(battery, 100.0, steered(300))
        found = []
        for now in range(101, 108):
            self.kept_down(battery, float(now), 20, 250)
            found.append(battery.setpoint_w)
        self.assertEqual(found, [500, 500, 500, 500, 500, 270, 270])

    def test_it_stays_between_80_and_800(self) -> None:
        self.assertEqual(setpoints(b2500(initial_power_w=200.0), [-500]), [80])
        self.assertEqual(setpoints(b2500(initial_power_w=200.0), [5000]), [800])
        battery = b2500(initial_power_w=200.0, max_discharge_w=2500)
        self.assertEqual(setpoints(battery, [5000]), [800])

    def test_a_limit_below_80_wins(self) -> None:
        self.assertEqual(setpoints(b2500(max_discharge_w=60), [80, 80]), [0, 60])

    def test_a_weak_output_doubles_the_gain_unless_it_is_the_only_one(self) -> None:
        for single, power_w, wanted_w in (
            (False, 35, 75),
            (False, 36, 56),
            (True, 35, 55),
        ):
            settings = B2500Settings(small_inverter=True, single_output=single)
            battery = b2500(initial_power_w=200.0, b2500=settings)
            for now in (100.0, 105.4, 106.0):
                self.kept_down(battery, now, 20, power_w)
            self.assertEqual(battery.setpoint_w, wanted_w)

    def kept_down(self, battery: Battery, now: float, g: int, power_w: float) -> None:
        """An exchange while something keeps the output down that the unit does not know of."""
        battery.set_limits(0, power_w)
        battery.advance_to(now)
        battery.set_limits(0, 800)
        battery.poll(now)
        battery.answer(steered(g), now)

    def test_it_does_not_divide_and_reads_the_house_or_its_phase(self) -> None:
        answer = datagram(numbers((30, 10, 20), counts=(3, 0, 0, 0), discharge_w=(0, 9, 0, 0, 0)))
        for mode, wanted_w in ((1, 260), (0, 230)):
            battery = b2500(initial_power_w=200.0, recharge_mode=mode)
            exchange(battery, 0.0, answer)
            self.assertEqual(battery.setpoint_w, wanted_w)

    def test_without_a_phase_it_does_nothing(self) -> None:
        self.assertEqual(setpoints(b2500(phase="5"), [500] * 5), [0] * 5)


class Standby(SynchronousTestCase):
    def test_5_readings_of_export_at_80_watts_send_it_to_8(self) -> None:
        found = setpoints(b2500(initial_power_w=80.0), [-11] * 5)
        self.assertEqual(found, [80, 80, 80, 80, 8])

    def test_export_of_10_does_not(self) -> None:
        self.assertEqual(setpoints(b2500(initial_power_w=80.0), [-10] * 9), [80] * 9)

    def test_a_reading_without_export_starts_the_count_again(self) -> None:
        found = setpoints(b2500(initial_power_w=80.0), [-20] * 4 + [0] + [-20] * 5)
        self.assertEqual(found, [80] * 9 + [8])

    def test_the_owner_sets_how_many(self) -> None:
        battery = b2500(initial_power_w=80.0, b2500=B2500Settings(standby_passes=3))
        self.assertEqual(setpoints(battery, [-20] * 3), [80, 80, 8])

    def test_a_single_output_keeps_4_watts(self) -> None:
        settings = B2500Settings(single_output=True)
        battery = b2500(initial_power_w=40.0, b2500=settings)
        self.assertEqual(setpoints(battery, [-20] * 5)[-1], 4)

    def test_it_wakes_from_standby_as_from_off(self) -> None:
        found = setpoints(b2500(initial_power_w=80.0), [-20] * 5 + [100, 100])
        self.assertEqual(found[-2:], [8, 80])

    def test_full_it_lets_its_panels_through_although_asleep(self) -> None:
        battery = b2500(initial_soc=1.0, dc_input_w=300.0)
        setpoints(battery, [-300] * 5)
        self.assertEqual((battery.setpoint_w, battery.power_w), (0, 300))

    def test_awake_and_full_it_learns_what_its_panels_deliver(self) -> None:
        battery = b2500(initial_soc=1.0, dc_input_w=300.0, initial_power_w=100.0)
        found = setpoints(battery, [0] * 8)
        self.assertEqual((found[1], found[-1], battery.power_w), (100, 300, 300))

    def test_empty_it_is_off_and_has_to_be_woken(self) -> None:
        battery = b2500(initial_power_w=300.0, initial_soc=0.1, min_soc=0.1)
        self.assertEqual(setpoints(battery, [100, 100]), [0, 0])
        battery.set_soc(0.2)
        exchange(battery, 2.0, steered(100))
        self.assertEqual(battery.setpoint_w, 0)
        exchange(battery, 3.0, steered(100))
        self.assertEqual(battery.setpoint_w, 80)

    def test_a_lost_meter_turns_it_off(self) -> None:
        battery = b2500(initial_power_w=300.0)
        battery.poll(0.0)
        battery.poll(26.0)
        self.assertEqual((battery.meter_lost, battery.setpoint_w), (True, 0))

    def test_it_cannot_be_charged_from_the_house(self) -> None:
        battery = b2500(max_charge_w=800)
        self.assertEqual(battery.limits_w, (0, 800))
        battery.set_limits(800, 400)
        self.assertEqual(battery.limits_w, (0, 400))
        battery.force(-300)
        battery.advance(10.0)
        self.assertEqual(battery.power_w, 0)


class Settings(SynchronousTestCase):
    def test_standby_passes_out_of_range(self) -> None:
        for passes in (2, 11):
            error = self.assertRaises(ValueError, B2500Settings, standby_passes=passes)
            self.assertIn("standby_passes must be 3..10", str(error))
