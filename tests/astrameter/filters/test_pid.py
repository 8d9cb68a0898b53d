"""The PID controller where it is better than its predecessor, and what it promises."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.filters.pid import BIAS, REPLACE, Pid, PidOptions, check
from astrameter.reading import Sample
from tests.astrameter.filters.samples import SAMPLES, phases, totals

GAINS = st.floats(-1000, 1000)


def pid(kp: float, ki: float = 0.0, kd: float = 0.0, max_w: float = 800.0, mode: str = BIAS) -> Pid:
    return Pid(PidOptions(kp, ki, kd, max_w, mode))


class ModeTests(SynchronousTestCase):
    def test_replace_reports_import_as_import(self) -> None:
        self.assertEqual(totals(pid(0.5, mode=REPLACE), 500.0, -200.0), [250.0, -100.0])

    def test_replace_shows_every_phase_the_same(self) -> None:
        found = phases(pid(1.0, mode=REPLACE), (100, 200, 300))
        self.assertEqual(found, [[200.0, 200.0, 200.0]])

    def test_bias_takes_equal_shares_off_the_phases(self) -> None:
        found = phases(pid(0.5), (100, 200, 300), (0, -60))
        self.assertEqual(found, [[0.0, 100.0, 200.0], [15.0, -45.0]])

    def test_both_modes_are_limited(self) -> None:
        self.assertEqual(totals(pid(1.0, max_w=500.0), 2000.0), [1500.0])
        self.assertEqual(totals(pid(1.0, max_w=500.0, mode=REPLACE), -2000.0), [-500.0])


class TimeTests(SynchronousTestCase):
    def test_time_is_that_of_the_samples(self) -> None:
        self.assertEqual(totals(pid(0.5, 0.1), 100.0, 100.0, every_s=2.0), [50.0, 30.0])

    def test_a_pause_of_minutes_does_not_integrate(self) -> None:
        after_30_s = totals(pid(0.1, 0.01), 100.0, 100.0, every_s=30.0)
        self.assertEqual(after_30_s, [90.0, 60.0])
        self.assertEqual(totals(pid(0.1, 0.01), 100.0, 100.0, every_s=3600.0), after_30_s)

    def test_the_slope_over_a_pause_is_the_true_one(self) -> None:
        found = totals(pid(0.1, kd=6.0), 0.0, 100.0, every_s=60.0)
        self.assertAlmostEqual(found[1], 100.0 - 10.0 - 10.0)

    def test_unwinding_is_allowed_beyond_the_limit(self) -> None:
        found = totals(pid(1.0, 1.0, max_w=100.0), 30.0, 30.0, -90.0)
        self.assertEqual(found, [0.0, -30.0, 10.0])

    def test_samples_a_moment_apart_have_no_slope(self) -> None:
        found = totals(pid(0.1, kd=1.0), 0.0, 100.0, every_s=1e-6)
        self.assertAlmostEqual(found[1], 90.0)

    def test_time_that_runs_backwards_is_none(self) -> None:
        controller = pid(0.1, 0.1, 1.0)
        controller.step(Sample((100.0,), 10.0))
        self.assertEqual(controller.step(Sample((200.0,), 5.0)).watts, (180.0,))
        self.assertEqual(controller.step(Sample((200.0,), 6.0)).watts, (160.0,))

    def test_a_reset_clears_the_pid_too(self) -> None:
        controller = pid(0.1, 0.1, 1.0)
        first = totals(controller, 100.0, 250.0, 300.0)
        controller.reset()
        self.assertEqual(totals(controller, 100.0, 250.0, 300.0), first)


class CheckTests(SynchronousTestCase):
    def test_an_output_of_nothing_is_wrong_while_the_controller_is_on(self) -> None:
        for max_w in (0.0, -800.0):
            self.assertEqual(
                [key for key, _ in check(PidOptions(pid_kp=0.5, pid_output_max=max_w))],
                ["PID_OUTPUT_MAX"],
            )
        self.assertEqual(list(check(PidOptions(pid_kp=0.0, pid_output_max=0.0))), [])
        self.assertEqual(list(check(PidOptions(pid_kp=-1.0, pid_output_max=0.0))), [])
        self.assertEqual(list(check(PidOptions(pid_kp=0.5))), [])


class PropertyTests(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(SAMPLES, max_size=30),
        st.floats(0.001, 1000),
        GAINS,
        GAINS,
        st.floats(0.1, 1e5),
    )
    def test_the_total_changes_by_no_more_than_the_greatest_output(
        self, samples: list[Sample], kp: float, ki: float, kd: float, max_w: float
    ) -> None:
        controller = pid(kp, ki, kd, max_w)
        for sample in samples:
            found = controller.step(sample)
            self.assertTrue(all(map(math.isfinite, found.watts)))
            self.assertEqual(found.measured_at, sample.measured_at)
            self.assertEqual(len(found.watts), len(sample.watts))
            self.assertLessEqual(abs(found.total - sample.total), max_w + 1e-5)

    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(SAMPLES, max_size=30), st.floats(0.001, 1000), GAINS, GAINS, st.floats(0.1, 1e5)
    )
    def test_replace_puts_out_what_bias_takes_off(
        self, samples: list[Sample], kp: float, ki: float, kd: float, max_w: float
    ) -> None:
        bias, replace = pid(kp, ki, kd, max_w), pid(kp, ki, kd, max_w, REPLACE)
        for sample in samples:
            taken_w = sample.total - bias.step(sample).total
            self.assertApproximates(replace.step(sample).total, taken_w, 1e-5)
