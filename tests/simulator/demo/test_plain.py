"""The demo as lines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from simulator.demo.plain import plain_line, summary_line
from tests.simulator.demo.rig import snapshot


class Lines(SynchronousTestCase):
    def test_a_line_has_everything(self) -> None:
        line = plain_line(snapshot())
        self.assertEqual(
            " ".join(line.split()),
            "10:10:30 | grid -494 W (A 102 B -614 C 18) | house 537 W | solar 2616 W"
            " | battery 1 -512 W -> -530 W 46% | battery 2 711 W -> 720 W 38%"
            " | battery 3 0 W -> - W 57% | cost 1.26 ct, saved 9.35 ct",
        )
        self.assertTrue(line.isascii())

    def test_the_summary_compares(self) -> None:
        line = summary_line(snapshot(), (47.4, 1200.0))
        for part in (
            "At 10:10",
            "bought 0.070 kWh, sold 0.105 kWh, stored +0.540 kWh",
            "grid bill 1.26 ct instead of -4.87 ct, saved 9.35 ct",
            "47 W instead of 1200 W",
        ):
            self.assertIn(part, line)
        self.assertEqual(line.count("\n"), 0)
