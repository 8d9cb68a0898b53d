"""Lines of styled text."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.spans import Line, cut, fit, flow, spread, text_of, width, width_of

LINES = st.lists(st.tuples(st.sampled_from(["", "dim"]), st.text("aé電 ", max_size=9)), max_size=4)


class Fitting(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(LINES, st.integers(0, 30))
    def test_a_fitted_line_has_exactly_the_width(self, line: Line, columns: int) -> None:
        fitted = fit(line, columns)
        self.assertEqual(width_of(fitted), columns)
        shown = text_of(fitted).rstrip()
        self.assertTrue(text_of(line).startswith(shown), (line, fitted))

    def test_styles_are_kept(self) -> None:
        line = [("a", "one"), ("b", "two")]
        self.assertEqual(fit(line, 4), [("a", "one"), ("b", "t")])
        self.assertEqual(fit(line, 8, "c"), [("a", "one"), ("b", "two"), ("c", "  ")])

    def test_a_wide_character_is_not_halved(self) -> None:
        self.assertEqual(width("電"), 2)
        self.assertEqual(cut("a電b", 2), "a")
        self.assertEqual(text_of(fit([("", "a電b")], 2)), "a ")

    def test_the_right_side_has_precedence(self) -> None:
        self.assertEqual(text_of(spread([("", "left")], [("", "right")], 12)), "left   right")
        self.assertEqual(text_of(spread([("", "left")], [("", "right")], 7)), "leright")
        self.assertEqual(text_of(spread([("", "left")], [("", "right")], 3)), "rig")


class Flow(SynchronousTestCase):
    def test_words_continue_on_the_next_line(self) -> None:
        words = [[("", word)] for word in ("Kettle", "Fridge", "Oven")]
        self.assertEqual(
            [text_of(line) for line in flow(words, 14, 2)], ["Kettle  Fridge", "Oven          "]
        )

    def test_what_has_no_room_is_left_out(self) -> None:
        words = [[("", word)] for word in ("Kettle", "Fridge", "Oven")]
        self.assertEqual([text_of(line) for line in flow(words, 14, 1)], ["Kettle  Fridge"])
        self.assertEqual([text_of(line) for line in flow(words, 4, 2)], ["Kett", "Frid"])
        self.assertEqual(flow(words, 4, 0), [])
