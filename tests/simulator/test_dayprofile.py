"""A believable day, and the driver that lives it."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.application.service import IService
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from simulator.dayprofile import (
    DAY_S,
    HOUR_S,
    SUNRISE_S,
    SUNSET_S,
    Day,
    DayDriver,
    house_loads,
    plan_day,
)
from simulator.household import Household

SEEDS = st.integers(0, 2**32)


def house() -> Household:
    return Household(Random(1), base_noise_w=0, loads=house_loads(), solar_max_w=5000)


def energy_wh(day: Day) -> dict[str, float]:
    """What each load takes in a day."""
    power_w = {load.name: load.power_w for load in house_loads()}
    since: dict[str, float] = {}
    taken = dict.fromkeys(power_w, 0.0)
    for one in day.switchings:
        if one.active:
            since.setdefault(one.name, one.at_s)
        elif one.name in since:
            taken[one.name] += power_w[one.name] * (one.at_s - since.pop(one.name)) / HOUR_S
    for name, at_s in since.items():
        taken[name] += power_w[name] * (DAY_S - at_s) / HOUR_S
    return taken


class Plan(SynchronousTestCase):
    @settings(deadline=None, derandomize=True, max_examples=30)
    @given(SEEDS)
    def test_every_day_is_in_order_and_knows_only_loads_of_the_house(self, seed: int) -> None:
        day = plan_day(Random(seed))
        names = {load.name for load in house_loads()}
        times = [one.at_s for one in day.switchings]
        self.assertEqual(times, sorted(times))
        self.assertTrue(0 <= times[0] <= times[-1] < DAY_S)
        self.assertLessEqual({one.name for one in day.switchings}, names)
        self.assertLess(len(times), 2000)
        for one, following in pairwise(day.clouds):
            self.assertLess(one.start_s, one.end_s)
            self.assertLess(one.end_s, following.start_s)

    @settings(deadline=None, derandomize=True, max_examples=30)
    @given(SEEDS)
    def test_a_house_takes_between_5_and_15_kilowatt_hours(self, seed: int) -> None:
        taken = energy_wh(plan_day(Random(seed)))
        base_wh = 3 * 100 * 24
        self.assertTrue(5_000 < base_wh + sum(taken.values()) < 18_000, taken)
        self.assertTrue(500 < taken["Fridge"] < 1100, taken)
        self.assertEqual(taken["Router + NAS"], 40 * 24)

    @settings(deadline=None, derandomize=True, max_examples=30)
    @given(SEEDS, st.floats(0, DAY_S))
    def test_the_sun_is_a_fraction_and_down_at_night(self, seed: int, at_s: float) -> None:
        sun = plan_day(Random(seed)).sun(at_s)
        self.assertTrue(0.0 <= sun <= 1.0)
        if not SUNRISE_S < at_s < SUNSET_S:
            self.assertEqual(sun, 0.0)

    def test_the_sun_is_highest_in_the_middle_and_clouds_take_some_of_it(self) -> None:
        clear, cloudy = Day((), ()), plan_day(Random(1))
        noon_s = (SUNRISE_S + SUNSET_S) / 2
        self.assertEqual(clear.sun(noon_s), 1.0)
        self.assertLess(clear.sun(SUNRISE_S + HOUR_S), 0.3)
        seconds = range(int(SUNRISE_S), int(SUNSET_S), 60)
        ratio = sum(map(cloudy.sun, seconds)) / sum(map(clear.sun, seconds))
        self.assertTrue(0.6 < ratio < 0.98, ratio)

    def test_the_sun_has_no_jumps(self) -> None:
        day = plan_day(Random(3))
        seen = [day.sun(float(second)) for second in range(int(SUNRISE_S), int(SUNSET_S))]
        self.assertLess(max(abs(b - a) for a, b in pairwise(seen)), 0.06)

    def test_same_seed_same_day(self) -> None:
        self.assertEqual(plan_day(Random(4)), plan_day(Random(4)))
        self.assertNotEqual(plan_day(Random(4)), plan_day(Random(5)))


class Driver(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000.0)

    def driver(self, **options: float) -> tuple[DayDriver, Household]:
        household = house()
        for load in household.loads:
            household.switch(load.name, True)
        driver = DayDriver(household, self.clock, Random(1), solar_peak_w=4000, **options)
        driver.startService()
        self.addCleanup(self.stop, driver)
        return driver, household

    def stop(self, driver: DayDriver) -> None:
        if driver.running:
            driver.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def run_for(self, seconds: float, step_s: float) -> None:
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)

    def test_it_is_a_service(self) -> None:
        verifyObject(IService, self.driver()[0])

    def test_it_starts_with_what_is_on_at_that_time(self) -> None:
        driver, household = self.driver(start_s=19.75 * HOUR_S)
        active = {load.name for load in household.loads if load.active}
        self.assertLessEqual({"Router + NAS", "LED lights", "TV + entertainment"}, active)
        wanted = {one.name: one.active for one in driver.day.switchings if one.at_s <= 71_100}
        self.assertEqual(active, {name for name, on in wanted.items() if on})

    def test_every_switching_happens_at_its_second(self) -> None:
        driver, household = self.driver(start_s=10 * HOUR_S)
        for one in [one for one in driver.day.switchings if one.at_s > 10 * HOUR_S][:200]:
            load = next(load for load in household.loads if load.name == one.name)
            self.clock.advance(max(0.0, one.at_s - driver.second_of_day - 0.03))
            before = load.active
            self.clock.advance(0.06)
            self.assertEqual(load.active, one.active, (one, before))

    def test_the_sun_rises_and_sets(self) -> None:
        driver, household = self.driver(start_s=SUNRISE_S - 60)
        self.assertEqual(household.solar_w, 0)
        self.run_for(4 * HOUR_S, 5.0)
        self.assertGreater(household.solar_w, 300)
        self.assertApproximates(household.solar_w, 4000 * driver.day.sun(driver.second_of_day), 20)
        self.run_for(12 * HOUR_S, 5.0)
        self.assertEqual(household.solar_w, 0)

    def test_a_day_passes_faster_with_speed(self) -> None:
        driver, household = self.driver(start_s=SUNRISE_S, speed=600)
        self.run_for(36.0, 0.1)
        self.assertApproximates(driver.second_of_day, SUNRISE_S + 6 * HOUR_S, 61)
        self.assertGreater(household.solar_w, 500)

    def test_one_day_follows_another(self) -> None:
        driver, _ = self.driver(start_s=DAY_S - 30)
        first = driver.day
        self.run_for(60, 1.0)
        self.assertNotEqual(driver.day, first)
        self.assertApproximates(driver.second_of_day, 30, 0.1)

    def test_an_absurd_speed_does_not_hang(self) -> None:
        driver, _ = self.driver(speed=1e9)
        days = []
        for _ in range(50):
            self.clock.advance(0.02)
            if driver.day not in days:
                days.append(driver.day)
        self.assertTrue(10 < len(days) <= 50, len(days))

    def test_it_goes_on_where_it_was_stopped(self) -> None:
        driver, _ = self.driver(start_s=8 * HOUR_S)
        self.run_for(600, 1.0)
        driver.stopService()
        self.clock.advance(5000)
        self.assertApproximates(driver.second_of_day, 8 * HOUR_S + 600, 0.1)
        driver.startService()
        self.run_for(60, 1.0)
        self.assertApproximates(driver.second_of_day, 8 * HOUR_S + 660, 0.1)

    def test_what_is_no_time_is_refused(self) -> None:
        for options in ({"start_s": -1.0}, {"start_s": DAY_S}, {"speed": 0.0}, {"speed": -1.0}):
            self.assertRaises(ValueError, DayDriver, house(), self.clock, Random(1), **options)
