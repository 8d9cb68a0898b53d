"""One poll: what is lost, what is refused, and what counts as a conflict."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import Sample
from astrameter.steering.controller import Steering
from simulator.batteries.battery import Battery
from simulator.evaluation.cases import cases
from simulator.evaluation.exchange import START_S, Exchange, options_of
from simulator.evaluation.recording import Recording
from simulator.evaluation.scenarios import battery

HOUSE_W = 600.0


class Lossy(SynchronousTestCase):
    def polled(self, *lost: bool) -> tuple[Battery, Recording]:
        """Polls until the script of losses is used up; the first poll finds the phase."""
        script: Iterator[bool] = iter((False, False, *lost))
        one = Battery(battery(0, law="classic", stepping="poll"), START_S)
        run = Recording([], 60.0)
        exchange = Exchange(options_of({}), Steering, [one], run, lost=lambda: next(script))
        for second in range(1 + len(lost) // 2):
            now = START_S + second
            poll = exchange.asked(one, now)
            if poll is not None:
                sample = Sample((HOUSE_W - one.power_w, 0.0, 0.0), now)
                exchange.answer(one, poll, sample, now)
        self.assertIsNone(next(script, None), "all of the script was used")
        return one, run

    def test_an_answer_that_arrives_moves_the_battery(self) -> None:
        self.assertGreater(self.polled(*[False] * 6)[0].setpoint_w, 0)

    def test_an_answer_that_is_lost_does_not(self) -> None:
        one, run = self.polled(*[False, True] * 3)
        self.assertEqual(one.setpoint_w, 0)
        self.assertEqual((run.polls, run.unanswered), (4, 0))

    def test_the_age_of_a_reading_includes_the_latency_of_the_meter(self) -> None:
        one, run = Battery(battery(0), START_S), Recording([], 60.0)
        exchange = Exchange(options_of({}), Steering, [one], run, 2.5)
        poll = exchange.asked(one, START_S + 1)
        assert poll is not None
        exchange.answer(one, poll, Sample((0.0,), START_S), START_S + 1)
        self.assertEqual((run.age_sum_s, run.oldest_sample_s), (3.5, 3.5))


class Conflicts(SynchronousTestCase):
    def test_an_answer_to_who_finds_its_phase_is_none(self) -> None:
        # One charges with 200 W, the other asks for the first time.
        case = cases("field")["full_battery_low_pace"]
        self.assertEqual(case.play(1, Steering, {}).conflicts, 0)
