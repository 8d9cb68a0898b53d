"""Plots."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.glyphs import ASCII, UNICODE, Glyphs
from astrameter.console.drawing.plot import Scale, Series, dots_across, plot, scale_for
from astrameter.console.drawing.spans import text_of, width_of

VALUES = st.lists(st.floats(-20_000, 20_000), max_size=90)


def series(values: list[float], *, filled: bool = False, style: str = "import") -> Series:
    return Series(values, style, "export", "#", filled)


def text(lines: list[Series], columns: int, scale: Scale, glyphs: Glyphs = UNICODE) -> list[str]:
    return [text_of(line)[7:] for line in plot(lines, columns + 7, scale, glyphs)]


class Scales(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(st.floats(-30_000, 0), st.floats(0, 30_000), st.integers(3, 60))
    def test_it_shows_everything_and_wastes_little(
        self, low: float, high: float, rows: int
    ) -> None:
        scale = scale_for(low, high, rows)
        self.assertEqual(scale.above + scale.below, rows)
        self.assertTrue(scale.step * scale.above >= high and scale.step * scale.below >= -low)
        self.assertLessEqual(scale.step, max(6 * (high - low) / rows, 1))

    def test_round_steps(self) -> None:
        self.assertEqual(scale_for(-2000, 2800, 6), Scale(1000, 4, 2))
        self.assertEqual(scale_for(0, 450, 3), Scale(150, 3, 0))

    def test_values_on_one_side(self) -> None:
        self.assertEqual(scale_for(100, 300, 3).below, 0)
        self.assertEqual(scale_for(-300, -100, 4), Scale(100, 1, 3))


class Drawing(SynchronousTestCase):
    def test_an_area_reaches_from_zero_to_the_value(self) -> None:
        self.assertEqual(
            text([series([399.0, 399.0, -400.0, -400.0], filled=True)], 2, Scale(400, 1, 1)),
            ["⣿─", " ⣿"],
        )
        self.assertEqual(text([series([0.0, 0.0], filled=True)], 1, Scale(400, 1, 1)), ["⣀", " "])

    def test_a_line_is_connected(self) -> None:
        self.assertEqual(text([series([0.0, 399.0])], 1, Scale(400, 1, 0)), ["⡸"])
        self.assertEqual(text([series([399.0, 0.0])], 1, Scale(400, 1, 0)), ["⢱"])

    def test_it_ends_at_the_right_edge(self) -> None:
        self.assertEqual(text([series([0.0, 0.0])], 3, Scale(400, 1, 0)), ["──⣀"])
        self.assertEqual(text([series([999.0] * 9 + [0.0, 0.0])], 1, Scale(400, 1, 0)), ["⣀"])

    def test_what_is_above_and_below_zero_has_its_style(self) -> None:
        area = series([300.0, 300.0, -300.0, -300.0], filled=True)
        lines = plot([area], 9, Scale(400, 1, 1), UNICODE)
        self.assertIn("import", [style for style, _ in lines[0]])
        self.assertIn("export", [style for style, _ in lines[1]])
        self.assertNotIn("export", [style for style, _ in lines[0]])

    def test_the_first_series_is_on_top(self) -> None:
        both = [series([0.0, 0.0], style="load"), series([0.0, 0.0], style="solar")]
        line = plot(both, 8, Scale(400, 1, 0), UNICODE)[0]
        self.assertEqual(line[-1], ("load", "⣀"))

    def test_without_braille_each_series_has_a_mark(self) -> None:
        self.assertEqual(
            text([series([350.0, 350.0, -350.0, -350.0], filled=True)], 2, Scale(400, 1, 1), ASCII),
            ["#-", " #"],
        )

    def test_the_scale_stands_at_the_left(self) -> None:
        lines = plot([], 10, Scale(500, 3, 1), UNICODE)
        self.assertEqual(
            [text_of(line)[:7] for line in lines], ["  1000 ", "   500 ", "     0 ", "  -500 "]
        )

    @settings(deadline=None, derandomize=True)
    @given(VALUES, VALUES, st.integers(0, 60), st.integers(2, 20))
    def test_any_values_on_any_size(
        self, line: list[float], area: list[float], columns: int, rows: int
    ) -> None:
        values = [*line, *area, 0.0]
        drawn = [series(line), series(area, filled=True)]
        for scale in (scale_for(min(values), max(values), rows), Scale(100, 1, 1)):
            for glyphs in (UNICODE, ASCII):
                lines = plot(drawn, columns, scale, glyphs)
                self.assertEqual(len(lines), scale.above + scale.below)
                self.assertEqual({width_of(one) for one in lines} - {columns}, set())

    def test_as_many_values_as_it_says(self) -> None:
        self.assertEqual(dots_across(27), 40)
        self.assertEqual(dots_across(3), 0)
