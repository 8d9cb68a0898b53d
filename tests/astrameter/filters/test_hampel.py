"""The Hampel filter where it is better than its predecessor, and what it promises."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import load_text
from astrameter.filters.hampel import Hampel, HampelOptions, check
from astrameter.reading import Sample
from tests.astrameter.filters.rig import SCRIPT
from tests.astrameter.filters.samples import SAMPLES, phases, totals

MOSTLY_CALM = st.sampled_from([(1.0,), (2.0,), (2.0, 1.0), (3.0, -1.0), (9e5,)]).map(
    lambda watts: Sample(watts, 0.0)
)


def hampel(window: int = 5, n_sigma: float = 3.0, threshold_w: float = 50.0) -> Hampel:
    return Hampel(HampelOptions(window, n_sigma, threshold_w))


class StepTests(SynchronousTestCase):
    """A real change of the load, which the predecessor rejected for ever."""

    def test_a_real_step_passes_after_half_the_window(self) -> None:
        for window in range(1, 12):
            found = totals(hampel(window), *[100.0] * window, *[1000.0] * window)
            rejected = (window - 1) // 2
            expected = [100.0] * (window + rejected) + [1000.0] * (window - rejected)
            self.assertEqual(found, expected, window)

    def test_a_real_step_passes_on_a_noisy_signal_too(self) -> None:
        noise = [100.0, 104.0, 98.0, 103.0, 99.0]
        found = totals(hampel(), *noise, *(value + 900 for value in noise))
        self.assertEqual(found[5:], [103.0, 103.0, 998.0, 1003.0, 999.0])

    def test_a_ramp_is_followed(self) -> None:
        ramp = [100.0 + 40 * index for index in range(20)]
        found = totals(hampel(), *[100.0] * 5, *ramp)
        self.assertEqual(found[8:], ramp[3:])

    def test_two_spikes_in_one_window_are_both_rejected(self) -> None:
        found = totals(hampel(), 100.0, 101.0, 99.0, 5000.0, 100.0, -4000.0, 101.0)
        self.assertEqual(found[4:], [100.0, 100.0, 101.0])


class StandInTests(SynchronousTestCase):
    """What an outlier is replaced by."""

    def test_a_spike_on_one_phase_does_not_distort_the_others(self) -> None:
        calm = [(100, 50, 50), (101, 49, 52), (99, 51, 50), (100, 50, 51)]
        found = phases(hampel(), *calm, (4000, 50, 50))
        self.assertEqual(found[4], [100.0, 50.0, 51.0])

    def test_a_reading_that_sums_up_to_zero_is_replaced_like_any_other(self) -> None:
        found = phases(hampel(3), (300, 200, 100), (300, 200, 100), (500, -500, 0))
        self.assertEqual(found[2], [300.0, 200.0, 100.0])

    def test_in_an_even_window_the_two_in_the_middle_share(self) -> None:
        found = phases(hampel(4), (10, 0), (20, 2), (30, 4), (4000, 0))
        self.assertEqual(found[3], [25.0, 3.0])

    def test_a_meter_that_changes_its_number_of_phases_gets_equal_shares(self) -> None:
        found = phases(hampel(3), (300,), (300,), (3000, 3000, 3000))
        self.assertEqual(found[2], [100.0, 100.0, 100.0])

    def test_the_time_is_that_of_the_outlier(self) -> None:
        filter_ = hampel(3)
        totals(filter_, 100.0, 100.0)
        self.assertEqual(filter_.step(Sample((900.0,), 7.0)), Sample((100.0,), 7.0))


class ThresholdTests(SynchronousTestCase):
    def test_until_the_window_is_full_everything_passes(self) -> None:
        values = [100.0, 100.0, 100.0, 9000.0]
        self.assertEqual(totals(hampel(), *values), values)

    def test_a_reset_fills_the_window_anew(self) -> None:
        filter_ = hampel(3)
        totals(filter_, 100.0, 100.0, 100.0)
        filter_.reset()
        self.assertEqual(totals(filter_, 900.0, 100.0, 100.0), [900.0, 100.0, 100.0])

    def test_an_enormous_number_of_sigmas_rejects_nothing_and_raises_nothing(self) -> None:
        found = totals(hampel(3, 1.7e308, 1.0), 100.0, 100.0, 100.5, 9000.0, 102.0)
        self.assertEqual(found, [100.0, 100.0, 100.5, 9000.0, 102.0])

    def test_check_names_what_is_negative_while_the_filter_is_on(self) -> None:
        wrong = HampelOptions(5, -1.0, -1.0)
        keys = [key for key, _ in check(wrong)]
        self.assertEqual(keys, ["HAMPEL_N_SIGMA", "HAMPEL_MIN_THRESHOLD"])
        self.assertEqual(list(check(HampelOptions(0, -1.0, -1.0))), [])
        self.assertEqual(list(check(HampelOptions(-5, -1.0, -1.0))), [])
        self.assertEqual(list(check(HampelOptions(5, 0.0, 0.0))), [])

    def test_a_window_above_100_is_100_with_a_warning(self) -> None:
        loaded = load_text("[SCRIPT]\nHAMPEL_WINDOW = 100000\n", "c.ini", None, [SCRIPT])
        self.assertEqual(loaded.meters[0].options.hampel_window, 100)
        self.assertEqual([warning.key for warning in loaded.warnings], ["HAMPEL_WINDOW"])


class PropertyTests(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(SAMPLES | MOSTLY_CALM, max_size=30),
        st.integers(1, 7),
        st.floats(0, 10) | st.floats(0, 1.7e308),
        st.floats(0, 1e9),
    )
    def test_what_comes_out_is_the_reading_or_as_large_as_the_median(
        self, samples: list[Sample], window: int, n_sigma: float, threshold_w: float
    ) -> None:
        filter_ = hampel(window, n_sigma, threshold_w)
        for index, sample in enumerate(samples):
            found = filter_.step(sample)
            self.assertEqual(found.measured_at, sample.measured_at)
            self.assertEqual(len(found.watts), len(sample.watts))
            if found is sample:
                continue
            last = sorted(one.total for one in samples[index - window + 1 : index + 1])
            self.assertEqual(len(last), window)
            median_w = (last[(window - 1) // 2] + last[window // 2]) / 2
            self.assertApproximates(found.total, median_w, 1e-5)
            self.assertGreater(abs(sample.total - median_w), threshold_w)
