"""Reading a meter again and again."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.appliance import MeterBranch
from astrameter.config import ConfiguredMeter
from astrameter.doctor.meters import Watched
from astrameter.doctor.watching import LEAST_READS, MeterWatch
from astrameter.filters.health import Health
from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.options import Section
from astrameter.reading import MeterError
from tests.doubles import StubMeter

KIND = MeterKind(Section("STUB", MeterOptions, help=""), lambda *_: None, max_age_s=360.0)


class Watching(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.meter = StubMeter((5.0,))

    def watch(self, until: float, **options: Any) -> MeterWatch:
        configured = ConfiguredMeter("STUB", KIND, MeterOptions(**options))
        branch = MeterBranch(configured, self.meter, Health(self.meter, self.clock))
        watch = MeterWatch(self.clock, branch)
        self.done = Deferred.fromCoroutine(watch.run(until))
        return watch

    def finished(self, watch: MeterWatch) -> Watched:
        """What was seen when it has come to its end."""
        for _ in range(200):
            if self.done.called:
                break
            self.clock.advance(0.25)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return watch.watched()

    def test_a_meter_is_read_once_a_second_until_then(self) -> None:
        watched = self.finished(self.watch(6.0))
        self.assertEqual([read.at for read in watched.reads], [0, 1, 2, 3, 4, 5, 6])
        self.assertFalse(watched.pushed)

    def test_one_that_pushes_is_looked_at_more_often(self) -> None:
        self.meter.online = True
        watched = self.finished(self.watch(6.0))
        self.assertEqual(len(watched.reads), 25)
        self.assertTrue(watched.pushed)

    def test_a_few_reads_even_when_time_is_over(self) -> None:
        self.assertEqual(len(self.finished(self.watch(0.0)).reads), LEAST_READS)

    def test_a_failure_is_kept_with_its_reason(self) -> None:
        self.meter.reading = MeterError("timeout", "no answer")
        watched = self.finished(self.watch(0.0))
        self.assertEqual((watched.reads[0].error, watched.reads[0].kind), ("no answer", "timeout"))
        self.assertEqual((watched.good, watched.times), ([], []))

    def test_a_defect_of_a_meter_ends_nothing(self) -> None:
        self.meter.reading = ZeroDivisionError("oops")
        self.assertIn("a defect (ZeroDivisionError", self.finished(self.watch(0.0)).reads[0].error)

    def test_only_reads_of_its_own_are_timed(self) -> None:
        watch = self.watch(6.0)
        self.clock.advance(1.0)
        watch.alone = False
        self.assertEqual(len(self.finished(watch).times), 2)

    def test_the_limit_of_age_is_the_owner_s_or_the_kind_s(self) -> None:
        self.assertEqual(self.finished(self.watch(0.0)).max_age_s, 360.0)
        self.assertEqual(self.finished(self.watch(0.0, max_age=0.0)).max_age_s, 0.0)

    def test_it_can_be_given_up(self) -> None:
        watch = self.watch(60.0)
        self.clock.advance(1.0)
        self.done.cancel()
        self.failureResultOf(self.done)
        self.assertEqual(len(watch.watched().reads), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])
