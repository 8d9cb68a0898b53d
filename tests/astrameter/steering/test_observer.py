"""The house load behind the reading, and the age of the reading."""

from __future__ import annotations

import math
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import Sample
from astrameter.steering.alignment import Alignment
from astrameter.steering.history import PowerHistory
from astrameter.steering.observer import LoadObserver


def at_rest(power_w: int = 0) -> PowerHistory:
    history = PowerHistory()
    history.add(0.0, power_w)
    history.target_w = power_w
    return history


class Observing(SynchronousTestCase):
    def setUp(self) -> None:
        self.observer = LoadObserver()
        self.source = Random(3)

    def watch(self, load_w: float, since: int, until: int, noise_w: float = 5.0) -> None:
        history = at_rest(200)
        for second in range(since, until):
            grid_w = load_w - 200 + self.source.uniform(-noise_w, noise_w)
            self.observer.observe(Sample((grid_w,), float(second)), [history])
            self.observer.advance(float(second))

    def load_w(self) -> float:
        assert self.observer.load_w is not None
        return self.observer.load_w

    def test_the_batteries_are_part_of_the_load(self) -> None:
        self.watch(700, 0, 30)
        self.assertApproximates(self.load_w(), 700, 8)

    def test_a_step_is_followed_at_once_and_noise_is_not(self) -> None:
        self.watch(700, 0, 30)
        self.watch(1700, 30, 31)
        self.assertApproximates(self.load_w(), 1700, 8)
        self.watch(1700, 31, 61, 30.0)
        self.assertApproximates(self.load_w(), 1700, 25)

    def test_what_comes_and_goes_again_and_again_is_waited_out(self) -> None:
        self.watch(700, 0, 30)
        for start in range(30, 90, 10):
            self.watch(900, start, start + 3)
            self.watch(700, start + 3, start + 10)
        self.watch(900, 90, 92)
        self.assertApproximates(self.load_w(), 700, 25)
        self.watch(900, 92, 110)
        self.assertApproximates(self.load_w(), 900, 25)

    def test_a_frozen_meter_says_nothing(self) -> None:
        history = at_rest()
        self.observer.observe(Sample((300.0,), 0.0), [history])
        for second in range(5, 60):
            history.add(float(second), 10 * second)
            self.observer.observe(Sample((300.0,), float(second)), [history])
        self.assertApproximates(self.load_w(), 300, 20)

    def test_in_a_calm_house_errors_of_6_w_are_no_noise(self) -> None:
        self.watch(700, 0, 60, noise_w=3.0)
        self.assertEqual(self.observer.dead_zone_w, 5.0)
        self.watch(700, 60, 120, noise_w=60.0)
        self.assertGreater(self.observer.dead_zone_w, 7.0)

    def test_no_number_is_no_reading(self) -> None:
        self.watch(700, 0, 5)
        for power_w in (float("nan"), float("inf")):
            self.observer.observe(Sample((power_w,), 6.0), [at_rest()])
        self.assertApproximates(self.load_w(), 700, 10)

    def test_who_joins_was_part_of_the_house(self) -> None:
        self.watch(700, 0, 5)
        before_w = self.load_w()
        self.observer.shift(150.0)
        self.assertEqual(self.load_w(), before_w + 150)


class Aligning(SynchronousTestCase):
    def test_the_age_of_the_readings_is_found_out(self) -> None:
        for late_s in (0.0, 2.0):
            observer = LoadObserver()
            history = at_rest()
            outputs = [0] * 4
            for second in range(4, 200):
                power_w = 600 if second // 7 % 2 else 0
                outputs.append(power_w)
                history.add(float(second), power_w)
                history.target_w = power_w
                grid_w = 500.0 - outputs[second - round(late_s)] + second % 3
                observer.observe(Sample((grid_w,), second + 0.1), [history])
            self.assertApproximates(observer.alignment.age_s, late_s + 0.1, 0.9)

    def test_so_are_batteries_that_jump_as_soon_as_they_are_answered(self) -> None:
        alignment, history = Alignment(), at_rest()
        output_w = wrong = 0
        for second in range(4, 120):
            history.add(float(second), output_w)
            output_w = 600 if second // 7 % 2 else 0
            history.target_w = output_w
            # Measured between this poll and the next: the meter shows it, a report does not yet.
            found = alignment.align(500.0 - output_w, second + 0.5, [history])
            wrong += second >= 60 and abs(found.load_w - 500.0) > 1
        self.assertEqual(wrong, 0)


class Histories(SynchronousTestCase):
    def test_held_and_moving(self) -> None:
        history = PowerHistory(100.0)
        for at, power_w in ((1.0, 0), (2.0, 50), (4.0, 450)):
            history.add(at, power_w)
        history.target_w = 1000
        self.assertEqual([history.held_at(t) for t in (0.0, 1.9, 2.0, 9.0)], [0, 0, 50, 450])
        self.assertEqual([history.moving_at(t) for t in (1.25, 3.0, 5.0)], [25, 150, 550])
        self.assertEqual(history.latest_w, 450)

    def test_what_comes_next_and_the_highest_of_late(self) -> None:
        history = PowerHistory()
        for at, power_w in ((1.0, 700), (2.0, 50), (4.0, 450)):
            history.add(at, power_w)
        history.target_w = 1000
        self.assertEqual([history.next_at(t) for t in (0.0, 1.5, 3.9, 4.5)], [700, 50, 450, 1000])
        self.assertEqual([history.highest_w(t) for t in (0.0, 1.5, 5.0)], [700, 450, -math.inf])

    def test_it_stays_small_whatever_the_times(self) -> None:
        history = PowerHistory()
        for number in range(1000):
            history.add(number / 100, number)
        history.add(-5.0, 7)
        self.assertEqual(history.latest_w, 7)
        self.assertLessEqual(len(history._times), 64)
