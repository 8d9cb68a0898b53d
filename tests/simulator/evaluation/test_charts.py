"""Charts: axes that take in everything, lines without needless points."""

from __future__ import annotations

import itertools
import math
from random import Random
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.charts import HAIR, Band, Line, chart, clock, scale, thinned


class Axes(SynchronousTestCase):
    def test_they_hold_all_values_and_zero_between_round_ticks(self) -> None:
        low, high, ticks = scale([Line("a", [120.0, 1830.0], "grid")])
        self.assertEqual((low, high), (0, 2000))
        self.assertEqual(ticks, [0, 500, 1000, 1500, 2000])

    def test_negative_values(self) -> None:
        low, high, ticks = scale([Line("a", [-730.0, 12.0], "grid")])
        self.assertLessEqual(low, -730)
        self.assertGreaterEqual(high, 12)
        self.assertIn(0, ticks)

    def test_all_zero_is_no_division_by_zero(self) -> None:
        low, high, ticks = scale([Line("a", [0.0, 0.0], "grid")])
        self.assertLess(low, high)
        self.assertIn(0, ticks)

    def test_times(self) -> None:
        self.assertEqual([clock(t) for t in (0, 61, 3599.6)], ["0:00", "1:01", "1:00:00"])


class Lines(SynchronousTestCase):
    def test_points_on_a_straight_line_are_left_out(self) -> None:
        points = [(float(i), 2.0 * i) for i in range(100)]
        self.assertEqual(list(thinned(points)), [points[0], points[-1]])

    def test_no_point_is_far_from_the_line_that_is_left(self) -> None:
        random = Random(1)
        points = [(i / 2, 40 * math.sin(i / 30) + random.uniform(-1, 1)) for i in range(600)]
        left = list(thinned(points))
        self.assertLess(len(left), len(points))
        for x, y in points:
            (ax, ay), (bx, by) = next(
                (a, b) for a, b in itertools.pairwise(left) if a[0] <= x <= b[0]
            )
            self.assertLessEqual(abs(ay + (by - ay) * (x - ax) / (bx - ax) - y), 2 * HAIR)

    def test_spikes_stay(self) -> None:
        points = [(float(i), 50.0 if i == 70 else 0.0) for i in range(100)]
        self.assertIn((70.0, 50.0), list(thinned(points)))

    def test_one_and_two_points(self) -> None:
        self.assertEqual(list(thinned([(0.0, 1.0)])), [(0.0, 1.0)])
        self.assertEqual(len(list(thinned([(0.0, 1.0), (1.0, 1.0)]))), 2)


class Drawn(SynchronousTestCase):
    def test_it_is_well_formed_and_says_what_it_shows(self) -> None:
        drawn = chart(
            [Line('B1 "<x>"', [1.0, 2.0, 3.0], "b1")],
            60,
            "W",
            marks=[(30.0, "<kettle> & co")],
            band=Band(-25, 25),
            last=True,
        )
        root = ElementTree.fromstring(drawn)
        self.assertEqual(root.get("aria-label"), 'B1 "<x>"')
        titles = [one.text for one in root.iter("title")]
        self.assertEqual(titles, ["<kettle> & co, 30 s"])
