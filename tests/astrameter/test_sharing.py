"""One read for simultaneous readers."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import MeterError, Sample
from astrameter.sharing import SharedRead

SAMPLE = Sample((5.0,), 1.0)
LATER = Sample((6.0,), 2.0)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.started: list[Deferred[Sample]] = []
        self.cancelled: list[Deferred[Sample]] = []
        self.shared = SharedRead(self.start)

    def start(self) -> Deferred[Sample]:
        self.started.append(Deferred(self.cancelled.append))
        return self.started[-1]


class Sharing(Case):
    def test_readers_that_come_meanwhile_get_the_same_result(self) -> None:
        readers = [self.shared.read() for _ in range(3)]
        self.assertEqual(len(self.started), 1)
        self.started[0].callback(SAMPLE)
        for reader in readers:
            self.assertIs(self.successResultOf(reader), SAMPLE)

    def test_a_reader_that_comes_afterwards_starts_anew(self) -> None:
        self.shared.read()
        self.started[0].callback(SAMPLE)
        later = self.shared.read()
        self.assertNoResult(later)
        self.started[1].callback(LATER)
        self.assertIs(self.successResultOf(later), LATER)

    def test_a_source_that_answers_at_once(self) -> None:
        shared = SharedRead(lambda: succeed(SAMPLE))
        for _ in range(2):
            self.assertIs(self.successResultOf(shared.read()), SAMPLE)

    def test_a_failure_goes_to_every_reader(self) -> None:
        readers = [self.shared.read() for _ in range(3)]
        self.started[0].errback(MeterError("timeout", "too slow"))
        for reader in readers:
            self.failureResultOf(reader, MeterError)
        self.assertNoResult(self.shared.read())
        self.assertEqual(len(self.started), 2)

    def test_what_one_reader_makes_of_the_result_is_not_seen_by_others(self) -> None:
        first, second = self.shared.read(), self.shared.read()
        first.addCallback(lambda _: 1 / 0)
        self.started[0].callback(SAMPLE)
        self.failureResultOf(first, ZeroDivisionError)
        self.assertIs(self.successResultOf(second), SAMPLE)

    def test_one_that_reads_again_when_it_is_told_starts_anew(self) -> None:
        again: list[Deferred[Sample]] = []
        self.shared.read().addCallback(lambda _: again.append(self.shared.read()))
        other = self.shared.read()
        self.started[0].callback(SAMPLE)
        self.assertIs(self.successResultOf(other), SAMPLE)
        self.assertNoResult(again[0])
        self.started[1].callback(LATER)
        self.assertIs(self.successResultOf(again[0]), LATER)

    def test_a_start_that_raises_leaves_nothing_behind(self) -> None:
        def start() -> Deferred[Sample]:
            raise KeyError("a defect")

        shared = SharedRead(start)
        for _ in range(3):
            self.assertRaises(KeyError, shared.read)
        self.assertEqual(shared._waiting, [])


class Cancelling(Case):
    def test_one_that_leaves_does_not_disturb_the_others(self) -> None:
        first, second = self.shared.read(), self.shared.read()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.cancelled, [])
        self.started[0].callback(SAMPLE)
        self.assertIs(self.successResultOf(second), SAMPLE)

    def test_the_read_is_given_up_when_the_last_one_leaves(self) -> None:
        readers = [self.shared.read() for _ in range(3)]
        for reader in readers:
            self.assertEqual(self.cancelled, [])
            reader.cancel()
            self.failureResultOf(reader, CancelledError)
        self.assertEqual(self.cancelled, self.started)

    def test_after_that_a_reader_starts_anew(self) -> None:
        self.shared.read().addErrback(lambda _: None).cancel()
        reader = self.shared.read()
        self.assertEqual(len(self.started), 2)
        self.started[1].callback(SAMPLE)
        self.assertIs(self.successResultOf(reader), SAMPLE)

    def test_a_source_that_answers_its_cancellation_is_ignored(self) -> None:
        shared = SharedRead(lambda: Deferred(lambda d: d.callback(SAMPLE)))
        for _ in range(2):
            reader = shared.read()
            reader.cancel()
            self.failureResultOf(reader, CancelledError)
        self.assertEqual(shared._waiting, [])

    def test_one_that_makes_another_leave_when_it_is_told_leaves_none_hanging(self) -> None:
        first, second, third = (self.shared.read() for _ in range(3))
        first.addCallback(lambda _: second.cancel())
        self.started[0].callback(SAMPLE)
        self.failureResultOf(second, CancelledError)
        self.assertIs(self.successResultOf(third), SAMPLE)
        self.assertNoResult(self.shared.read())

    def test_one_that_makes_another_leave_and_reads_again_keeps_its_new_read(self) -> None:
        first, second = self.shared.read(), self.shared.read()
        again: list[Deferred[Sample]] = []

        def told(_sample: Sample) -> None:
            again.append(self.shared.read())
            second.cancel()

        first.addCallback(told)
        self.started[0].callback(SAMPLE)
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.cancelled, [])
        self.started[1].callback(LATER)
        self.assertIs(self.successResultOf(again[0]), LATER)

    def test_cancelling_a_reader_that_was_told_does_nothing(self) -> None:
        first = self.shared.read()
        self.started[0].callback(SAMPLE)
        second = self.shared.read()
        first.cancel()
        self.assertEqual(self.cancelled, [])
        self.started[1].errback(Failure(MeterError("timeout", "too slow")))
        self.failureResultOf(second, MeterError)
