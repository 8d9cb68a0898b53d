"""The detector of limit cycles tells swinging from settling, from noise and from steps."""

from __future__ import annotations

import math
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.oscillation import limit_cycle_w, swings_w

SAMPLES = 300


def sine(size_w: float, period: float, decay: float = 0.0) -> list[float]:
    return [
        size_w / 2 * math.exp(-decay * i) * math.sin(2 * math.pi * i / period)
        for i in range(SAMPLES)
    ]


class LimitCycles(SynchronousTestCase):
    def test_a_lasting_swing_is_found_whatever_its_period(self) -> None:
        for period in (4, 10, 30, 60, 100):
            found = limit_cycle_w(sine(100, period))
            assert found is not None, period
            self.assertApproximates(found, 100, 12)

    def test_a_square_wave_is_found(self) -> None:
        self.assertIsNotNone(limit_cycle_w([80.0 * (i // 10 % 2) for i in range(SAMPLES)]))

    def test_it_is_found_on_top_of_a_drift(self) -> None:
        swinging = [value + 2 * i for i, value in enumerate(sine(200, 20))]
        self.assertIsNotNone(limit_cycle_w(swinging))

    def test_what_decays_is_none(self) -> None:
        self.assertIsNone(limit_cycle_w(sine(400, 40, decay=0.015)))

    def test_what_decays_and_is_still_large_is_none(self) -> None:
        found = sine(900, 40, decay=0.008)
        self.assertGreater(max(found[-40:]), 35)
        self.assertIsNone(limit_cycle_w(found))

    def test_a_single_excursion_near_the_end_is_none(self) -> None:
        self.assertIsNone(limit_cycle_w([0.0] * 250 + [100.0] * 20 + [0.0] * 30))

    def test_what_has_come_to_rest_is_none(self) -> None:
        swinging = sine(100, 10)
        self.assertIsNone(limit_cycle_w(swinging[:150] + [0.0] * 150))

    def test_small_swings_and_noise_are_none(self) -> None:
        random = Random(1)
        self.assertIsNone(limit_cycle_w(sine(25, 10)))
        self.assertIsNone(limit_cycle_w([random.uniform(-14, 14) for _ in range(SAMPLES)]))

    def test_a_step_a_ramp_and_a_single_correction_are_none(self) -> None:
        self.assertIsNone(limit_cycle_w([0.0] * 100 + [900.0] * 200))
        self.assertIsNone(limit_cycle_w([float(i) for i in range(SAMPLES)]))
        self.assertIsNone(limit_cycle_w([0.0] * 100 + [900.0] * 5 + [700.0] * 195))

    def test_nothing_is_none(self) -> None:
        self.assertIsNone(limit_cycle_w([]))
        self.assertIsNone(limit_cycle_w([5.0]))

    def test_swings_are_measured_from_turning_point_to_turning_point(self) -> None:
        values = [0.0, 100.0, 20.0, 60.0, 55.0, 60.0, -40.0]
        self.assertEqual([size for _, size in swings_w(values)], [80.0, 40.0, 100.0])
