"""Courses: order of things, meters that fail, packets that get lost, batteries that go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.controller import Steering
from simulator.evaluation.course import Course, FreeMeter, Happening
from simulator.evaluation.drive import drive
from simulator.evaluation.metrics import event_results
from simulator.evaluation.recording import Recording
from simulator.evaluation.scenarios import battery


def course(*happenings: Happening, batteries: int = 1, **more: Any) -> Course:
    given: dict[str, Any] = {
        "duration_s": 120.0,
        "base_w": (300.0, 0.0, 0.0),
        "noise_w": 0.0,
        "first_polls_s": tuple(0.5 + 0.131 * i for i in range(batteries)),
        **more,
    }
    return Course(
        "c",
        tuple(battery(i, law="classic", stepping="poll") for i in range(batteries)),
        happenings=happenings,
        **given,
    )


def played(one: Course, seed: int = 1) -> Recording:
    return drive(one, seed, Steering)


def at(run: Recording, at_s: float) -> tuple[float, ...]:
    return next(o.outputs_w for o in run.observations if o.at_s == at_s)


class Time(SynchronousTestCase):
    def test_it_is_observed_every_half_second_from_the_beginning_to_the_end(self) -> None:
        run = played(course())
        self.assertEqual([o.at_s for o in run.observations], [0.5 * i for i in range(241)])

    def test_what_happens_is_seen_in_the_same_moment(self) -> None:
        run = played(course(Happening(60.0, "up", (1000.0, 0.0, 0.0))))
        before, then = (next(o for o in run.observations if o.at_s == t) for t in (59.5, 60.0))
        self.assertAlmostEqual(then.house_w - before.house_w, 1000)
        self.assertEqual(run.marks, [(60.0, "up")])

    def test_the_same_seed_gives_the_same_run_and_another_one_does_not(self) -> None:
        noisy = course(noise_w=20.0, lost_share=0.1)
        self.assertEqual(played(noisy).observations, played(noisy).observations)
        self.assertNotEqual(played(noisy, 2).observations, played(noisy).observations)


class Meters(SynchronousTestCase):
    def test_a_late_meter_shows_late(self) -> None:
        step = Happening(60.0, "up", (1000.0, 0.0, 0.0))
        quick, slow = (
            event_results(played(course(step, meter=FreeMeter(1.0, late_s))))[0].settle_s
            for late_s in (0.0, 4.0)
        )
        self.assertGreaterEqual(slow, quick + 3)

    def test_while_it_fails_the_battery_stays(self) -> None:
        run = played(
            course(
                Happening(60.0, action="meter_fail"),
                Happening(62.0, add_w=(500.0, 0.0, 0.0)),
                Happening(90.0, action="meter_ok"),
            )
        )
        self.assertEqual(at(run, 89.0), at(run, 60.0))
        self.assertGreater(at(run, 110.0)[0], at(run, 60.0)[0] + 400)

    def test_when_it_fails_for_long_the_fail_safe_takes_over(self) -> None:
        fails = Happening(60.0, action="meter_fail")
        run = played(course(fails, duration_s=240.0, options={"failsafe_power": 100.0}))
        self.assertGreater(at(run, 110.0)[0], 250)
        self.assertApproximates(at(run, 240.0)[0], 100, 10)

    def test_while_it_is_frozen_nothing_winds_up(self) -> None:
        run = played(
            course(
                Happening(60.0, action="meter_freeze"),
                Happening(62.0, add_w=(500.0, 0.0, 0.0)),
            )
        )
        self.assertApproximates(at(run, 120.0)[0], at(run, 60.0)[0], 30)

    def test_readings_are_dated_when_they_arrive(self) -> None:
        run = played(course(first_polls_s=(0.7,), meter=FreeMeter(1.0, 0.5)))
        # Measured at n s, there at n + 0.5 s, used at n + 0.7 s.
        self.assertApproximates(run.age_sum_s / run.polls, 0.7, 0.02)

    def test_the_age_of_readings_includes_what_the_meter_does_not_tell(self) -> None:
        run = played(course(meter=FreeMeter(5.0, 2.0)))
        self.assertGreaterEqual(run.oldest_sample_s, 6.0)


class Batteries(SynchronousTestCase):
    def test_who_goes_offline_delivers_nothing_and_asks_nothing(self) -> None:
        away = played(course(Happening(60.0, action="offline", battery=0)))
        self.assertEqual(at(away, 60.0), (0.0,))
        self.assertEqual(at(away, 120.0), (0.0,))
        self.assertEqual(away.polls, 60)

    def test_who_comes_back_goes_on_where_it_was(self) -> None:
        run = played(
            course(
                Happening(60.0, action="offline", battery=0),
                Happening(70.0, action="online", battery=0),
            )
        )
        self.assertGreater(at(run, 72.0)[0], 200)

    def test_who_comes_back_ramps_from_nothing(self) -> None:
        run = played(
            course(
                Happening(60.0, action="offline", battery=0),
                Happening(70.0, action="online", battery=0),
                base_w=(1500.0, 0.0, 0.0),
            )
        )
        self.assertGreater(at(run, 59.0)[0], 1400)
        self.assertLess(at(run, 71.0)[0], 500)

    def test_who_is_away_does_not_move_meanwhile_when_it_moves_continuously(self) -> None:
        away = course(
            Happening(60.2, action="offline", battery=0),
            Happening(70.4, action="online", battery=0),
        )
        run = played(away.with_batteries(lambda one: replace(one, stepping="continuous")))
        self.assertEqual({at(run, t) for t in (60.5, 65.0, 70.0, 70.5)}, {(0.0,)})
        self.assertGreater(at(run, 75.0)[0], 250)

    def test_who_is_silent_keeps_delivering(self) -> None:
        run = played(course(Happening(60.0, action="silent", battery=0)))
        self.assertEqual(at(run, 120.0), at(run, 60.0))
        self.assertEqual(run.polls, 60)

    def test_its_owner_can_set_it(self) -> None:
        run = played(
            course(
                Happening(40.0, action="manual_target", battery=1, value=-400.0),
                Happening(40.0, action="auto", battery=1, value=False),
                Happening(80.0, action="active", battery=0, value=False),
                batteries=2,
            )
        )
        self.assertApproximates(at(run, 75.0)[1], -400, 30)
        self.assertApproximates(at(run, 75.0)[0], 700, 40)
        self.assertApproximates(at(run, 110.0)[0], 0, 1)

    def test_an_empty_pack_delivers_nothing_and_its_energy_was_not_sold(self) -> None:
        run = played(course(Happening(60.0, action="set_soc", battery=0, value=0.0)))
        self.assertEqual(at(run, 110.0), (0.0,))
        self.assertLess(run.given_wh, -3000)

    def test_lost_datagrams_are_no_fault_of_ours(self) -> None:
        run = played(course(lost_share=0.3))
        self.assertEqual(run.unanswered, 0)
        self.assertApproximates(at(run, 120.0)[0], 300, 30)
