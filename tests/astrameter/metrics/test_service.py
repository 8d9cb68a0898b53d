"""When figures are gathered, and how late the loop is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.metrics.figures import Figures
from astrameter.metrics.service import LoopLag, Metrics
from astrameter.services import start, stop
from tests.astrameter.metrics.test_exposition import figures

ROOT = Path(__file__).parents[3]


class LateClock(Clock):
    """A reactor whose timers are called late."""

    def pass_late(self, late_s: float) -> None:
        """The next timer is due, and is called ``late_s`` after that."""
        self.rightNow = self.calls[0].getTime() + late_s
        self.advance(0)


class Lag(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = LateClock()
        self.lag = LoopLag(self.clock)

    def test_it_measures_how_late_its_timer_is(self) -> None:
        self.lag.start()
        for late_s in (0.0, 0.2, 0.03):
            self.clock.pass_late(late_s)
        self.assertAlmostEqual(self.lag.durations.sum_s, 0.23)
        self.assertEqual(sum(self.lag.durations.counts), 3)

    def test_the_worst_is_that_since_somebody_looked(self) -> None:
        self.lag.start()
        self.clock.pass_late(0.2)
        self.clock.pass_late(0.1)
        self.assertAlmostEqual(self.lag.take_worst_s(), 0.2)
        self.clock.pass_late(0.1)
        self.assertAlmostEqual(self.lag.take_worst_s(), 0.1)
        self.assertEqual(self.lag.take_worst_s(), 0.0)

    def test_it_is_started_once_and_stopped(self) -> None:
        self.lag.start()
        self.lag.start()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.lag.stop()
        self.lag.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Asking(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.gathered = 0
        self.metrics = Metrics(self.clock, self.gather)
        start(self.metrics)

    def gather(self, lag: LoopLag) -> Figures:
        self.gathered += 1
        return figures(uptime_s=self.clock.seconds(), lag=lag.durations)

    def test_nothing_is_done_until_somebody_asks(self) -> None:
        self.clock.advance(100)
        self.assertEqual(self.gathered, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_from_then_on_the_loop_is_watched(self) -> None:
        self.metrics.render()
        self.clock.pump([1] * 3)
        _, text = self.metrics.render()
        self.assertIn(b"astrameter_loop_lag_seconds_count 3.0", text)
        stop(self.metrics)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whoever_asks_too_often_gets_the_same_again(self) -> None:
        first = self.metrics.render()
        self.clock.advance(0.9)
        self.assertIs(self.metrics.render()[1], first[1])
        self.clock.advance(0.1)
        self.assertNotEqual(self.metrics.render(), first)
        self.assertEqual(self.gathered, 2)
        stop(self.metrics)

    def test_after_the_end_no_timer_is_started(self) -> None:
        stop(self.metrics)
        self.metrics.render()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_client_library_is_not_loaded_before(self) -> None:
        program = (
            "import sys, astrameter.daemon, astrameter.web.site\n"
            "print([m for m in sys.modules if m in ('prometheus_client', 'txredisapi')])"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        self.assertEqual(done.stdout, "[]\n")
