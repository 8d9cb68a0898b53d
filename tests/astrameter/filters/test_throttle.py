"""Reading a slow meter no faster than it can answer (filters.md section 4; see test_vectors)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter.filters.throttle import KEEP_INTERVALS, Throttle
from astrameter.meters.interface import ISource
from astrameter.reading import MeterError, Sample
from tests.doubles import StubMeter

INTERVAL_S = 2.0


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = 1000.0
        self.meter = StubMeter([100.0])
        self.throttle = Throttle(self.meter, INTERVAL_S, self.clock, "METER")

    def read(self) -> Deferred[Sample]:
        return self.throttle.read()

    def watts(self, reading: Deferred[Sample]) -> float:
        return self.successResultOf(reading).watts[0]


class Waiting(Case):
    def test_it_is_a_source(self) -> None:
        verifyObject(ISource, self.throttle)

    def test_the_first_read_never_waits(self) -> None:
        self.assertEqual(self.watts(self.read()), 100)

    def test_the_next_waits_for_the_rest_of_the_interval_and_is_fresh(self) -> None:
        self.read()
        self.clock.advance(0.5)
        reading = self.read()
        self.meter.reading = [200.0]
        self.clock.advance(1.499)
        self.assertNoResult(reading)
        self.assertEqual(self.meter.reads, 1)
        self.clock.advance(0.001)
        self.assertEqual(self.watts(reading), 200)

    def test_after_the_interval_nobody_waits(self) -> None:
        self.read()
        self.clock.advance(INTERVAL_S)
        self.assertEqual(self.watts(self.read()), 100)

    def test_one_that_comes_right_after_a_delivery_waits_a_whole_interval(self) -> None:
        self.read()
        first = self.read()
        self.clock.advance(INTERVAL_S)
        self.successResultOf(first)
        second = self.read()
        self.clock.advance(INTERVAL_S - 0.001)
        self.assertNoResult(second)
        self.clock.advance(0.001)
        self.successResultOf(second)

    def test_all_who_wait_share_one_read(self) -> None:
        self.read()
        readings = []
        for _ in range(7):
            readings.append(self.read())
            self.clock.advance(0.25)
        self.clock.advance(0.25)
        samples = [self.successResultOf(reading) for reading in readings]
        self.assertEqual(self.meter.reads, 2)
        self.assertTrue(all(sample is samples[0] for sample in samples))

    def test_the_interval_counts_from_the_end_of_a_slow_read(self) -> None:
        self.meter.reading = slow = Deferred()
        first = self.read()
        self.clock.advance(5)
        slow.callback([1.0])
        self.successResultOf(first)
        self.meter.reading = [2.0]
        second = self.read()
        self.clock.advance(INTERVAL_S - 0.001)
        self.assertNoResult(second)
        self.clock.advance(0.001)
        self.assertEqual(self.watts(second), 2)


class Failing(Case):
    def fail_until(self, seconds: float) -> list[bool]:
        """Whether the old reading stands in, read by read, while the meter fails."""
        self.meter.reading = "error"
        kept = []
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            reading = self.read()
            self.clock.advance(INTERVAL_S)
            found: list[Any] = []
            reading.addBoth(found.append)
            kept.append(isinstance(found[0], Sample))
        return kept

    def test_without_a_good_reading_the_failure_is_passed_on(self) -> None:
        self.assertEqual(self.fail_until(6), [False, False, False])

    def test_the_last_good_reading_stands_in_for_three_intervals_and_no_longer(self) -> None:
        self.read()
        self.assertEqual(KEEP_INTERVALS, 3)
        self.assertEqual(self.fail_until(12), [True, True, True, False, False, False])

    def test_its_time_of_measurement_tells_how_old_it_is(self) -> None:
        good = self.successResultOf(self.read())
        self.meter.reading = "error"
        reading = self.read()
        self.clock.advance(INTERVAL_S)
        self.assertIs(self.successResultOf(reading), good)

    def test_a_good_reading_starts_the_three_intervals_anew(self) -> None:
        self.read()
        self.fail_until(12)
        self.meter.reading = [7.0]
        reading = self.read()
        self.clock.advance(INTERVAL_S)
        self.assertEqual(self.watts(reading), 7)
        self.assertEqual(self.fail_until(8), [True, True, True, False])

    def test_a_failure_restarts_the_interval_whatever_failed(self) -> None:
        for reading in ("error", KeyError("a defect")):
            self.setUp()
            self.meter.reading = reading
            for _ in range(20):
                self.read().addErrback(lambda _: None)
                self.clock.advance(INTERVAL_S / 16)
            self.assertEqual(self.meter.reads, 2)

    def test_a_defect_is_not_covered_up(self) -> None:
        self.read()
        self.meter.reading = KeyError("a defect")
        reading = self.read()
        self.clock.advance(INTERVAL_S)
        self.failureResultOf(reading, KeyError)

    def test_everybody_who_waits_gets_the_failure(self) -> None:
        self.meter.reading = slow = Deferred()
        readings = [self.read(), self.read()]
        slow.callback("error")
        for reading in readings:
            self.failureResultOf(reading, MeterError)

    def test_it_is_told_once_when_it_begins_and_once_when_it_ends(self) -> None:
        self.read()
        with capturedLogs() as events:
            self.fail_until(20)
            self.meter.reading = [1.0]
            for _ in range(3):
                self.read()
                self.clock.advance(INTERVAL_S)
        self.assertEqual([e["log_level"] for e in events], [LogLevel.warn, LogLevel.info])
        self.assertTrue(all(e["section"] == "METER" for e in events))

    def test_failures_that_are_passed_on_are_told_by_who_gets_them(self) -> None:
        with capturedLogs() as events:
            self.fail_until(20)
        self.assertEqual(events, [])


class Cancelling(Case):
    def leave(self, reading: Deferred[Sample]) -> None:
        reading.cancel()
        self.failureResultOf(reading, CancelledError)

    def test_one_that_leaves_during_the_wait_does_not_disturb_the_others(self) -> None:
        self.read()
        first, second = self.read(), self.read()
        self.leave(first)
        self.clock.advance(INTERVAL_S)
        self.assertEqual(self.watts(second), 100)

    def test_the_last_one_that_leaves_takes_the_wait_off_the_clock(self) -> None:
        self.read()
        for reading in [self.read(), self.read()]:
            self.leave(reading)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.meter.reads, 1)

    def test_who_comes_after_that_waits_for_the_rest_of_the_same_interval(self) -> None:
        self.read()
        self.clock.advance(0.5)
        self.leave(self.read())
        self.clock.advance(0.5)
        reading = self.read()
        self.clock.advance(1)
        self.assertEqual(self.watts(reading), 100)

    def test_a_read_that_is_given_up_does_not_count(self) -> None:
        self.meter.reading = Deferred()
        self.leave(self.read())
        self.meter.reading = [5.0]
        self.assertEqual(self.watts(self.read()), 5)

    def test_a_read_that_is_given_up_is_no_failure_and_is_not_covered_up(self) -> None:
        self.read()
        self.clock.advance(INTERVAL_S)
        self.meter.reading = Deferred()
        with capturedLogs() as events:
            self.leave(self.read())
        self.assertEqual(events, [])

    def test_one_that_leaves_during_the_read_does_not_disturb_the_others(self) -> None:
        self.meter.reading = slow = Deferred()
        first, second = self.read(), self.read()
        self.leave(first)
        slow.callback([9.0])
        self.assertEqual(self.watts(second), 9)
