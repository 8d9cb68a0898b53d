"""The bus: observers get everything they can take, and can disturb nobody."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from astrameter.events import DELIVERIES_PER_TURN, Bus, Subscription


@dataclass(frozen=True)
class Happened:
    number: int


@dataclass(frozen=True)
class HappenedElsewhere(Happened):
    pass


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.bus = Bus(self.clock)
        self.heard: list[int] = []

    def hear(self, event: Happened) -> None:
        self.heard.append(event.number)

    def publish(self, *numbers: int) -> None:
        for number in numbers:
            self.bus.publish(Happened(number))

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(0)


class Delivery(Case):
    def test_no_observer_runs_before_the_next_turn(self) -> None:
        self.bus.subscribe(Happened, self.hear, name="test")
        self.publish(1, 2)
        self.assertEqual(self.heard, [])
        self.turn()
        self.assertEqual(self.heard, [1, 2])

    def test_an_event_that_nobody_wants_costs_nothing(self) -> None:
        self.publish(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_events_of_exactly_one_type_are_delivered(self) -> None:
        self.bus.subscribe(Happened, self.hear, name="test")
        self.bus.publish(HappenedElsewhere(1))
        self.bus.publish("something else")
        self.turn()
        self.assertEqual(self.heard, [])

    def test_every_observer_gets_every_event(self) -> None:
        others: list[int] = []
        self.bus.subscribe(Happened, self.hear, name="one")
        self.bus.subscribe(Happened, lambda e: others.append(e.number), name="other")
        self.publish(1, 2)
        self.turn()
        self.assertEqual((self.heard, others), ([1, 2], [1, 2]))

    def test_what_an_observer_publishes_comes_when_it_has_returned(self) -> None:
        done: list[int] = []

        def answer(event: Happened) -> None:
            self.hear(event)
            if event.number < 3:
                self.publish(event.number + 1)
            done.append(event.number)

        self.bus.subscribe(Happened, answer, name="test")
        self.publish(1)
        self.turn()
        self.assertEqual((self.heard, done), ([1, 2, 3], [1, 2, 3]))

    def test_a_burst_is_delivered_in_portions(self) -> None:
        self.bus.subscribe(Happened, self.hear, name="test")
        self.publish(*range(2 * DELIVERIES_PER_TURN + 20))
        heard = []
        while self.clock.calls:
            self.clock.calls.pop(0).func()
            heard.append(len(self.heard))
        self.assertEqual(heard, [50, 100, 120])
        self.assertEqual(self.heard, list(range(120)))

    def test_one_timer_serves_a_burst(self) -> None:
        self.bus.subscribe(Happened, self.hear, name="test")
        self.publish(*range(30))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_wants_says_whether_anybody_listens(self) -> None:
        self.assertFalse(self.bus.wants(Happened))
        subscription = self.bus.subscribe(Happened, self.hear, name="test")
        self.assertTrue(self.bus.wants(Happened))
        self.assertFalse(self.bus.wants(HappenedElsewhere))
        self.bus.unsubscribe(subscription)
        self.assertFalse(self.bus.wants(Happened))


class Overflow(Case):
    def test_the_oldest_events_make_room_and_are_counted(self) -> None:
        subscription = self.bus.subscribe(Happened, self.hear, name="test", limit=3)
        with capturedLogs() as events:
            self.publish(*range(10))
        self.turn()
        self.assertEqual(self.heard, [7, 8, 9])
        self.assertEqual(subscription.dropped, 7)
        (warning,) = events
        self.assertEqual((warning["log_level"], warning["name"]), (LogLevel.warn, "test"))

    def test_one_slow_observer_costs_the_others_nothing(self) -> None:
        slow = self.bus.subscribe(Happened, lambda _e: Deferred(), name="slow", limit=2)
        quick = self.bus.subscribe(Happened, self.hear, name="quick", limit=2)
        for number in range(10):
            self.publish(number)
            self.turn()
        self.assertEqual(self.heard, list(range(10)))
        self.assertEqual((slow.dropped, quick.dropped), (7, 0))


class Failing(Case):
    def test_one_that_raises_goes_on_with_the_next_event(self) -> None:
        def fail(event: Happened) -> None:
            self.hear(event)
            raise RuntimeError("broken")

        subscription = self.bus.subscribe(Happened, fail, name="test")
        self.publish(1, 2, 3)
        self.turn()
        self.assertEqual(self.heard, [1, 2, 3])
        self.assertEqual(subscription.failed, 3)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_one_that_raises_does_not_keep_events_from_others(self) -> None:
        self.bus.subscribe(Happened, lambda _e: 1 / 0, name="broken")  # type: ignore[arg-type, return-value]
        self.bus.subscribe(Happened, self.hear, name="test")
        self.publish(1)
        self.turn()
        self.assertEqual(self.heard, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class Slow(Case):
    """An observer that returns a Deferred."""

    def setUp(self) -> None:
        super().setUp()
        self.working: list[Deferred[None]] = []
        self.subscription = self.bus.subscribe(Happened, self.work, name="test", limit=5)

    def work(self, event: Happened) -> Deferred[None]:
        self.hear(event)
        self.working.append(Deferred())
        return self.working[-1]

    def test_it_gets_the_next_event_when_it_is_ready(self) -> None:
        self.publish(1, 2)
        self.turn(3)
        self.assertEqual(self.heard, [1])
        self.working[0].callback(None)
        self.assertEqual(self.heard, [1])
        self.turn()
        self.assertEqual(self.heard, [1, 2])

    def test_while_it_works_the_queue_is_bounded(self) -> None:
        self.publish(0)
        self.turn()
        self.publish(*range(1, 100))
        self.assertEqual(self.subscription.dropped, 94)
        for _ in range(5):
            self.working[-1].callback(None)
            self.turn()
        self.assertEqual(self.heard, [0, 95, 96, 97, 98, 99])

    def test_a_failure_is_counted_and_the_next_event_comes(self) -> None:
        self.publish(1, 2)
        self.turn()
        self.working[0].errback(Failure(RuntimeError("broken")))
        self.turn()
        self.assertEqual((self.heard, self.subscription.failed), ([1, 2], 1))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_one_that_is_ready_at_once_is_as_quick_as_any(self) -> None:
        self.bus.subscribe(Happened, lambda _e: succeed(None), name="quick")
        quick = self.bus.subscribe(Happened, lambda e: succeed(self.hear(e)), name="quick")
        self.bus.unsubscribe(self.subscription)
        self.publish(1, 2, 3)
        self.turn(2)
        self.assertEqual(self.heard, [1, 2, 3])
        self.assertEqual(quick.dropped, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Unsubscribing(Case):
    def test_nothing_more_is_delivered_not_even_what_is_queued(self) -> None:
        subscription = self.bus.subscribe(Happened, self.hear, name="test")
        self.publish(1)
        self.bus.unsubscribe(subscription)
        self.publish(2)
        self.turn()
        self.assertEqual(self.heard, [])

    def test_nothing_is_left_on_the_clock(self) -> None:
        subscription = self.bus.subscribe(Happened, self.hear, name="test")
        self.publish(1)
        self.bus.unsubscribe(subscription)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_observer_may_leave_while_it_is_told_something(self) -> None:
        def leave(event: Happened) -> None:
            self.hear(event)
            self.bus.unsubscribe(subscription)

        subscription = self.bus.subscribe(Happened, leave, name="test")
        self.publish(1, 2, 3)
        self.turn(2)
        self.assertEqual(self.heard, [1])

    def test_one_that_is_still_at_work_ends_in_peace(self) -> None:
        working: Deferred[None] = Deferred()
        subscription = self.bus.subscribe(Happened, lambda _e: working, name="test")
        self.publish(1, 2)
        self.turn()
        self.bus.unsubscribe(subscription)
        working.callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_others_stay(self) -> None:
        gone = self.bus.subscribe(Happened, lambda _e: None, name="gone")
        self.bus.subscribe(Happened, self.hear, name="test")
        self.bus.unsubscribe(gone)
        self.publish(1)
        self.turn()
        self.assertEqual(self.heard, [1])

    def test_an_unknown_subscription_is_ignored(self) -> None:
        self.bus.unsubscribe(Subscription(self.clock, "unknown", self.hear, 1))
        gone = self.bus.subscribe(Happened, self.hear, name="test")
        for _ in range(2):
            self.bus.unsubscribe(gone)
