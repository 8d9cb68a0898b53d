"""Energy counters integrated from readings (marstek-devices.md sections 1.12 and 1.13)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.energy import MAX_GAP_S, EnergyCounter
from astrameter.reading import Sample


def counter(*samples: tuple[float, float]) -> EnergyCounter:
    """A counter that was given (watts, seconds)."""
    found = EnergyCounter()
    for watts, at in samples:
        found.add(Sample((watts,), at))
    return found


class Counting(SynchronousTestCase):
    def test_one_count_is_a_tenth_of_a_watt_hour(self) -> None:
        self.assertEqual(counter((360, 0), (0, 9.9)).counts(), (9, 0))
        self.assertEqual(counter((360, 0), (0, 10)).counts(), (10, 0))

    def test_import_and_export_are_counted_apart(self) -> None:
        self.assertEqual(counter((720, 0), (-360, 10), (0, 30)).counts(), (20, 20))

    def test_the_sum_of_the_phases_counts(self) -> None:
        found = EnergyCounter()
        found.add(Sample((1000.0, -400.0, -240.0), 0))
        found.add(Sample((0.0,), 10))
        self.assertEqual(found.counts(), (10, 0))

    def test_a_sample_is_counted_once_however_often_it_is_read(self) -> None:
        found = EnergyCounter()
        sample = Sample((360.0,), 5)
        for again in (Sample((360.0,), 0), sample, sample, sample):
            found.add(again)
        self.assertEqual(found.counts(), (5, 0))

    def test_the_same_sample_anew_from_a_filter_counts_nothing_more(self) -> None:
        self.assertEqual(counter((360, 0), (360, 5), (360, 5), (360, 5)).counts(), (5, 0))

    def test_a_silence_is_not_filled(self) -> None:
        self.assertEqual(counter((360, 0), (360, MAX_GAP_S)).counts(), (30, 0))
        self.assertEqual(counter((360, 0), (360, MAX_GAP_S + 0.1)).counts(), (0, 0))
        self.assertEqual(counter((360, 0), (360, 1000), (0, 1010)).counts(), (10, 0))

    def test_a_sample_that_comes_late_is_not_counted_twice(self) -> None:
        self.assertEqual(counter((360, 0), (360, 10), (360, 5), (360, 10)).counts(), (10, 0))

    def test_a_source_whose_time_starts_over_is_counted_on(self) -> None:
        self.assertEqual(counter((360, 1000), (360, 0), (0, 10)).counts(), (10, 0))

    def test_the_counters_wrap_at_32_bits(self) -> None:
        found = EnergyCounter(imported_ws=2**32 * 360.0 + 720)
        self.assertEqual(found.counts(), (2, 0))

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-100, 1000)), max_size=30))
    def test_counters_never_run_backwards(self, samples: list[tuple[float, float]]) -> None:
        found = EnergyCounter()
        before = (0.0, 0.0)
        for watts, at in samples:
            found.add(Sample((watts,), at))
            now = (found.imported_ws, found.exported_ws)
            self.assertGreaterEqual(now[0], before[0])
            self.assertGreaterEqual(now[1], before[1])
            before = now
