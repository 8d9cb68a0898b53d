"""The base of the meters that push (meters.md section 1)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter.meters.interface import IMeter
from astrameter.meters.pushed import MAX_WAITING, PushedMeter, Values, Waiters
from astrameter.reading import MeterError, Sample


class Reading(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100.0)
        self.meter = PushedMeter(self.clock, "PUSHED")
        self.meter.startService()
        self.addCleanup(self.meter.stopService)

    def kind_of(self, failing: Deferred[Any]) -> str:
        return str(self.failureResultOf(failing, MeterError).value.kind)

    def test_it_is_a_meter(self) -> None:
        self.assertTrue(verifyObject(IMeter, self.meter))

    def test_without_a_reading_there_is_no_data(self) -> None:
        self.assertEqual(self.kind_of(self.meter.read()), "no_data")

    def test_the_last_reading_is_kept_with_the_time_it_arrived(self) -> None:
        self.meter.arrived([1, -2.5, 3])
        self.clock.advance(1000.0)
        self.assertEqual(self.successResultOf(self.meter.read()), Sample((1.0, -2.5, 3.0), 100.0))

    def test_a_source_may_know_better_when_it_measured(self) -> None:
        self.meter.arrived([1], measured_at=97.5)
        self.assertEqual(self.successResultOf(self.meter.read()).measured_at, 97.5)

    def test_a_reading_that_is_no_number_is_refused_and_wakes_nobody(self) -> None:
        self.meter.arrived([1])
        waiting = self.meter.next_sample(2.0)
        with self.assertRaises(MeterError):
            self.meter.arrived([1, float("nan")])
        self.assertEqual(self.successResultOf(self.meter.read()).watts, (1.0,))
        self.assertNoResult(waiting)

    def test_a_reading_can_be_withdrawn(self) -> None:
        self.meter.arrived([1])
        self.meter.store(None)
        self.assertEqual(self.kind_of(self.meter.read()), "no_data")

    def test_with_an_age_limit_an_old_reading_is_stale(self) -> None:
        meter = PushedMeter(self.clock, "PUSHED", max_age_s=30.0)
        meter.connected = True
        meter.arrived([1])
        self.clock.advance(30.0)
        self.assertEqual(self.successResultOf(meter.read()).watts, (1.0,))
        self.assertTrue(meter.online)
        self.clock.advance(0.1)
        self.assertEqual(self.kind_of(meter.read()), "stale")
        self.assertFalse(meter.online)

    def test_online_needs_the_stream_and_a_reading(self) -> None:
        seen = [self.meter.online]
        self.meter.connected = True
        seen.append(self.meter.online)
        self.meter.arrived([1])
        seen.append(self.meter.online)
        self.meter.connected = False
        seen.append(self.meter.online)
        self.assertEqual(seen, [False, False, True, False])

    def test_first_sample_is_there_at_once_when_there_is_one(self) -> None:
        self.meter.arrived([1])
        self.successResultOf(self.meter.first_sample(30.0))

    def test_first_sample_waits_for_one(self) -> None:
        waiting = self.meter.first_sample(30.0)
        self.meter.wake()
        self.assertNoResult(waiting)
        self.meter.arrived([1])
        self.successResultOf(waiting)

    def test_first_sample_fails_after_its_time(self) -> None:
        waiting = self.meter.first_sample(30.0)
        self.clock.advance(29.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.assertEqual(self.kind_of(waiting), "no_data")

    def test_first_sample_fails_when_the_meter_stops(self) -> None:
        waiting = self.meter.first_sample(30.0)
        self.meter.stopService()
        self.assertEqual(self.kind_of(waiting), "no_data")
        self.assertEqual(self.kind_of(self.meter.first_sample(30.0)), "no_data")

    def test_next_sample_waits_for_one_that_comes_after_the_call(self) -> None:
        self.meter.arrived([1])
        waiting = self.meter.next_sample(2.0)
        self.assertNoResult(waiting)
        self.clock.advance(1.0)
        self.meter.arrived([2])
        self.successResultOf(waiting)
        self.assertEqual(self.successResultOf(self.meter.read()).watts, (2.0,))

    def test_next_sample_gives_up_quietly(self) -> None:
        waiting = self.meter.next_sample(2.0)
        self.clock.advance(1.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.successResultOf(waiting)

    def test_all_who_wait_see_the_same_sample(self) -> None:
        seen: list[tuple[float, ...]] = []
        for _ in range(5):
            waiting: Deferred[Sample] = self.meter.next_sample(2.0).addCallback(
                lambda _: self.meter.read()
            )
            waiting.addCallback(lambda sample: seen.append(sample.watts))
            self.clock.advance(0.1)
        self.meter.arrived([7])
        self.assertEqual(seen, [(7.0,)] * 5)

    def test_a_stopped_meter_lets_go_and_keeps_nobody_waiting(self) -> None:
        waiting = self.meter.next_sample(2.0)
        self.meter.stopService()
        self.successResultOf(waiting)
        self.successResultOf(self.meter.next_sample(2.0))
        self.assertFalse(self.meter.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Waiting(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.waiters = Waiters(self.clock)
        self.addCleanup(self.waiters.stop)

    def fired(self, waits: list[Deferred[None]]) -> list[bool]:
        return [one.called for one in waits]

    def test_many_wait_on_one_timer(self) -> None:
        waits = []
        for _ in range(100):
            waits.append(self.waiters.wait(2.0))
            self.clock.advance(0.001)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.waiters.release()
        self.assertTrue(all(self.fired(waits)))
        self.waiters.wait(2.0)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_each_has_its_own_deadline(self) -> None:
        waits = [self.waiters.wait(seconds) for seconds in (2.0, 0.5, 1.0, 30.0)]
        timeline = []
        for _ in range(4):
            self.clock.advance(0.5)
            timeline.append(self.fired(waits))
        self.assertEqual(
            timeline,
            [
                [False, True, False, False],
                [False, True, True, False],
                [False, True, True, False],
                [True, True, True, False],
            ],
        )
        self.clock.advance(28.0)
        self.assertTrue(all(self.fired(waits)))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_timer_left_over_from_an_event_takes_nobody_by_mistake(self) -> None:
        self.waiters.wait(2.0)
        self.clock.advance(1.0)
        self.waiters.release()
        later = self.waiters.wait(2.0)
        self.clock.advance(1.5)
        self.assertNoResult(later)
        self.clock.advance(0.5)
        self.successResultOf(later)

    def test_one_who_leaves_disturbs_nobody(self) -> None:
        leaving, staying = self.waiters.wait(2.0), self.waiters.wait(2.0)
        leaving.addErrback(lambda _: None)
        leaving.cancel()
        self.waiters.release()
        self.successResultOf(staying)

    def test_one_who_waits_again_when_woken_waits_for_the_next_event(self) -> None:
        again: list[Deferred[None]] = []
        self.waiters.wait(2.0).addCallback(lambda _: again.append(self.waiters.wait(2.0)))
        self.waiters.release()
        self.assertNoResult(again[0])
        self.waiters.release()
        self.successResultOf(again[0])

    def test_one_who_waits_again_at_the_timeout_has_the_full_time(self) -> None:
        again: list[Deferred[None]] = []
        self.waiters.wait(2.0).addCallback(lambda _: again.append(self.waiters.wait(2.0)))
        self.clock.advance(2.0)
        self.clock.advance(1.9)
        self.assertNoResult(again[0])
        self.clock.advance(0.1)
        self.successResultOf(again[0])

    def test_no_patience_is_no_wait(self) -> None:
        self.successResultOf(self.waiters.wait(0.0))
        self.successResultOf(self.waiters.wait(-1.0))

    def test_the_number_of_those_who_wait_is_bounded(self) -> None:
        waits = [self.waiters.wait(2.0) for _ in range(MAX_WAITING + 1)]
        self.assertEqual(self.fired(waits[-2:]), [False, True])
        self.waiters.release()
        self.assertNoResult(self.waiters.wait(2.0))


class SeveralValues(SynchronousTestCase):
    def test_there_is_a_sample_when_all_are_there_as_old_as_the_oldest(self) -> None:
        values = Values(["l1", "l2"])
        self.assertEqual(values.missing, ("l1", "l2"))
        values.put(1, 20.0, 5.0)
        self.assertIsNone(values.sample())
        self.assertEqual(values.missing, ("l1",))
        values.put(0, 10.0, 7.0)
        self.assertEqual(values.sample(), Sample((10.0, 20.0), 5.0))
        values.put(1, 21.0, 8.0)
        self.assertEqual(values.sample(), Sample((10.0, 21.0), 7.0))
        values.drop(0)
        self.assertIsNone(values.sample())

    def test_no_streams_make_no_sample(self) -> None:
        self.assertIsNone(Values([]).sample())

    def test_what_is_not_finite_never_becomes_a_sample(self) -> None:
        values = Values(["l1"])
        values.put(0, float("inf"), 1.0)
        with self.assertRaises(MeterError):
            values.sample()
