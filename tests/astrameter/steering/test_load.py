"""The house load behind the grid reading."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import Sample
from astrameter.steering.load import (
    FROZEN_AFTER_S,
    HISTORY_S,
    METER_DELAY_S,
    LoadEstimate,
    PowerHistory,
)
from tests.astrameter.steering.rig import Pack


class History(SynchronousTestCase):
    def history(self, *reports: tuple[float, int]) -> PowerHistory:
        found = PowerHistory()
        for at, power_w in reports:
            found.add(at, power_w)
        return found

    def test_between_reports_it_is_interpolated(self) -> None:
        history = self.history((0, 0), (2, 100), (3, -100))
        for at, power_w in ((0, 0), (0.5, 25), (2, 100), (2.5, 0), (3, -100)):
            self.assertEqual(history.at(at), power_w)

    def test_outside_of_them_the_nearest_counts(self) -> None:
        history = self.history((1, 50), (2, 100))
        self.assertEqual((history.at(-5), history.at(99)), (50, 100))

    def test_two_reports_of_the_same_moment(self) -> None:
        history = self.history((1, 50), (1, 100), (2, 200))
        self.assertEqual((history.at(0.9), history.at(1.5)), (50, 150))

    def test_old_reports_are_forgotten(self) -> None:
        history = self.history((0, 0), (HISTORY_S, 10), (HISTORY_S + 1, 20))
        self.assertEqual(history.at(0), 10)

    def test_a_burst_is_bounded(self) -> None:
        history = self.history(*[(i / 1000, i) for i in range(5000)])
        self.assertLessEqual(len(history._times), 64)
        self.assertEqual(history.at(9), 4999)


class Estimate(SynchronousTestCase):
    def setUp(self) -> None:
        self.load = LoadEstimate()
        self.packs = {name: Pack(name) for name in "abc"}

    def report(self, name: str, at: float, power_w: int) -> None:
        self.packs[name].power_w = power_w
        self.load.report(name, power_w, at)

    def update(self, watts: float, at: float, names: str = "a") -> float:
        return self.load.update(Sample((watts,), at), [self.packs[name] for name in names])

    def test_batteries_are_added_as_of_the_time_of_the_measurement(self) -> None:
        self.report("a", 10, 0)
        self.report("a", 11, 400)
        self.assertEqual(self.update(500, 11 + METER_DELAY_S), 900)
        self.assertEqual(self.update(600, 10 + METER_DELAY_S), 600)
        self.assertEqual(self.update(700, 10.5 + METER_DELAY_S), 900)

    def test_a_step_of_a_battery_is_no_step_of_the_load(self) -> None:
        """The meter sees it half a second later than the battery reports it."""
        for tick in range(100):
            now = tick / 10
            self.report("a", now, 0 if now < 5 else 300)
            seen_w = 800 if now - METER_DELAY_S < 5 else 500
            self.assertEqual(self.update(seen_w, now), 800, now)

    def test_only_those_who_are_named_count(self) -> None:
        self.report("a", 10, 100)
        self.report("b", 10, 1000)
        self.assertEqual(self.update(0, 11, "a"), 100)
        self.assertEqual(self.update(1, 12, "ab"), 1101)

    def test_what_a_battery_does_after_the_sample_does_not_count(self) -> None:
        self.report("a", 10, 0)
        sample = Sample((500.0,), 10.5)
        self.assertEqual(self.load.update(sample, [self.packs["a"]]), 500)
        for at in range(11, 60):
            self.report("a", at, 500)
            self.assertEqual(self.load.update(sample, [self.packs["a"]]), 500)

    def test_nor_when_a_filter_makes_a_new_sample_of_the_old_one_every_time(self) -> None:
        self.report("a", 10, 0)
        for at in range(11, 60):
            self.report("a", at, 500)
            self.assertEqual(self.update(500, 10.5), 500)

    def test_a_meter_that_says_the_same_for_long_is_taken_for_frozen(self) -> None:
        self.report("a", 10, 0)
        self.assertEqual(self.update(500, 10.5), 500)
        bound_w = 500 + 100 * FROZEN_AFTER_S
        for at in range(11, 200):
            self.report("a", at, 100 * (at - 10))
            self.assertLessEqual(self.update(500, at + 0.5), bound_w)
        self.assertEqual(self.update(501, 200), 501 + 18_900)

    def test_a_quiet_house_is_measured_to_the_end_first(self) -> None:
        """The meter is quicker than assumed: when its value is final, the reports are not yet."""
        self.report("a", 10, 0)
        self.report("a", 10.5, 200)
        self.assertEqual(self.update(300, 10.5), 300)
        self.report("a", 11.5, 200)
        self.assertEqual(self.update(300, 11.5), 500)

    def test_a_battery_that_joins_between_two_samples_is_counted(self) -> None:
        self.report("a", 10, 400)
        sample = Sample((200.0,), 10.0)
        self.assertEqual(self.load.update(sample, [self.packs["a"]]), 600)
        self.report("b", 10.1, 400)
        both = [self.packs["a"], self.packs["b"]]
        self.assertEqual(self.load.update(sample, both), 1000)
        self.report("b", 11, 900)
        self.assertEqual(self.load.update(sample, both), 1000)

    def test_what_a_battery_that_leaves_delivered_stays_until_the_next_sample(self) -> None:
        self.report("a", 10, 400)
        self.report("b", 10, 400)
        sample = Sample((200.0,), 10.0)
        self.assertEqual(self.load.update(sample, list(self.packs.values())[:2]), 1000)
        self.load.forget("b")
        self.assertEqual(self.load.update(sample, [self.packs["a"]]), 1000)
        self.assertEqual(self.update(600, 11), 1000)

    def test_a_battery_whose_history_was_forgotten_counts_as_it_reported_last(self) -> None:
        self.report("a", 10, 400)
        self.load.forget("a")
        self.assertEqual(self.update(100, 11), 500)

    def test_forgetting_somebody_unknown_does_nothing(self) -> None:
        self.load.forget("nobody")
        self.assertEqual(self.update(5, 1, ""), 5)
