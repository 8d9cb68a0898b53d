"""The vocabulary: samples and what may be one."""

from __future__ import annotations

import dataclasses
import math

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import MAX_READING_W, MeterError, Sample, sample_of

WATTS = st.floats(-MAX_READING_W, MAX_READING_W)


class Samples(SynchronousTestCase):
    def test_phases_are_padded_and_cut_to_three(self) -> None:
        for watts, phases in (
            ((), (0, 0, 0)),
            ((1,), (1, 0, 0)),
            ((1, 2), (1, 2, 0)),
            ((1, 2, 3), (1, 2, 3)),
            ((1, 2, 3, 4), (1, 2, 3)),
        ):
            self.assertEqual(Sample(watts, 0).phases, phases)

    def test_the_total_is_added_from_left_to_right(self) -> None:
        # A compensated sum (math.fsum, and sum of Python 3.12) says 0.3.
        self.assertEqual(Sample((0.1, 0.2, 0.3, -0.3), 0).total, 0.1 + 0.2 + 0.3 - 0.3)
        self.assertNotEqual(0.1 + 0.2 + 0.3 - 0.3, 0.3)
        self.assertEqual(Sample((), 0).total, 0)

    def test_the_total_counts_more_than_three_entries(self) -> None:
        self.assertEqual(Sample((1, 2, 3, 4), 0).total, 10)

    def test_a_sample_never_changes(self) -> None:
        sample = Sample((1,), 0)
        self.assertRaises(dataclasses.FrozenInstanceError, setattr, sample, "watts", (2,))


class Making(SynchronousTestCase):
    def test_numbers_become_floats(self) -> None:
        sample = sample_of([1, 2.5, -3], 7.0)
        self.assertEqual(sample, Sample((1.0, 2.5, -3.0), 7.0))
        self.assertTrue(all(isinstance(value, float) for value in sample.watts))

    def test_any_number_of_entries_is_taken(self) -> None:
        for count in range(6):
            self.assertEqual(len(sample_of([1.0] * count, 0).watts), count)

    def test_what_no_house_can_draw_is_no_reading(self) -> None:
        for bad in (math.nan, math.inf, -math.inf, 1.1e9, -1.1e9, 1e308, 10**400, -(10**9) - 1):
            for watts in ([bad], [1, bad, 2]):
                error = self.assertRaises(MeterError, sample_of, watts, 0.0)
                self.assertEqual(error.kind, "not_numeric")
                self.assertIn("not a power", str(error))
                self.assertLess(len(str(error)), 100)

    def test_the_limit_itself_is_one(self) -> None:
        sample_of([MAX_READING_W, -MAX_READING_W], 0.0)

    @settings(deadline=None, derandomize=True)
    @given(st.lists(WATTS, max_size=50), st.floats(0, 1e9))
    def test_sums_of_readings_are_finite(self, watts: list[float], at: float) -> None:
        sample = sample_of(watts, at)
        self.assertTrue(math.isfinite(sample.total))
        self.assertEqual(len(sample.phases), 3)
