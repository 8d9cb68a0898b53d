"""Calibration of each phase (filters.md section 3; its vectors are in test_vectors)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter.filters.transform import Transform, TransformOptions, transform
from astrameter.meters.interface import ISource
from astrameter.reading import MeterError, Sample
from tests.astrameter.filters.rig import Rig, ScriptedMeter
from tests.doubles import StubMeter

NUMBERS = st.lists(st.floats(-1e6, 1e6), max_size=5)


class Calculation(SynchronousTestCase):
    def test_an_empty_list_is_neutral(self) -> None:
        self.assertEqual(transform([5.0, -3.0], [], []), (5.0, -3.0))
        self.assertEqual(transform([5.0, -3.0], [2.0], []), (10.0, -6.0))
        self.assertEqual(transform([5.0, -3.0], [], [1.0]), (6.0, -2.0))

    def test_multiplier_first_then_offset(self) -> None:
        self.assertEqual(transform([100.0], [2.0], [-50.0]), (150.0,))

    @settings(deadline=None, derandomize=True)
    @given(NUMBERS, NUMBERS, NUMBERS)
    def test_every_phase_has_its_own_entry_of_the_repeated_lists(
        self, watts: list[float], factors: list[float], offsets: list[float]
    ) -> None:
        found = transform(watts, factors, offsets)
        self.assertEqual(len(found), len(watts))
        for i, (x, y) in enumerate(zip(watts, found, strict=True)):
            factor = (factors * 5)[i] if factors else 1.0
            offset = (offsets * 5)[i] if offsets else 0.0
            self.assertEqual(y, x * factor + offset)


class Filter(SynchronousTestCase):
    def transformed(self, meter: StubMeter, **options: tuple[float, ...]) -> Transform:
        return Transform(meter, TransformOptions(**options), "METER")

    def test_it_is_a_source(self) -> None:
        verifyObject(ISource, self.transformed(StubMeter()))

    def test_the_time_of_the_measurement_stays(self) -> None:
        meter = ScriptedMeter(Clock())
        meter.reads = [[5.0]]
        meter._clock.advance(77)
        sample = self.successResultOf(
            Transform(meter, TransformOptions(power_offset=(1.0,)), "METER").read()
        )
        self.assertEqual(sample, Sample((6.0,), 77))

    def test_a_failure_passes_unchanged(self) -> None:
        reading = self.transformed(StubMeter("error"), power_offset=(1.0,)).read()
        self.assertEqual(self.failureResultOf(reading, MeterError).value.kind, "no_data")

    def test_what_leaves_the_range_of_powers_is_a_failure(self) -> None:
        for factor in (1e308, -1e308):
            reading = self.transformed(StubMeter([1e8, 1e8]), power_multiplier=(factor,)).read()
            self.assertEqual(self.failureResultOf(reading, MeterError).value.kind, "not_numeric")

    def test_a_list_of_another_length_is_warned_about_once(self) -> None:
        meter = StubMeter([1.0, 2.0, 3.0])
        source = self.transformed(meter, power_multiplier=(1.0, 2.0))
        with capturedLogs() as events:
            for _ in range(5):
                self.successResultOf(source.read())
        self.assertEqual([(e["section"], e["phases"]) for e in events], [("METER", 3)])

    def test_and_again_after_a_reading_that_matched(self) -> None:
        meter = StubMeter([1.0, 2.0, 3.0])
        source = self.transformed(meter, power_offset=(1.0, 2.0))
        with capturedLogs() as events:
            for reading in ([1.0, 2.0, 3.0], [1.0, 2.0], [1.0], [1.0]):
                meter.reading = reading
                self.successResultOf(source.read())
        self.assertEqual([e["phases"] for e in events], [3, 1])

    def test_one_entry_for_all_phases_is_no_reason_to_warn(self) -> None:
        source = self.transformed(
            StubMeter([1.0, 2.0, 3.0]), power_multiplier=(2.0,), power_offset=(1.0,)
        )
        with capturedLogs() as events:
            self.successResultOf(source.read())
        self.assertEqual(events, [])


class Configuration(SynchronousTestCase):
    def test_it_is_present_when_one_of_the_keys_is_set(self) -> None:
        for line in ("POWER_OFFSET = -20", "POWER_MULTIPLIER = 1", "POWER_MULTIPLIER = -1,1,1"):
            self.assertEqual(Rig(f"[SCRIPT]\n{line}").filters, ["transform", "health"])

    def test_it_is_absent_when_none_is_or_both_are_empty(self) -> None:
        for lines in ("", "POWER_OFFSET =\nPOWER_MULTIPLIER = ,"):
            self.assertEqual(Rig(f"[SCRIPT]\n{lines}").filters, ["health"])
