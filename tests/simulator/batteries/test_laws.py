"""Whose law is whose, and what comes with it."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.acceptance import Rejection
from simulator.batteries.battery import Battery
from simulator.batteries.classic.b2500 import B2500
from simulator.batteries.classic.venus_c import VenusC
from simulator.batteries.classic.venus_d import VenusD
from simulator.batteries.config import BatteryConfig
from simulator.batteries.field import FieldRegulator
from simulator.batteries.law import Regulator
from simulator.batteries.laws import regulator_of
from simulator.batteries.outputs import B2500Regulator
from simulator.batteries.unknown import UnknownRegulator, draw_unknown
from simulator.batteries.variants import UnknownLaw
from tests.simulator.batteries.rig import MAC, config, datagram, exchange, numbers, steered


class Selection(SynchronousTestCase):
    def test_every_family_has_a_field_law_and_a_classic_one(self) -> None:
        wanted: list[tuple[str, type[Regulator], type[Regulator]]] = [
            ("HMG-50", FieldRegulator, VenusC),
            ("VNSE3-0", FieldRegulator, VenusC),
            ("VNSX-0", FieldRegulator, VenusC),
            ("VNSA-0", FieldRegulator, VenusC),
            ("VNSD-0", FieldRegulator, VenusD),
            ("HMN-1", FieldRegulator, VenusC),
            ("HMM-1", FieldRegulator, VenusC),
            ("JPLS-8H", FieldRegulator, VenusC),
            ("HMA-1", B2500Regulator, B2500),
            ("HMJ-2", B2500Regulator, B2500),
            ("HMK-1", B2500Regulator, B2500),
        ]
        for device_type, field, classic in wanted:
            for law, kind in (
                ("field", field),
                ("classic", classic),
                ("unknown", UnknownRegulator),
            ):
                found = regulator_of(BatteryConfig(MAC, device_type=device_type, law=law))
                self.assertIs(type(found), kind, (device_type, law))

    def test_the_field_law_is_the_default(self) -> None:
        self.assertEqual(BatteryConfig(MAC).law, "field")


class WithoutAPhase(SynchronousTestCase):
    def test_no_law_acts(self) -> None:
        for law in ("field", "classic", "unknown"):
            for device_type in ("HMG-50", "VNSD-0", "HMA-1", "HMN-1"):
                for phase in "05":
                    battery = Battery(config(law=law, device_type=device_type, phase=phase))
                    for now in range(5):
                        exchange(battery, float(now), steered(200))
                    self.assertEqual(battery.setpoint_w, 0, (law, device_type, phase))


class Jupiter(SynchronousTestCase):
    def jupiter(self, **changes: Any) -> Battery:
        return Battery(config(device_type="HMN-1", **changes))

    def run_at(self, battery: Battery, g: int) -> tuple[float, float]:
        for now in range(12):
            exchange(battery, float(now), steered(g))
        battery.advance(5)
        return battery.setpoint_w, battery.power_w

    def test_it_discharges_by_the_integer_law(self) -> None:
        battery = self.jupiter()
        exchange(battery, 0.0, steered(40))
        self.assertEqual(battery.setpoint_w, 35)

    def test_it_never_charges_from_the_house(self) -> None:
        self.assertEqual(self.run_at(self.jupiter(), -300), (0, 0))

    def test_the_predecessors_does(self) -> None:
        self.assertEqual(self.run_at(self.jupiter(law="classic"), -300)[1], -2500)


class Stepping(SynchronousTestCase):
    def test_by_polls_the_output_moves_once_a_poll_by_one_interval(self) -> None:
        battery = Battery(config(stepping="poll", poll_interval_s=2.0, ramp_w_per_s=10))
        exchange(battery, 0.0, steered(45))
        for now in (0.7, 1.5):
            battery.advance_to(now)
            self.assertEqual((battery.power_w, battery.power_w_at(now)), (0, 0))
        battery.poll(1.9)
        self.assertEqual((battery.power_w, battery.power_w_at(99.0)), (20, 20))

    def test_without_an_interval_of_its_own_it_is_that_of_the_firmware(self) -> None:
        battery = Battery(config(stepping="poll", ramp_w_per_s=10))
        exchange(battery, 0.0, steered(45))
        battery.poll(1.0)
        self.assertAlmostEqual(battery.power_w, 4.5)

    def test_a_driver_that_has_made_the_step_itself_does_not_get_another(self) -> None:
        by_itself, driven = (
            Battery(config(stepping="poll", poll_interval_s=1.0, ramp_w_per_s=10)) for _ in range(2)
        )
        for now in range(5):
            driven.advance(1.0)
            for battery in (by_itself, driven):
                battery.poll(float(now))
                battery.answer(steered(45), float(now))
        self.assertEqual((by_itself.power_w, driven.power_w), (40, 40))

    def test_a_delayed_update_waits_as_many_polls_in_both(self) -> None:
        found = []
        for stepping in ("poll", "continuous"):
            options: dict[str, Any] = {"stepping": stepping, "power_update_delay_polls": 2}
            battery = Battery(config(**options, poll_interval_s=1.0))
            powers_w = []
            for now in range(6):
                exchange(battery, float(now), steered(45 if now < 1 else 0))
                powers_w.append(battery.power_w)
            found.append(powers_w)
        self.assertEqual(found, [[0, 0, 40, 40, 40, 40]] * 2)


class Duplicates(SynchronousTestCase):
    def judged(self, **changes: Any) -> list[bool]:
        battery = Battery(config(**changes))
        found = []
        for index in (7, 7, 0, 0):
            battery.poll(0.0)
            found.append(battery.answer(steered(0, index), 0.0) is Rejection.DUPLICATE)
        return found

    def test_an_index_repeated_is_dropped_unless_it_is_0(self) -> None:
        self.assertEqual(self.judged(), [False, True, False, False])
        self.assertEqual(self.judged(law="classic"), [False, True, False, False])

    def test_or_not(self) -> None:
        self.assertEqual(self.judged(duplicate_drop=False), [False] * 4)


class Unknown(SynchronousTestCase):
    def setpoints(self, law: UnknownLaw, *readings: int, **changes: Any) -> list[float]:
        battery = Battery(config(law="unknown", unknown_law=law, **changes))
        found = []
        for now, g in enumerate(readings):
            exchange(battery, float(now), steered(g))
            found.append(battery.setpoint_w)
        return found

    def test_gain_deadband_and_steps(self) -> None:
        law = UnknownLaw(gain=0.5, deadband_w=20, up_w=100, down_w=300)
        self.assertEqual(
            self.setpoints(law, 20, 21, -20, 500, -900, -100),
            [0, 10.5, 10.5, 110.5, -189.5, -239.5],
        )

    def test_it_knows_its_limits(self) -> None:
        self.assertEqual(self.setpoints(UnknownLaw(), *[500] * 3, max_discharge_w=800)[-1], 800)
        self.assertEqual(self.setpoints(UnknownLaw(), -500, initial_soc=1.0), [0])

    def test_it_divides_what_it_shares(self) -> None:
        battery = Battery(config(law="unknown"))
        exchange(battery, 0.0, datagram(numbers((300, 0, 0), counts=(3, 0, 0, 0))))
        self.assertEqual(battery.setpoint_w, 100)

    def test_without_a_phase_it_does_nothing_and_a_lost_meter_stops_it(self) -> None:
        self.assertEqual(self.setpoints(UnknownLaw(), 300, phase="5"), [0])
        battery = Battery(config(law="unknown", initial_power_w=200.0))
        battery.poll(0.0)
        battery.poll(60.0)
        self.assertEqual((battery.meter_lost, battery.setpoint_w), (True, 0))

    def test_a_law_that_cannot_be(self) -> None:
        for wrong in (
            {"gain": 0.0},
            {"gain": float("inf")},
            {"up_w": -1.0},
            {"down_w": float("nan")},
            {"deadband_w": -1.0},
            {"deadband_w": float("inf")},
        ):
            self.assertRaises(ValueError, UnknownLaw, **wrong)


class Drawing(SynchronousTestCase):
    def drawn(self, seed: int, **changes: Any) -> BatteryConfig:
        return draw_unknown(Random(seed), config(**changes))

    def test_the_bounds_hold_and_are_made_use_of(self) -> None:
        drawn = [self.drawn(seed) for seed in range(1000)]
        for values, low, high in (
            ([one.unknown_law.gain for one in drawn], 0.3, 1.2),
            ([one.unknown_law.deadband_w for one in drawn], 0, 30),
            ([one.unknown_law.up_w for one in drawn], 30, 500),
            ([one.unknown_law.down_w for one in drawn], 60, 2500),
            ([one.startup_delay_s for one in drawn], 0, 6),
        ):
            margin = (high - low) / 100
            self.assertTrue(low <= min(values) < low + margin)
            self.assertTrue(high - margin < max(values) <= high)
        self.assertEqual({one.ramp_w_per_s for one in drawn}, {150, 400, 1000})
        self.assertEqual({one.poll_interval_s for one in drawn}, {0.5, 1, 2})

    def test_a_seed_gives_the_same_battery_again(self) -> None:
        self.assertEqual(self.drawn(5), self.drawn(5))
        self.assertNotEqual(self.drawn(5), self.drawn(6))

    def test_everything_else_stays(self) -> None:
        drawn = self.drawn(1, device_type="HMA-1", max_charge_w=0, initial_soc=0.7, phase="C")
        self.assertEqual(
            (drawn.mac, drawn.device_type, drawn.phase, drawn.initial_soc, drawn.law),
            (MAC, "HMA-1", "C", 0.7, "unknown"),
        )
