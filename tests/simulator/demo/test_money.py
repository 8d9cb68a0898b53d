"""The books of the house."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.battery import Battery
from simulator.demo.money import Money
from simulator.house import venus


class Books(SynchronousTestCase):
    def setUp(self) -> None:
        self.battery = Battery(venus(1, "A", 0.5, capacity_wh=5000.0, efficiency=0.95))
        self.money = Money([self.battery])

    def test_with_and_without_batteries(self) -> None:
        self.money.note(100.0, 1000.0, [900.0], 0.0)
        self.money.note(0.0, 0.0, [0.0], 3600.0)
        look = self.money.look()
        self.assertAlmostEqual(look.cost_ct, 3.0)
        self.assertAlmostEqual(look.without_ct, 30.0)
        self.assertAlmostEqual(look.import_wh, 100.0)
        self.assertAlmostEqual(look.saved_ct, 27.0)

    def test_what_is_sold_earns_less(self) -> None:
        self.money.note(0.0, -1000.0, [-1000.0], 0.0)
        self.money.note(0.0, 0.0, [0.0], 3600.0)
        look = self.money.look()
        self.assertEqual((look.cost_ct, look.without_ct), (0.0, -8.0))

    def test_stored_energy_is_worth_what_it_replaces(self) -> None:
        self.battery.set_soc(0.7)
        look = self.money.look()
        self.assertAlmostEqual(look.stored_wh, 1000.0)
        self.assertAlmostEqual(look.stored_ct, 30 * 0.95)
        self.assertAlmostEqual(look.saved_ct, 30 * 0.95)

    def test_the_rate_is_how_fast_the_saving_grows(self) -> None:
        for grid_w, house_w, power_w in (
            (0.0, -1000.0, -1000.0),
            (100.0, 900.0, 800.0),
            (-50.0, -50.0, 0.0),
        ):
            battery = Battery(venus(1, "A", 0.5, startup_delay_s=0.0, ramp_w_per_s=1e9))
            money = Money([battery])
            battery.force(power_w)
            battery.advance(1e-9)
            money.note(grid_w, house_w, [power_w], 0.0)
            rate = money.look().saving_ct_per_h
            battery.advance(360.0)
            money.note(0.0, 0.0, [0.0], 360.0)
            self.assertAlmostEqual(money.look().saved_ct, rate / 10, 6)

    def test_a_house_without_batteries_saves_nothing(self) -> None:
        money = Money([])
        money.note(500.0, 500.0, [], 0.0)
        money.note(0.0, 0.0, [], 60.0)
        look = money.look()
        self.assertEqual((look.saved_ct, look.saving_ct_per_h), (0.0, 0.0))
