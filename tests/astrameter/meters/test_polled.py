from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter.meters.interface import IMeter
from astrameter.meters.polled import PolledMeter
from astrameter.reading import MeterError, Sample


class Source:
    """What a meter fetches from; each fetch waits until the test answers it."""

    def __init__(self) -> None:
        self.asked: list[Deferred[Any]] = []
        self.closed: list[Deferred[None]] = []

    async def fetch(self) -> Sequence[float]:
        answer: Deferred[Sequence[float]] = Deferred()
        self.asked.append(answer)
        return await answer

    def close(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.closed.append(done)
        return done


class PolledMeterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.source = Source()
        self.meter = PolledMeter("X_1", self.clock, self.source.fetch, self.source.close)
        self.meter.startService()

    def failure(self, reading: Deferred[Sample]) -> tuple[str, str]:
        error = self.failureResultOf(reading, MeterError).value
        return error.kind, str(error)

    def test_it_is_a_meter(self) -> None:
        verifyObject(IMeter, self.meter)
        self.assertEqual((self.meter.section, self.meter.online), ("X_1", None))

    def test_nothing_is_asked_while_nobody_reads(self) -> None:
        self.clock.advance(3600)
        self.assertEqual(self.source.asked, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_reading_is_dated_when_it_arrives(self) -> None:
        reading = self.meter.read()
        self.clock.advance(1.5)
        self.source.asked[0].callback([1, 2.5])
        self.assertEqual(self.successResultOf(reading), Sample((1.0, 2.5), 1.5))

    def test_a_sample_keeps_its_own_time(self) -> None:
        reading = self.meter.read()
        self.clock.advance(1.5)
        self.source.asked[0].callback(Sample((7.0,), 0.5))
        self.assertEqual(self.successResultOf(reading), Sample((7.0,), 0.5))

    def test_fifty_simultaneous_readers_cause_one_read(self) -> None:
        readings = [self.meter.read() for _ in range(50)]
        self.assertEqual(len(self.source.asked), 1)
        self.source.asked[0].callback([7.0])
        self.assertEqual({self.successResultOf(r).watts for r in readings}, {(7.0,)})
        self.meter.read()
        self.assertEqual(len(self.source.asked), 2)

    def test_waiting_takes_no_time(self) -> None:
        self.assertIsNone(self.successResultOf(self.meter.first_sample(2.0)))
        self.assertIsNone(self.successResultOf(self.meter.next_sample(2.0)))

    def test_what_is_no_power_is_refused(self) -> None:
        reading = self.meter.read()
        self.source.asked[0].callback([1.0, float("nan")])
        self.assertEqual(
            self.failure(reading), ("not_numeric", "the meter delivered nan, which is not a power")
        )

    def test_the_sources_own_errors_pass(self) -> None:
        reading = self.meter.read()
        self.source.asked[0].errback(MeterError("timeout", "too slow"))
        self.assertEqual(self.failure(reading), ("timeout", "too slow"))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_defect_is_contained_and_logged_once(self) -> None:
        for _ in range(3):
            reading = self.meter.read()
            self.source.asked[-1].errback(KeyError("power"))
            self.assertEqual(
                self.failure(reading),
                ("bad_structure", "the answer cannot be understood (KeyError('power'))"),
            )
        reading = self.meter.read()
        self.source.asked[-1].callback(None)
        self.assertEqual(self.failure(reading)[0], "bad_structure")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_it_goes_on_after_a_failure(self) -> None:
        reading = self.meter.read()
        self.source.asked[0].errback(MeterError("timeout", "too slow"))
        self.failureResultOf(reading, MeterError)
        reading = self.meter.read()
        self.source.asked[1].callback([3.0])
        self.assertEqual(self.successResultOf(reading).watts, (3.0,))

    def test_it_answers_only_while_it_runs(self) -> None:
        idle = PolledMeter("X", self.clock, self.source.fetch)
        self.assertEqual(self.failure(idle.read()), ("no_data", "the meter is not running"))
        idle.startService()
        reading = idle.read()
        self.successResultOf(idle.stopService())
        self.assertEqual(self.failure(reading), ("no_data", "the meter was stopped"))
        self.assertEqual(self.failure(idle.read()), ("no_data", "the meter is not running"))

    def test_stopping_gives_up_the_read_and_waits_for_the_close(self) -> None:
        readings = [self.meter.read(), self.meter.read()]
        stopping = self.meter.stopService()
        self.assertTrue(self.source.asked[0].called)
        for reading in readings:
            self.assertEqual(self.failure(reading), ("no_data", "the meter was stopped"))
        self.assertNoResult(stopping)
        self.source.closed[0].callback(None)
        self.successResultOf(stopping)

    def test_it_can_be_started_again(self) -> None:
        self.meter.stopService()
        self.meter.startService()
        reading = self.meter.read()
        self.source.asked[0].callback([4.0])
        self.assertEqual(self.successResultOf(reading).watts, (4.0,))

    def test_the_last_reader_that_leaves_ends_the_read(self) -> None:
        first, second = self.meter.read(), self.meter.read()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertFalse(self.source.asked[0].called)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertTrue(self.source.asked[0].called)
        reading = self.meter.read()
        self.source.asked[1].callback([5.0])
        self.assertEqual(self.successResultOf(reading).watts, (5.0,))
