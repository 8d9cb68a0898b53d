"""The meter model: evaluation.md section 2, step 8."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import PhaseWatts
from simulator.gridmeter import GridMeter


class Ramp:
    """The grid power on phase A is the time; counts how often it was looked at."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self, now: float) -> PhaseWatts:
        self.looks += 1
        return (now, 0.04, -1.26)


class Reading(SynchronousTestCase):
    def shown(self, interval_s: float, latency_s: float, *times: float) -> list[float]:
        meter = GridMeter(Ramp(), interval_s, latency_s)
        return [meter.read(now).watts[0] for now in times]

    def test_a_new_value_once_an_interval(self) -> None:
        self.assertEqual(
            self.shown(1, 0, 0.0, 0.5, 0.9, 1.0, 1.5, 2.25, 3.0, 3.25),
            [0, 0, 0, 1, 1, 2.2, 2.2, 3.2],  # 2.25 and 3.25 are rounded to even
        )

    def test_the_value_is_as_old_as_the_latency(self) -> None:
        self.assertEqual(
            self.shown(1, 0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.6), [0, 0, 0.5, 0.5, 1.5, 1.5]
        )

    def test_the_newest_of_what_is_old_enough(self) -> None:
        self.assertEqual(self.shown(1, 0.5, 0.0, 0.2, 0.4, 0.6, 1.0), [0, 0, 0, 0, 0.4])

    def test_the_oldest_when_nothing_is_old_enough(self) -> None:
        self.assertEqual(self.shown(0, 5, 3.0, 4.0, 7.9, 8.0), [3, 3, 3, 3])

    def test_the_second_battery_reads_the_cached_value(self) -> None:
        self.assertEqual(self.shown(1, 0, 0.5, 0.631, 1.5, 1.631), [0.5, 0.5, 1.5, 1.5])

    def test_a_meter_without_interval_shows_every_look(self) -> None:
        self.assertEqual(self.shown(0, 0, 0.0, 0.1, 0.2), [0, 0.1, 0.2])

    def test_rounded_to_a_tenth_of_a_watt(self) -> None:
        meter = GridMeter(Ramp())
        self.assertEqual(meter.read(1.06).watts, (1.1, 0.0, -1.3))
        self.assertEqual(meter.measure(1.06), (1.1, 0.0, -1.3))

    def test_the_same_sample_until_the_next_refresh(self) -> None:
        meter = GridMeter(Ramp(), 1.0, 0.5)
        first = meter.read(10.0)
        self.assertIs(meter.read(10.9), first)
        second = meter.read(11.0)
        self.assertIsNot(second, first)
        self.assertEqual((first.measured_at, second.measured_at), (10.0, 11.0))

    def test_the_truth_is_looked_at_once_a_read(self) -> None:
        truth = Ramp()
        meter = GridMeter(truth, 10.0, 1.0)
        for k in range(50):
            meter.read(k * 0.1)
        self.assertEqual(truth.looks, 50)

    def test_the_history_is_bounded(self) -> None:
        meter = GridMeter(Ramp(), 1.0, 0.5)
        for k in range(10_000):
            meter.read(k * 0.1)
        self.assertLess(len(meter._history), 30)

    def test_after_a_long_gap_at_least_one_entry_is_kept(self) -> None:
        self.assertEqual(self.shown(1, 0.5, 0.0, 100.0, 100.6, 101.2), [0, 100, 100, 100.6])

    def test_times_that_are_none_are_refused(self) -> None:
        for interval_s, latency_s in ((-1, 0), (1, -1), (float("nan"), 0), (1, float("inf"))):
            self.assertRaises(ValueError, GridMeter, Ramp(), interval_s, latency_s)
