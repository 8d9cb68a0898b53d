"""The household that lives: repeatable, believable, and with events to be measured from."""

from __future__ import annotations

import itertools
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.plant import Plant, noise
from simulator.evaluation.script import Event
from simulator.evaluation.stochastic import (
    CALM_S,
    POWER_W,
    WORTH_A_MARK_W,
    living,
    loads,
    passing_clouds,
)
from simulator.household import Household

HOUR_S = 3600.0


def plant() -> Plant:
    return Plant(Household(noise(1), loads=loads()), [], 1.0, 0.0)


def hour(seed: int, duration_s: float = HOUR_S) -> list[Event]:
    return sorted(living(duration_s, Random(seed)), key=lambda one: one.at_s)


def watts(events: list[Event]) -> list[tuple[float, float]]:
    """What the appliances take from each event on."""
    house, found = plant(), []
    for event in events:
        event.action(house)
        loaded_w = sum(one.power_w for one in house.household.loads if one.active)
        found.append((event.at_s, loaded_w))
    return found


class Living(SynchronousTestCase):
    def test_the_same_seed_is_the_same_hour(self) -> None:
        def said(seed: int) -> list[tuple[float, str, float]]:
            events = hour(seed)
            powers = [power_w for _, power_w in watts(events)]
            return [(e.at_s, e.label, p) for e, p in zip(events, powers, strict=True)]

        self.assertEqual(said(3), said(3))
        self.assertNotEqual(said(3), said(4))

    def test_events_are_within_the_run(self) -> None:
        for seed in range(20):
            for event in hour(seed):
                self.assertTrue(0 < event.at_s < HOUR_S, event)

    def test_hours_of_many_houses_are_believable(self) -> None:
        means, peaks, marks = [], [], 0
        for seed in range(30):
            events = hour(seed)
            powers = watts(events)
            ends = [at_s for at_s, _ in powers[1:]] + [HOUR_S]
            energy = sum(
                power_w * (end_s - at_s)
                for (at_s, power_w), end_s in zip(powers, ends, strict=True)
            )
            means.append(energy / HOUR_S)
            peaks.append(max(power_w for _, power_w in powers))
            marks += sum(bool(event.label) for event in events)
        self.assertTrue(150 < sum(means) / 30 < 1500, means)
        self.assertTrue(2000 < max(peaks) < 9000, peaks)
        self.assertGreater(marks / 30, 3)

    def test_switching_is_correlated(self) -> None:
        """Switching on comes in bunches: its counts in ten minutes vary far more than those of
        independent switching, whose variance is their mean."""
        counts = []
        for seed in range(30):
            before_w, ons = 0.0, [0] * 6
            for at_s, power_w in watts(hour(seed)):
                ons[int(at_s // 600)] += power_w > before_w + 40
                before_w = power_w
            counts += ons
        mean = sum(counts) / len(counts)
        variance = sum((count - mean) ** 2 for count in counts) / len(counts)
        self.assertGreater(variance, 2 * mean)

    def test_every_switching_is_a_mark_or_ends_the_window_of_one(self) -> None:
        for event in hour(3):
            self.assertNotEqual(bool(event.label), event.disturbs)

    def test_marks_are_large_and_followed_by_calm(self) -> None:
        for seed in range(10):
            events = hour(seed)
            for one, after in itertools.pairwise(events):
                if one.label:
                    self.assertGreaterEqual(after.at_s - one.at_s, CALM_S)
                    self.assertGreaterEqual(POWER_W[one.label.rpartition("_")[0]], WORTH_A_MARK_W)


class Sky(SynchronousTestCase):
    def test_clouds_come_and_go_and_the_sun_stays_within_its_peak(self) -> None:
        house, found = plant(), []
        for event in passing_clouds(1900)(HOUR_S, Random(1)):
            event.action(house)
            found.append(house.household.solar_w)
        self.assertEqual(found[0], 0)
        self.assertLessEqual(max(found), 1900)
        drops = sum(after < before - 20 for before, after in itertools.pairwise(found))
        self.assertGreater(drops, 10)
