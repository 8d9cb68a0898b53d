"""Boxes over the screen, stacked panels, and rolling plots."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.glyphs import ASCII, UNICODE
from astrameter.console.drawing.grid import bar_scale_w, grid_lines, grid_style
from astrameter.console.drawing.history import History
from astrameter.console.drawing.overlay import overlay
from astrameter.console.drawing.panels import Box
from astrameter.console.drawing.spans import Line, text_of, width_of
from astrameter.console.drawing.stack import Band, stack
from astrameter.console.drawing.trend import Trace, trend_lines, trend_marks


class Overlays(SynchronousTestCase):
    def test_what_is_behind_it_stays_beside_it(self) -> None:
        screen: list[Line] = [[("dim", "abcdefghij"), ("value", "klmnopqrst")] for _ in range(5)]
        text = [[("", "twelve words")]]
        found = [text_of(line) for line in overlay(screen, "Hi", text, 20, 5, ASCII)]
        self.assertEqual(
            found,
            [
                "abcdefghijklmnopqrst",
                "ab+- Hi ---------+st",
                "ab| twelve words |st",
                "ab+--------------+st",
                "abcdefghijklmnopqrst",
            ],
        )

    def test_where_there_is_no_room_there_is_none(self) -> None:
        screen: list[Line] = [[("", "ab")], [("", "cd")]]
        self.assertEqual(overlay(screen, "Hi", [[("", "text")]], 2, 2, ASCII), screen)

    @settings(deadline=None, derandomize=True)
    @given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 30), st.integers(0, 80))
    def test_the_screen_keeps_its_size(
        self, columns: int, rows: int, lines: int, wide: int
    ) -> None:
        screen: list[Line] = [[("dim", "─" * columns)] for _ in range(rows)]
        text: list[Line] = [[("", "x" * wide)] for _ in range(lines)]
        found = overlay(screen, "Title", text, columns, rows, UNICODE)
        self.assertEqual([width_of(line) for line in found], [columns] * rows)


class Stacks(SynchronousTestCase):
    def test_the_most_important_bands_keep_their_place(self) -> None:
        bands = [Band((0, 1), 4, 4), Band((2,), 3, 9, 1), Band((3,), 2, 2)]
        area = Box(0, 0, 40, 20)
        self.assertEqual(set(stack(bands, [0, 2, 3], area)), {0, 1, 2, 3})
        small = Box(0, 0, 40, 10)
        self.assertEqual(set(stack(bands, [0, 2, 3], small)), {0, 1, 2})
        self.assertEqual(set(stack(bands, [3, 2, 0], small)), {2, 3})

    def test_neighbours_share_their_line(self) -> None:
        boxes = stack(
            [Band((0, 1), 2, 2, first=0.25), Band((2,), 1, 9, 1)], [0, 2], Box(0, 0, 40, 9)
        )
        self.assertEqual(boxes[0], Box(0, 0, 11, 4))
        self.assertEqual(boxes[1], Box(10, 0, 30, 4))
        self.assertEqual(boxes[2], Box(0, 3, 40, 6))


class Grid(SynchronousTestCase):
    def test_the_phases_and_their_sum(self) -> None:
        found = [text_of(line) for line in grid_lines((120.0, -35.4, 0.0), 84.6, 500, 40, ASCII)]
        self.assertEqual(found[3][:14], " sum     85 W ")
        self.assertIn("=", found[0][28:])
        self.assertIn("=", found[1][:27])

    def test_a_house_with_one_phase_has_one_line_and_the_sum(self) -> None:
        self.assertEqual(len(grid_lines((5.0,), 5.0, 500, 40, ASCII)), 2)

    def test_scales_are_round(self) -> None:
        for peak_w, scale_w in ((0, 500), (500, 500), (501, 1000), (4000, 5000), (1e9, 10_000)):
            self.assertEqual(bar_scale_w(peak_w), scale_w)

    def test_costs_are_red(self) -> None:
        self.assertEqual(
            [grid_style(w) for w in (76, 75, -75, -76)], ["bad", "good", "good", "export"]
        )


class Trends(SynchronousTestCase):
    def trace(self, *values: float) -> Trace:
        history = History(500)
        for value in values:
            history.note(value)
        return Trace("grid", history, "import", "export", "#", filled=True)

    def test_an_empty_plot_is_drawn(self) -> None:
        self.assertEqual(len(trend_lines([self.trace()], 40, 6, UNICODE)), 6)

    def test_small_powers_do_not_fill_it(self) -> None:
        lines = trend_lines([self.trace(1.0)], 40, 6, ASCII)
        self.assertNotIn("#", "".join(text_of(line)[7:] for line in lines[:-1]))

    def test_a_narrow_plot_takes_points_together(self) -> None:
        trace = self.trace(*[100.0] * 60, *[0.0] * 60)
        for columns in (30, 40, 80, 200):
            marks = [text_of(line) for _, line in trend_marks([trace], columns, 1.0)]
            minutes, seconds = map(int, marks[-1].split()[-1].split(":"))
            self.assertGreaterEqual(minutes * 60 + seconds, 119, columns)
        half = trend_lines([trace], 40, 6, ASCII)[0]
        self.assertAlmostEqual(text_of(half).count("#"), 15, delta=2)
