"""The plant: simulator.md sections 6.1 and 11, battery-firmware.md sections 9 and 10."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.config import BatteryConfig
from simulator.batteries.inverter import Inverter


def inverter(target_w: float = 0.0, **changes: Any) -> Inverter:
    """With the defaults of the interactive simulator: 200 W/s, 20 W, 2 s, 2560 Wh, half full."""
    plant = Inverter(BatteryConfig(mac="02B250000001", **changes))
    plant.target_w = target_w
    return plant


class Vectors(SynchronousTestCase):
    def test_target_500(self) -> None:
        plant, found = inverter(500), []
        for _ in range(6):
            plant.step(1.0)
            found.append((plant.power_w, round(plant.soc, 8)))
        wanted = [
            (0, 0.5),
            (200, 0.4999783),
            (400, 0.4999349),
            (500, 0.49988064),
            (500, 0.49982639),
            (500, 0.49977214),
        ]
        self.assertEqual([(power, round(soc, 7)) for power, soc in found[:3]], wanted[:3])
        self.assertEqual(found[3:], wanted[3:])

    def test_min_power_threshold(self) -> None:
        plant = inverter(19.9, startup_delay_s=0)
        plant.step(1.0)
        self.assertEqual(plant.power_w, 0)
        plant.target_w = 20
        plant.step(1.0)
        self.assertEqual(plant.power_w, 20)
        plant.target_w = 5
        plant.step(0.05)
        self.assertEqual(plant.power_w, 10)

    def test_full_with_solar_input_delivers_it_although_told_to_charge(self) -> None:
        plant = inverter(-500, initial_soc=1, dc_input_w=300, max_dc_input_w=800, startup_delay_s=0)
        plant.step(1.0)
        self.assertEqual((plant.power_w, plant.soc), (300, 1.0))

    def test_solar_input_charges_the_cells(self) -> None:
        plant = inverter(dc_input_w=300, max_dc_input_w=800)
        plant.step(3600.0)
        self.assertEqual((plant.power_w, plant.soc), (0, 0.6171875))


class Plant(SynchronousTestCase):
    def test_it_charges_and_discharges_within_its_limits(self) -> None:
        for target_w, wanted in ((5000, 800), (-5000, -600)):
            plant = inverter(target_w, max_charge_w=600, startup_delay_s=0)
            plant.step(100.0)
            self.assertEqual(plant.power_w, wanted)

    def test_full_does_not_charge_and_empty_does_not_discharge(self) -> None:
        for soc, target_w in ((1.0, -500), (0.0, 500)):
            plant = inverter(target_w, initial_soc=soc, startup_delay_s=0)
            plant.step(10.0)
            self.assertEqual((plant.power_w, plant.soc), (0, soc))
        self.assertEqual(inverter(initial_soc=1.0).low_w, 0)
        self.assertEqual(inverter(initial_soc=0.0).high_w, 0)
        self.assertEqual((inverter().low_w, inverter().high_w), (-800, 800))

    def test_it_stops_at_the_smallest_state_of_charge(self) -> None:
        plant = inverter(800, initial_soc=0.12, min_soc=0.11, startup_delay_s=0)
        for _ in range(600):
            plant.step(1.0)
        self.assertEqual(plant.power_w, 0)
        self.assertAlmostEqual(plant.soc, 0.11, places=3)
        self.assertEqual(plant.high_w, 0)

    def test_losses_cost_on_the_way_in_and_on_the_way_out(self) -> None:
        for target_w, cell_w in ((-500, -450), (450, 500)):
            plant = inverter(
                target_w, efficiency=0.9, startup_delay_s=0, ramp_w_per_s=10_000, capacity_wh=1000
            )
            plant.step(360.0)
            self.assertAlmostEqual(plant.soc, 0.5 - cell_w / 10_000)

    def test_without_capacity_the_state_of_charge_stands_still(self) -> None:
        plant = inverter(800, capacity_wh=0, startup_delay_s=0)
        plant.step(3600.0)
        self.assertEqual((plant.power_w, plant.soc), (800, 0.5))

    def test_a_start_begins_anew_when_the_wish_to_move_ends(self) -> None:
        plant = inverter(500)
        plant.step(1.9)
        plant.target_w = 0
        plant.step(0.1)
        plant.target_w = 500
        plant.step(1.9)
        self.assertEqual(plant.power_w, 0)
        plant.step(0.1)
        self.assertEqual(plant.power_w, 20)

    def test_short_steps_after_the_start_do_not_start_it_again(self) -> None:
        plant = inverter(500, ramp_w_per_s=10)
        plant.step(2.0)
        for _ in range(10):
            plant.step(0.1)
        self.assertAlmostEqual(plant.power_w, 30)

    def test_changing_direction_through_zero_needs_no_start(self) -> None:
        plant = inverter(-400, initial_power_w=400)
        plant.step(1.0)
        plant.step(3.0)
        self.assertEqual(plant.power_w, -400)

    def test_a_unit_started_in_motion_keeps_moving(self) -> None:
        plant = inverter(300, initial_power_w=300)
        plant.step(1.0)
        self.assertEqual(plant.power_w, 300)

    def test_asking_for_the_power_changes_nothing(self) -> None:
        watched, alone = inverter(500), inverter(500)
        for _ in range(5):
            for part in (0.1, 0.5, 1.9):
                watched.power_after(part, 500)
            for plant in (watched, alone):
                expected = plant.power_after(0.7, 500)
                plant.step(0.7)
                self.assertEqual(plant.power_w, expected)
            self.assertEqual((watched.power_w, watched.soc), (alone.power_w, alone.soc))
