"""House, batteries and the grid connection: simulator.md section 5, evaluation.md section 5."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.wire import decode
from simulator.batteries.battery import Battery
from simulator.batteries.config import BatteryConfig
from simulator.gridmeter import GridMeter
from simulator.household import Household, Load
from simulator.site import Ledger, Site
from tests.simulator.batteries.rig import steered


class Fixed:
    """Delivers the same all the time."""

    def __init__(self, wired_phase: str, power_w: float) -> None:
        self.wired_phase = wired_phase
        self.power_w = power_w

    def power_w_at(self, now: float) -> float:
        return self.power_w


def quiet_house(*base_w: float) -> Household:
    return Household(Random(1), base_load_w=base_w, base_noise_w=0)


class Grid(SynchronousTestCase):
    def test_what_batteries_deliver_is_taken_off_their_phase(self) -> None:
        site = Site(
            quiet_house(500, 300, 100),
            [Fixed("A", 200), Fixed("A", 100.04), Fixed("B", -800), Fixed("C", 150)],
        )
        self.assertEqual(site.grid_at(0.0), (200.0, 1100.0, -50.0))
        self.assertEqual(site.grid_w, (200.0, 1100.0, -50.0))
        self.assertEqual(site.house_w, (500.0, 300.0, 100.0))

    def test_it_is_rounded_to_a_tenth_of_a_watt_half_even(self) -> None:
        self.assertEqual(Site(quiet_house(0.25, 0.35, -0.06), []).grid_at(0.0), (0.2, 0.3, -0.1))

    def test_a_combined_battery_counts_where_it_is_wired(self) -> None:
        battery = Battery(
            BatteryConfig("02B250000001", phase="D", wired_to="C", initial_power_w=300)
        )
        self.assertEqual(Site(quiet_house(0, 0, 500), [battery]).grid_at(0.0), (0, 0, 200))

    def test_batteries_are_seen_as_they_are_at_that_moment(self) -> None:
        battery = Battery(BatteryConfig("02B250000001", initial_power_w=800))
        site = Site(quiet_house(800), [battery])
        battery.force(0.0)
        self.assertEqual([site.grid_at(t)[0] for t in (0.0, 0.5, 1.0)], [0, 100, 200])


class Books(SynchronousTestCase):
    def test_import_and_export_are_counted_apart(self) -> None:
        ledger = Ledger()
        for power_w, now in ((1000, 0.0), (-500, 1800.0), (0, 5400.0), (0, 9999.0)):
            ledger.note(power_w, now)
        self.assertEqual((ledger.import_wh, ledger.export_wh), (500, 500))
        self.assertEqual(ledger.cost_ct, (30 * 500 - 8 * 500) / 1000)

    def test_a_house_alone(self) -> None:
        site = Site(quiet_house(100), [])
        for second in range(3601):
            site.grid_at(float(second))
        self.assertAlmostEqual(site.ledger.import_wh, 100)
        self.assertAlmostEqual(site.ledger.cost_ct, 3.0)
        self.assertEqual(site.ledger.export_wh, 0)

    def test_phases_are_netted_as_a_billing_meter_does(self) -> None:
        site = Site(quiet_house(500, -500, 0), [])
        for second in range(100):
            site.grid_at(float(second))
        self.assertEqual((site.ledger.import_wh, site.ledger.export_wh), (0, 0))

    def test_own_prices(self) -> None:
        ledger = Ledger(import_ct_per_kwh=40, export_ct_per_kwh=0)
        ledger.note(1000, 0)
        ledger.note(0, 3600)
        self.assertEqual(ledger.cost_ct, 40)

    def test_energy_is_conserved(self) -> None:
        """What a lossless battery delivers is missing in its cells."""
        battery = Battery(BatteryConfig("02B250000001", initial_power_w=600, capacity_wh=5000))
        site = Site(quiet_house(1000), [battery])
        for second in range(3601):
            battery.advance_to(float(second))
            site.grid_at(float(second))
        self.assertAlmostEqual(site.ledger.import_wh, 400, places=6)
        self.assertAlmostEqual(battery.soc, 0.5 - 600 / 5000)


class Together(SynchronousTestCase):
    """The plant in a closed loop, with a CT that only passes the meter on."""

    def run_day(self, seed: int, seconds: int, **options: Any) -> tuple[list[bytes], Site]:
        battery = Battery(
            BatteryConfig(
                "02B250000001",
                device_type="VNSE3-0",
                max_charge_w=2500,
                max_discharge_w=2500,
                capacity_wh=5120,
                **options,
            )
        )
        house = Household(
            Random(seed), base_load_w=(300,), loads=[Load("Kettle", 2000, "A")], base_noise_w=10
        )
        site = Site(house, [battery])
        meter = GridMeter(site.grid_at, 1.0, 0.5)
        requests = []
        for second in range(seconds):
            now = second + 0.5
            if second in (200, 380):
                house.toggle_load(1)
            battery.advance_to(now)
            request = battery.poll(now)
            requests.append(request)
            battery.answer(steered(round(meter.read(now).watts[0])), now)
        return requests, site

    def test_a_relayed_battery_covers_the_house(self) -> None:
        requests, site = self.run_day(1, 180)
        powers = [int(decode(request)[5]) for request in requests]
        self.assertEqual(powers[0], 0)
        for power_w in powers[-60:]:
            self.assertApproximates(power_w, 300, 60)
        self.assertLess(abs(site.grid_w[0]), 60)

    def test_it_follows_a_kettle(self) -> None:
        requests, site = self.run_day(1, 600)
        powers = [int(decode(request)[5]) for request in requests]
        self.assertApproximates(powers[370], 2300, 60)
        self.assertApproximates(powers[590], 300, 60)
        consumed_wh = (600 * 300 + 180 * 2000) / 3600
        self.assertLess(site.ledger.import_wh, 0.2 * consumed_wh)

    def test_same_seed_same_bytes(self) -> None:
        first, second, other = (self.run_day(seed, 300)[0] for seed in (1, 1, 2))
        self.assertEqual(first, second)
        self.assertNotEqual(first, other)
