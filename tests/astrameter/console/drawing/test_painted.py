"""Lines in urwid."""

from __future__ import annotations

import urwid
from twisted.trial.unittest import SynchronousTestCase
from urwid.testing import check_box_sizing, render_runs, render_text

from astrameter.console.drawing.painted import Painted
from astrameter.console.drawing.palette import PALETTE
from astrameter.console.drawing.spans import Line


class Widget(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(urwid.set_encoding, urwid.util.get_encoding())
        urwid.set_encoding("utf-8")
        self.lines: list[Line] = [[("dim", "grid "), ("", "-5 W ━")], [("value", "abc")]]
        self.asked: list[tuple[int, int]] = []
        self.widget = Painted(self.draw)

    def draw(self, columns: int, rows: int) -> list[Line]:
        self.asked.append((columns, rows))
        return self.lines

    def test_it_is_a_box(self) -> None:
        check_box_sizing(self.widget)
        self.assertEqual(self.widget.sizing(), frozenset([urwid.BOX]))

    def test_lines_are_cut_and_missing_ones_empty(self) -> None:
        self.assertEqual(render_text(self.widget, (8, 3)), ["grid -5 ", "abc     ", "        "])
        self.assertEqual(render_text(self.widget, (12, 1)), ["grid -5 W ━ "])
        self.assertEqual(self.asked[-1], (12, 1))

    def test_styles_become_attributes(self) -> None:
        runs = render_runs(self.widget, (11, 1))
        self.assertEqual(runs, [[("dim", "grid "), (None, "-5 W ━")]])

    def test_where_the_terminal_has_only_ascii(self) -> None:
        urwid.set_encoding("ascii")
        self.lines = [[("", "a━電b")]]
        self.assertEqual(render_text(self.widget, (6, 1)), ["a???b "])

    def test_it_is_drawn_again_when_it_has_changed(self) -> None:
        first = self.widget.render((5, 1))
        self.lines = [[("", "other")]]
        self.assertIs(self.widget.render((5, 1)), first)
        self.widget.repaint()
        self.assertEqual(render_text(self.widget, (5, 1)), ["other"])

    def test_urwid_takes_the_palette(self) -> None:
        screen = urwid.display.raw.Screen()
        screen.register_palette(PALETTE)
        self.assertEqual(len({entry[0] for entry in PALETTE}), len(PALETTE))
