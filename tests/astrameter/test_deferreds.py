"""Running, waiting and giving up in time."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from astrameter.deferreds import sleep, spawn


class Sleep(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def test_it_fires_exactly_after_its_time(self) -> None:
        waiting = sleep(self.clock, 2.0)
        self.clock.advance(1.999)
        self.assertNoResult(waiting)
        self.clock.advance(0.001)
        self.assertIsNone(self.successResultOf(waiting))

    def test_cancelled_it_leaves_nothing_on_the_clock(self) -> None:
        waiting = sleep(self.clock, 2.0)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_when_it_is_over_it_does_nothing(self) -> None:
        waiting = sleep(self.clock, 2.0)
        self.clock.advance(2)
        waiting.cancel()
        self.assertIsNone(self.successResultOf(waiting))


class Spawn(SynchronousTestCase):
    log = Logger()

    def spawn(self, waiting: Deferred[int]) -> Deferred[None]:
        async def work() -> int:
            return 1 // await waiting

        return spawn(work(), "the test's work", self.log)

    def test_it_ends_without_a_word(self) -> None:
        waiting: Deferred[int] = Deferred()
        with capturedLogs() as events:
            done = self.spawn(waiting)
            self.assertNoResult(done)
            waiting.callback(1)
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(events, [])

    def test_a_failure_is_logged_with_what_failed_and_ends_it(self) -> None:
        waiting: Deferred[int] = Deferred()
        with capturedLogs() as events:
            done = self.spawn(waiting)
            waiting.callback(0)
        self.assertIsNone(self.successResultOf(done))
        (event,) = events
        self.assertEqual(event["what"], "the test's work")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_cancelling_it_cancels_the_work_quietly(self) -> None:
        cancelled: list[Deferred[int]] = []
        with capturedLogs() as events:
            done = self.spawn(Deferred(cancelled.append))
            done.cancel()
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(events, [])
