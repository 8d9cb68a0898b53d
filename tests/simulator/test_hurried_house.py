"""A house whose day passes faster than the clock, or stands still."""

from __future__ import annotations

import math
from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.battery import Battery
from simulator.dayprofile import (
    CLOUD_EDGE_S,
    DAY_S,
    HOUR_S,
    Cloud,
    Day,
    DayDriver,
    house_loads,
    plan_day,
)
from simulator.house import House, Plan, venus
from simulator.household import Household
from simulator.world import World

CT = ("192.168.1.2", 12345)


class Pace(SynchronousTestCase):
    def lengths_s(self, name: str, pace: float) -> list[float]:
        """How long a load is on each time."""
        switchings = [one for one in plan_day(Random(7), pace).switchings if one.name == name]
        pairs = zip(switchings[::2], switchings[1::2], strict=False)
        return [off.at_s - on.at_s for on, off in pairs if on.active]

    def test_what_takes_seconds_keeps_its_rhythm_on_the_clock(self) -> None:
        for pace in (1.0, 20.0):
            drum_s = sorted(self.lengths_s("Washer drum", pace))
            self.assertTrue(8 < drum_s[len(drum_s) // 2] / pace < 16, drum_s)
            self.assertEqual(
                {cloud.edge_s for cloud in plan_day(Random(7), pace).clouds}, {20 * pace}
            )

    def test_what_takes_minutes_keeps_its_place_in_the_day(self) -> None:
        for name in ("Kettle", "Washer heater", "Fridge", "Dishwasher"):
            slow, fast = self.lengths_s(name, 1.0), self.lengths_s(name, 20.0)
            self.assertApproximates(sum(slow), sum(fast), 0.35 * sum(slow), name)

    def test_the_edge_of_a_cloud_is_as_long_as_it_says(self) -> None:
        at_s = 13 * HOUR_S
        clear = Day((), ()).sun(at_s + 200)
        for edge_s, part in ((CLOUD_EDGE_S, 0.5), (400.0, 0.75)):
            day = Day((), (Cloud(at_s, at_s + 1000, 0.5, edge_s),))
            self.assertAlmostEqual(day.sun(at_s + 200) / clear, part)


class Driver(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.household = Household(Random(1), base_noise_w=0, loads=house_loads(), solar_max_w=9000)
        self.driver = DayDriver(
            self.household, self.clock, Random(1), solar_peak_w=4000, start_s=10 * HOUR_S, speed=20
        )

    def start(self) -> None:
        self.driver.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        self.driver.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def run_for(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.clock.advance(0.1)

    def test_another_speed_goes_on_from_the_same_time(self) -> None:
        self.start()
        self.run_for(30)
        self.assertApproximates(self.driver.second_of_day, 10 * HOUR_S + 600, 0.1)
        self.driver.set_speed(60)
        self.assertEqual(self.driver.speed, 60)
        self.assertApproximates(self.driver.second_of_day, 10 * HOUR_S + 600, 0.1)
        self.run_for(10)
        self.assertApproximates(self.driver.second_of_day, 10 * HOUR_S + 1200, 0.1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_at_0_the_day_stands_still_and_nothing_is_scheduled(self) -> None:
        self.start()
        self.run_for(30)
        self.driver.set_speed(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        on = [load.active for load in self.household.loads]
        self.clock.advance(10_000)
        self.assertApproximates(self.driver.second_of_day, 10 * HOUR_S + 600, 0.1)
        self.assertEqual([load.active for load in self.household.loads], on)
        self.driver.set_speed(1)
        self.run_for(5)
        self.assertApproximates(self.driver.second_of_day, 10 * HOUR_S + 605, 0.1)

    def test_the_day_ends_at_midnight_after_any_change(self) -> None:
        self.start()
        first = self.driver.day
        self.driver.set_speed(3600)
        self.run_for(10)
        self.driver.set_speed(7200)
        self.run_for(5)
        self.assertNotEqual(self.driver.day, first)
        self.assertApproximates(self.driver.second_of_day, 6 * HOUR_S, 800)
        self.assertLess(self.driver.second_of_day, DAY_S)

    def test_before_it_has_started(self) -> None:
        self.driver.set_speed(1)
        self.driver.set_solar_peak(2000)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.start()
        self.run_for(10)
        self.assertApproximates(self.driver.second_of_day, 10 * HOUR_S + 10, 0.1)

    def test_other_panels_shine_at_once_even_while_the_day_stands_still(self) -> None:
        self.start()
        self.driver.set_speed(0)
        before_w = self.household.solar_w
        self.driver.set_solar_peak(2000)
        self.assertEqual(self.driver.solar_peak_w, 2000)
        self.assertApproximates(self.household.solar_w, before_w / 2, 1)

    def test_what_is_no_speed_is_refused(self) -> None:
        for speed in (-1.0, math.inf, math.nan):
            self.assertRaises(ValueError, self.driver.set_speed, speed)


class Batteries(SynchronousTestCase):
    def charged_wh(self, speed: float, later: float | None = None) -> float:
        """What half a minute of charging brings, as the battery's own size tells it."""
        world = World(1)
        config = venus(1, "A", 0.5, efficiency=1.0)
        plan = Plan((config,), speed=speed)
        house = House(plan, world, [world.host("192.168.1.11")], CT, world.random)
        if later is not None:
            house.set_speed(later)
            self.assertEqual(house.day.speed, later)
        battery = house.batteries[0]
        battery.force(-1000)
        battery.advance(10.0)
        before = battery.soc
        battery.advance(36.0)
        return (battery.soc - before) * config.capacity_wh

    def test_what_is_stored_keeps_to_the_day(self) -> None:
        self.assertApproximates(self.charged_wh(1.0), 10, 0.01)
        self.assertApproximates(self.charged_wh(20.0), 200, 0.01)
        self.assertApproximates(self.charged_wh(1.0, later=5.0), 50, 0.01)

    def test_while_the_day_stands_still_so_does_what_is_stored(self) -> None:
        self.assertEqual(self.charged_wh(20.0, later=0.0), 0.0)

    def test_what_is_no_capacity_is_refused(self) -> None:
        battery = Battery(venus(1, "A"))
        for capacity_wh in (-1.0, math.nan):
            self.assertRaises(ValueError, battery.set_capacity, capacity_wh)

    def test_a_poller_that_was_never_answered_knows_no_round_trip(self) -> None:
        world = World(1)
        house = House(Plan((venus(1, "A"),)), world, [world.host("192.168.1.11")], CT, world.random)
        self.assertIsNone(house.pollers[0].round_trip_s)
