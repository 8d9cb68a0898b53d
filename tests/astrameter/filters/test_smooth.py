"""Smoothing where it is better than its predecessor, and what it promises."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.filters.smooth import Smooth, SmoothOptions, shifted
from astrameter.reading import Sample
from tests.astrameter.filters.samples import READINGS, SAMPLES, WATTS, phases, totals


def smooth(alpha: float, max_step_w: float = 0.0) -> Smooth:
    return Smooth(SmoothOptions(alpha, max_step_w))


class AverageTests(SynchronousTestCase):
    def test_a_steady_reading_is_reached(self) -> None:
        found = totals(smooth(0.1), 0.5, *[1000.0] * 200)
        self.assertAlmostEqual(found[1], 100.45)
        self.assertEqual(found, sorted(found))
        self.assertAlmostEqual(found[-1], 1000.0, places=3)

    def test_a_total_of_zero_is_smoothed_like_any_other(self) -> None:
        self.assertEqual(totals(smooth(0.2), 400.0, 0.0, 10.0)[1], 200.0)
        self.assertEqual(phases(smooth(0.5), (300.0, 0.0), (100.0, -100.0))[1], [175.0, -25.0])

    def test_near_a_total_of_zero_no_phase_is_amplified(self) -> None:
        found = phases(smooth(0.5), (300.0, 300.0, 0.0), (1000.0, -999.0, 0.0))[1]
        self.assertAlmostEqual(sum(found), 300.5)
        self.assertLess(max(map(abs, found)), 1300.0)
        self.assertEqual(found[2], 0.0)

    def test_phases_of_one_sign_keep_their_ratio(self) -> None:
        found = phases(smooth(0.5), (100.0, 200.0, 100.0), (400.0, 800.0, 400.0))[1]
        self.assertEqual(found, [250.0, 500.0, 250.0])

    def test_the_slew_limit_holds_while_it_catches_up(self) -> None:
        found = totals(smooth(0.5, 100.0), 500.0, *[-500.0] * 12)
        changes = [b - a for a, b in pairwise(found)]
        self.assertEqual(changes[:9], [-100.0] * 9)
        self.assertEqual(changes[9], -50.0)

    def test_the_interval_of_the_samples_does_not_matter(self) -> None:
        values = (0.0, 100.0, 200.0, 50.0)
        self.assertEqual(
            totals(smooth(0.3), *values, every_s=0.1), totals(smooth(0.3), *values, every_s=60.0)
        )

    def test_a_reset_starts_again_with_the_next_sample(self) -> None:
        filter_ = smooth(0.1)
        totals(filter_, 1000.0)
        filter_.reset()
        self.assertEqual(totals(filter_, 5.0), [5.0])


class ShiftTests(SynchronousTestCase):
    def test_phases_without_power_get_equal_shares(self) -> None:
        self.assertEqual(shifted((0.0, 0.0), 50.0), (25.0, 25.0))

    def test_an_idle_phase_stays_idle(self) -> None:
        self.assertEqual(shifted((800.0, 0.0, -200.0), -100.0), (720.0, 0.0, -220.0))

    @settings(deadline=None, derandomize=True)
    @given(READINGS, WATTS)
    def test_the_total_is_shifted_and_no_phase_by_more(
        self, watts: list[float], by_w: float
    ) -> None:
        found = shifted(watts, by_w)
        self.assertEqual(len(found), len(watts))
        self.assertApproximates(math.fsum(found), math.fsum([*watts, by_w]), 1e-5)
        for before, after in zip(watts, found, strict=True):
            self.assertLessEqual(abs(after - before), abs(by_w) + 1e-5)


class PropertyTests(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(st.lists(SAMPLES, max_size=30), st.floats(0.01, 1), st.floats(0, 1000))
    def test_the_total_stays_within_what_was_measured_and_keeps_the_limit(
        self, samples: list[Sample], alpha: float, max_step_w: float
    ) -> None:
        filter_ = smooth(alpha, max_step_w)
        measured: list[float] = []
        before: float | None = None
        for sample in samples:
            measured.append(sample.total)
            found = filter_.step(sample)
            self.assertTrue(all(map(math.isfinite, found.watts)))
            self.assertEqual(found.measured_at, sample.measured_at)
            self.assertEqual(len(found.watts), len(sample.watts))
            self.assertGreaterEqual(found.total, min(measured) - 1e-5)
            self.assertLessEqual(found.total, max(measured) + 1e-5)
            if before is not None and max_step_w > 0:
                self.assertLessEqual(abs(found.total - before), max_step_w + 1e-5)
            before = found.total
