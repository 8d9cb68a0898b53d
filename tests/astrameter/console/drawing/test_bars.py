"""Bars."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.bars import balance, level
from astrameter.console.drawing.glyphs import ASCII, UNICODE, Glyphs
from astrameter.console.drawing.spans import text_of, width_of

STYLES = ("export", "import")


def shown(value: float, columns: int = 9, glyphs: Glyphs = UNICODE, *, thick: bool = False) -> str:
    return text_of(balance(value, 100.0, columns, glyphs, STYLES, thick=thick))


class Level(SynchronousTestCase):
    def test_it_is_filled_from_the_left_by_halves_of_a_cell(self) -> None:
        for fraction, text in (
            (0.0, "────"),
            (0.01, "╸───"),
            (0.5, "━━──"),
            (0.625, "━━╸─"),
            (1.0, "━━━━"),
            (7.0, "━━━━"),
            (-1.0, "────"),
        ):
            self.assertEqual(text_of(level(fraction, 4, UNICODE, "soc")), text)

    def test_without_unicode(self) -> None:
        self.assertEqual(text_of(level(0.5, 4, ASCII, "soc")), "==--")

    def test_without_room(self) -> None:
        self.assertEqual(level(0.5, 0, UNICODE, "soc"), [])


class Balance(SynchronousTestCase):
    def test_negative_goes_to_the_left_and_positive_to_the_right(self) -> None:
        self.assertEqual(shown(0), "────┼────")
        self.assertEqual(shown(50), "────┼━━──")
        self.assertEqual(shown(-50), "──━━┼────")
        self.assertEqual(shown(-62.5), "─╺━━┼────")
        self.assertEqual(shown(1), "────┼╸───")
        self.assertEqual(shown(-50, thick=True), "──██┼────")
        self.assertEqual(shown(-62.5, thick=True), "─▐██┼────")
        self.assertEqual(shown(50, glyphs=ASCII), "----+==--")

    def test_what_is_beyond_the_scale_has_an_arrow(self) -> None:
        self.assertEqual(shown(100), "────┼━━━━")
        self.assertEqual(shown(200), "────┼━━━▸")
        self.assertEqual(shown(-200), "◂━━━┼────")

    def test_the_sides_have_their_styles(self) -> None:
        line = balance(-50, 100, 9, UNICODE, STYLES)
        self.assertIn(("export", "━━"), line)
        line = balance(50, 100, 9, UNICODE, STYLES)
        self.assertIn(("import", "━━"), line)

    @settings(deadline=None, derandomize=True)
    @given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(0, 60), st.booleans())
    def test_it_has_exactly_the_width(
        self, value: float, largest: float, columns: int, thick: bool
    ) -> None:
        for glyphs in (UNICODE, ASCII):
            line = balance(value, largest, columns, glyphs, STYLES, thick=thick)
            self.assertEqual(width_of(line), columns)
