"""The deadband."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.filters.deadband import Deadband, DeadbandOptions
from astrameter.reading import Sample
from tests.astrameter.filters.samples import SAMPLES


class DeadbandTests(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(SAMPLES, st.floats(0.001, 1e9))
    def test_strictly_inside_is_zero_and_all_else_the_sample_itself(
        self, sample: Sample, width_w: float
    ) -> None:
        found = Deadband(DeadbandOptions(width_w)).step(sample)
        if abs(sample.total) < width_w:
            zeros = (0.0,) * len(sample.watts)
            self.assertEqual(found, Sample(zeros, sample.measured_at))
        else:
            self.assertIs(found, sample)

    def test_a_reset_changes_nothing(self) -> None:
        deadband = Deadband(DeadbandOptions(20.0))
        deadband.reset()
        self.assertEqual(deadband.step(Sample((19.0, 0.5), 1.0)).watts, (0.0, 0.0))
