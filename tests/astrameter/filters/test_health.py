"""Remembering how the last read went (filters.md section 9)."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter.filters.health import Health, Outcome
from astrameter.meters.interface import ISource
from astrameter.reading import MeterError
from tests.doubles import StubMeter


class Recording(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = 1000.0
        self.meter = StubMeter([5.0])
        self.changes: list[str | None] = []
        self.forgotten = 0
        self.health = Health(self.meter, self.clock, self.changes.append, self.forget)

    def forget(self) -> None:
        self.forgotten += 1

    def fail(self) -> None:
        self.meter.reading = "error"
        self.failureResultOf(self.health.read(), MeterError)

    def test_it_is_a_source(self) -> None:
        verifyObject(ISource, self.health)

    def test_nothing_is_known_before_the_first_read(self) -> None:
        self.assertIsNone(self.health.last)

    def test_a_reading_passes_unaltered_and_is_remembered_with_its_time(self) -> None:
        sample = self.successResultOf(self.health.read())
        self.assertEqual(self.health.last, Outcome(1000.0, sample, None))

    def test_a_failure_passes_and_is_remembered_with_its_reason(self) -> None:
        self.fail()
        self.assertEqual(self.health.last, Outcome(1000.0, None, "the test wants it to fail"))

    def test_the_last_good_sample_outlives_failures(self) -> None:
        self.assertIsNone(self.health.good)
        sample = self.successResultOf(self.health.read())
        self.fail()
        self.assertIs(self.health.good, sample)

    def test_the_time_is_that_of_the_end_of_a_slow_read(self) -> None:
        self.meter.reading = slow = Deferred()
        reading = self.health.read()
        self.clock.advance(3)
        slow.callback([5.0])
        self.successResultOf(reading)
        assert self.health.last is not None
        self.assertEqual(self.health.last.at, 1003)

    def test_a_read_that_is_given_up_changes_nothing(self) -> None:
        self.successResultOf(self.health.read())
        before = self.health.last
        self.meter.reading = Deferred()
        reading = self.health.read()
        reading.addErrback(lambda _: None)
        reading.cancel()
        self.assertIs(self.health.last, before)
        self.assertEqual(self.changes, [None])

    def test_changes_are_told_and_nothing_else(self) -> None:
        for reading in ([1.0], [2.0], "error", "error", [3.0], [4.0]):
            self.meter.reading = reading
            self.health.read().addErrback(lambda _: None)
        self.assertEqual(self.changes, [None, "the test wants it to fail", None])

    def test_a_first_read_that_fails_is_a_change(self) -> None:
        self.fail()
        self.fail()
        self.assertEqual(self.changes, ["the test wants it to fail"])

    def test_a_reset_reaches_the_filters_inside_and_keeps_the_outcome(self) -> None:
        self.successResultOf(self.health.read())
        before = self.health.last
        self.health.reset()
        self.assertEqual((self.forgotten, self.health.last), (1, before))
