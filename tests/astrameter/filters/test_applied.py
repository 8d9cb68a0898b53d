"""What the wrapper around the arithmetic filters promises."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from astrameter.filters.applied import Applied
from astrameter.meters.interface import ISource
from astrameter.reading import MeterError, Sample


@implementer(ISource)
class Source:
    """Brings what the test says."""

    result: Any = None

    def read(self) -> Deferred[Sample]:
        if isinstance(self.result, Deferred):
            return self.result
        return fail(self.result) if isinstance(self.result, Exception) else succeed(self.result)


class Count:
    """Shows how many samples it has taken in, in the first phase."""

    def __init__(self) -> None:
        self.taken = 0

    def step(self, sample: Sample) -> Sample:
        self.taken += 1
        return Sample((float(self.taken), *sample.watts[1:]), sample.measured_at)

    def reset(self) -> None:
        self.taken = 0


class Double:
    def step(self, sample: Sample) -> Sample:
        return Sample(tuple(2 * value for value in sample.watts), sample.measured_at)

    def reset(self) -> None:
        pass


class AppliedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.source = Source()
        self.applied = Applied(self.source, [Count(), Double()])

    def read(self, *watts: float, at: float) -> tuple[float, ...]:
        self.source.result = Sample(watts, at)
        return self.successResultOf(self.applied.read()).watts

    def test_it_is_a_source(self) -> None:
        self.assertTrue(verifyObject(ISource, self.applied))

    def test_the_steps_come_in_their_order_and_the_time_stays(self) -> None:
        self.source.result = Sample((7.0, 5.0), 3.0)
        sample = self.successResultOf(self.applied.read())
        self.assertEqual(sample, Sample((2.0, 10.0), 3.0))

    def test_one_sample_is_taken_in_once_however_many_batteries_read_it(self) -> None:
        self.assertEqual(self.read(7.0, at=1.0), (2.0,))
        self.assertEqual([self.read(7.0, at=1.0) for _ in range(3)], [(2.0,)] * 3)
        self.assertEqual(self.read(8.0, at=2.0), (4.0,))

    def test_a_sample_that_was_read_before_is_the_very_same_again(self) -> None:
        self.source.result = Sample((7.0,), 1.0)
        first = self.successResultOf(self.applied.read())
        self.assertIs(self.successResultOf(self.applied.read()), first)

    def test_constant_is_not_stale(self) -> None:
        found = [self.read(7.0, at=float(at)) for at in range(3)]
        self.assertEqual(found, [(2.0,), (4.0,), (6.0,)])

    def test_one_stream_of_several_makes_a_new_sample_of_the_same_age(self) -> None:
        self.read(7.0, 1.0, at=1.0)
        self.assertEqual(self.read(7.0, 2.0, at=1.0), (4.0, 4.0))

    def test_an_error_of_the_source_passes_and_changes_nothing(self) -> None:
        self.read(7.0, at=1.0)
        error = self.source.result = MeterError("timeout", "no answer")
        self.assertIs(self.failureResultOf(self.applied.read(), MeterError).value, error)
        self.assertEqual(self.read(7.0, at=1.0), (2.0,))
        self.assertEqual(self.read(7.0, at=2.0), (4.0,))

    def test_an_empty_reading_passes_and_changes_nothing(self) -> None:
        self.read(7.0, at=1.0)
        self.assertEqual(self.read(at=2.0), ())
        self.assertEqual(self.read(7.0, at=1.0), (2.0,))
        self.assertEqual(self.read(7.0, at=3.0), (4.0,))

    def test_an_empty_reading_may_be_the_first(self) -> None:
        self.assertEqual(self.read(at=0.0), ())
        self.assertEqual(self.read(7.0, at=0.0), (2.0,))

    def test_after_a_reset_even_the_last_sample_is_the_first(self) -> None:
        self.read(7.0, at=1.0)
        self.read(7.0, at=2.0)
        self.applied.reset()
        self.assertEqual(self.read(7.0, at=2.0), (2.0,))

    def test_a_reset_during_a_read_leaves_that_read_alone(self) -> None:
        self.read(7.0, at=1.0)
        running: Deferred[Sample] = Deferred()
        self.source.result = running
        read = self.applied.read()
        self.applied.reset()
        running.callback(Sample((9.0,), 2.0))
        self.assertEqual(self.successResultOf(read).watts, (2.0,))

    def test_who_goes_away_cancels_the_read(self) -> None:
        self.source.result = Deferred()
        read = self.applied.read()
        read.cancel()
        self.failureResultOf(read, CancelledError)
