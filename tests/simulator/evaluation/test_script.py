"""The scripted events (evaluation.md section 3.2), with the schedule of seed 1."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.scenarios import SCENARIOS
from simulator.evaluation.script import clouds, dc_sun, events, household, sun, washer

HOUSEHOLD = [
    ("kettle_on", 618.241),
    ("kettle_off", 797.913),
    ("oven_on", 1093.420),
    ("oven_off", 1329.439),
    ("oven_on", 1506.789),
    ("oven_off", 1732.325),
    ("kettle_on", 2502.262),
    ("kettle_off", 2683.395),
    ("dishwasher_on", 2884.238),
    ("dishwasher_off", 3484.272),
]
WASHER = [270.000, 283.456, 286.456, 299.448, 302.448, 314.557, 317.557]


class Schedules(SynchronousTestCase):
    def test_the_household_of_seed_1(self) -> None:
        found = [(one.label, round(one.at_s, 3)) for one in events((household,), 3600, 1)]
        self.assertEqual(found, HOUSEHOLD)

    def test_a_longer_household_has_more_oven(self) -> None:
        self.assertEqual(len(events((household,), 5400, 1)), 14)

    def test_the_washer_of_seed_1(self) -> None:
        found = [round(one.at_s, 3) for one in events((washer,), 1800, 1)]
        self.assertEqual(found[:7], WASHER)
        self.assertEqual(found[-1], 1530)
        self.assertEqual(len(found), 158)

    def test_the_sun_changes_every_two_seconds_until_the_end(self) -> None:
        for script in (sun(1000), dc_sun(700, 0)):
            found = list(script(60, Random(1)))
            self.assertEqual([one.at_s for one in found], list(range(0, 60, 2)))
            self.assertEqual({one.label for one in found}, {""})

    def test_two_clouds_of_two_minutes(self) -> None:
        on, off, *others = clouds(3600, Random(1))
        self.assertEqual((on.label, off.label), ("cloud_on", "cloud_off"))
        self.assertEqual(off.at_s - on.at_s, 120)
        self.assertEqual(len(others), 2)

    def test_all_scenarios_of_the_table_that_need_no_trace_are_there(self) -> None:
        self.assertEqual(len(SCENARIOS), 27)
