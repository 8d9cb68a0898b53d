"""Readings that a battery does not hear."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.hearing import Hearing
from tests.astrameter.steering.rig import House, Strange


class DeadBands(SynchronousTestCase):
    def test_nothing_is_changed_before_anything_was_ignored(self) -> None:
        hearing = Hearing()
        for reading_w in (0.0, 1.0, -1.0, 500.0):
            self.assertEqual(hearing.audible(reading_w, reading_w), reading_w)

    def test_what_was_ignored_is_said_louder_when_enough_is_missing(self) -> None:
        hearing = Hearing()
        hearing.ignored(-24.0)
        self.assertEqual(hearing.audible(-24.0, -24.0), -32.0)
        self.assertEqual(hearing.audible(-20.0, -20.0), -32.0)
        self.assertEqual(hearing.audible(-15.0, -15.0), 0.0)
        self.assertEqual(hearing.audible(-25.0, -25.0), -25.0)

    def test_the_other_direction_is_not_concerned(self) -> None:
        hearing = Hearing()
        hearing.ignored(-24.0)
        self.assertEqual(hearing.audible(12.0, 12.0), 12.0)

    def test_a_small_reading_for_a_long_way_is_never_swallowed(self) -> None:
        hearing = Hearing()
        hearing.ignored(24.0)
        self.assertEqual(hearing.audible(12.0, 300.0), 32.0)

    def test_it_is_forgotten_when_so_small_a_reading_works(self) -> None:
        hearing = Hearing()
        hearing.ignored(24.0)
        hearing.acted(30.0)
        self.assertEqual(hearing.audible(24.0, 24.0), 32.0)
        hearing.acted(20.0)
        self.assertEqual(hearing.audible(24.0, 24.0), 24.0)

    def test_a_large_reading_that_had_no_effect_is_no_dead_band(self) -> None:
        hearing = Hearing()
        hearing.ignored(500.0)
        self.assertEqual(hearing.audible(20.0, 20.0), 20.0)


class InAHouse(SynchronousTestCase):
    def test_a_battery_with_a_dead_band_of_30_w_still_comes_near(self) -> None:
        pack = Strange("a", "X", law=lambda reading_w: 1.2 * reading_w, blind_w=29.5)
        house = House([pack], lambda now: 300 if now < 1060 else 260)
        house.run(60)
        house.run(60)
        self.assertLess(max(map(abs, house.grids(20))), 21)
