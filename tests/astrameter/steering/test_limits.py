"""Learning that a battery cannot deliver more."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.limits import (
    JUDGED_READING_W,
    MAX_RETRY_AFTER_S,
    MOVED_W,
    RETRY_AFTER_S,
    STUCK_AFTER_S,
    DirectionLimits,
)

FREE = (-math.inf, math.inf)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.limits = DirectionLimits()
        self.now = 1000.0

    @property
    def found(self) -> tuple[float, float]:
        return self.limits.low_w, self.limits.high_w

    def ask(self, reading_w: float, power_w: float, seconds: float, every_s: float = 1.0) -> int:
        """Observe for a time; how often a limit changed."""
        changes = 0
        end = self.now + seconds
        while self.now < end:
            changes += self.limits.observe(reading_w, power_w, self.now)
            self.now += every_s
        return changes


class Learning(Case):
    def test_an_empty_battery_has_an_upper_limit(self) -> None:
        self.ask(400, 0, STUCK_AFTER_S)
        self.assertEqual(self.found, FREE)
        self.assertEqual(self.ask(400, 0, 1), 1)
        self.assertEqual(self.found, (-math.inf, 0))
        self.assertTrue(self.limits.limited)

    def test_a_full_battery_has_a_lower_limit(self) -> None:
        self.ask(-400, 0, STUCK_AFTER_S + 1)
        self.assertEqual(self.found, (0, math.inf))

    def test_a_battery_with_a_smaller_inverter_is_limited_where_it_stands(self) -> None:
        self.ask(400, 800, STUCK_AFTER_S + 1)
        self.assertEqual(self.found, (-math.inf, 800))

    def test_one_that_passes_its_panels_through_is_limited_above_zero(self) -> None:
        self.ask(-400, 500, STUCK_AFTER_S + 1)
        self.assertEqual(self.found, (500, math.inf))

    def test_small_demands_are_not_judged(self) -> None:
        """A small share alone must never look like a fault (invariant 8)."""
        for reading_w in (JUDGED_READING_W - 0.1, 0, -JUDGED_READING_W + 0.1):
            self.ask(reading_w, 0, 1000)
        self.assertEqual(self.found, FREE)

    def test_a_battery_that_moves_however_slowly_is_not_limited(self) -> None:
        for power_w in range(0, 500, int(MOVED_W)):
            self.ask(400, power_w, STUCK_AFTER_S - 1)
        self.assertEqual(self.found, FREE)

    def test_moving_the_wrong_way_is_no_movement(self) -> None:
        for power_w in range(0, -500, -20):
            self.ask(400, power_w, 1)
        self.assertNotEqual(self.found, FREE)

    def test_demands_that_change_direction_are_not_judged(self) -> None:
        for _ in range(50):
            self.ask(400, 0, STUCK_AFTER_S / 2)
            self.ask(-400, 0, STUCK_AFTER_S / 2)
        self.assertEqual(self.found, FREE)

    def test_it_does_not_depend_on_how_often_the_battery_polls(self) -> None:
        """Invariant 7."""
        for every_s in (0.25, 1, 4):
            self.setUp()
            self.ask(400, 0, STUCK_AFTER_S, every_s)
            self.assertEqual(self.found, FREE)
            self.ask(400, 0, every_s, every_s)
            self.assertEqual(self.found, (-math.inf, 0))

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.floats(-3000, 3000), st.integers(-2500, 2500), st.floats(0, 60))))
    def test_the_lower_limit_never_exceeds_the_upper(
        self, story: list[tuple[float, int, float]]
    ) -> None:
        limits = DirectionLimits()
        now = 0.0
        for reading_w, power_w, seconds in story:
            now += seconds
            limits.observe(reading_w, power_w, now)
            self.assertLessEqual(limits.low_w, limits.high_w)


class Lifting(Case):
    def setUp(self) -> None:
        super().setUp()
        self.ask(400, 0, STUCK_AFTER_S + 1)

    def seconds_until_retry(self) -> float:
        """How long the limit stands when nothing more is asked than it allows."""
        began = self.now
        while self.limits.limited:
            self.ask(0, 0, 1)
        return self.now - began

    def test_after_a_while_it_is_tried_again(self) -> None:
        self.assertAlmostEqual(self.seconds_until_retry(), RETRY_AFTER_S, delta=2)

    def test_each_try_in_vain_doubles_the_time_to_the_next(self) -> None:
        waits = []
        for _ in range(8):
            waits.append(self.seconds_until_retry())
            self.ask(400, 0, STUCK_AFTER_S + 1)
            self.assertTrue(self.limits.limited)
        for number, wait_s in enumerate(waits):
            self.assertLessEqual(abs(wait_s - min(60 * 2**number, MAX_RETRY_AFTER_S)), 2)

    def test_a_battery_that_does_more_is_not_limited_any_more(self) -> None:
        self.assertEqual(self.ask(0, MOVED_W + 1, 1), 1)
        self.assertEqual(self.found, FREE)

    def test_a_little_more_is_no_proof(self) -> None:
        self.ask(0, MOVED_W, 1)
        self.assertEqual(self.found, (-math.inf, 0))

    def test_when_it_has_done_more_the_next_limit_is_tried_soon(self) -> None:
        for _ in range(3):
            self.seconds_until_retry()
            self.ask(400, 0, STUCK_AFTER_S + 1)
        self.ask(0, 300, 1)
        self.ask(400, 300, STUCK_AFTER_S + 1)
        self.assertTrue(self.limits.limited)
        began = self.now
        while self.limits.limited:
            self.ask(0, 300, 1)
        self.assertLessEqual(self.now - began, RETRY_AFTER_S + 2)
