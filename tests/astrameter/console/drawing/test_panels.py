"""Panels in one frame."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.glyphs import ASCII, UNICODE, Glyphs
from astrameter.console.drawing.panels import Box, Panel, compose
from astrameter.console.drawing.spans import Line, text_of, width_of


def lines(*texts: str) -> list[Line]:
    return [[("", text)] for text in texts]


def shown(panels: list[Panel], columns: int, rows: int, glyphs: Glyphs = UNICODE) -> list[str]:
    return [text_of(line) for line in compose(panels, columns, rows, glyphs)]


class Frame(SynchronousTestCase):
    def test_neighbours_share_the_line_between_them(self) -> None:
        panels = [
            Panel(Box(0, 0, 4, 3), lines("ab")),
            Panel(Box(3, 0, 4, 3), lines("cd")),
            Panel(Box(0, 2, 7, 3), lines("efghi")),
        ]
        self.assertEqual(
            shown(panels, 7, 5), ["╭──┬──╮", "│ab│cd│", "├──┴──┤", "│efghi│", "╰─────╯"]
        )
        self.assertEqual(
            shown(panels, 7, 5, ASCII), ["+--+--+", "|ab|cd|", "+--+--+", "|efghi|", "+-----+"]
        )

    def test_content_is_cut_and_padded(self) -> None:
        panel = Panel(Box(0, 0, 5, 4), lines("too long", "x", "no row for this"))
        self.assertEqual(shown([panel], 5, 4), ["╭───╮", "│too│", "│x  │", "╰───╯"])

    def test_marks_stand_on_the_upper_line(self) -> None:
        marks = [(1, lines("A")[0]), (4, lines("B")[0])]
        panel = Panel(Box(0, 0, 9, 2), [], marks)
        self.assertEqual(shown([panel], 9, 2)[0], "╭─A──B──╮")

    def test_marks_that_have_no_room_are_left_out(self) -> None:
        marks = [(0, lines("long")[0]), (3, lines("touches")[0]), (6, lines("beyond")[0])]
        panel = Panel(Box(0, 0, 9, 2), [], marks)
        self.assertEqual(shown([panel], 9, 2)[0], "╭long───╮")

    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(st.builds(Box, *[st.integers(0, 12)] * 4), max_size=4),
        st.integers(0, 20),
        st.integers(0, 10),
    )
    def test_any_boxes_give_exactly_the_size(
        self, boxes: list[Box], columns: int, rows: int
    ) -> None:
        apart = [box for box in boxes[:1] if box.columns > 1 and box.rows > 1]
        composed = compose([Panel(box, lines("text")) for box in apart], columns, rows, UNICODE)
        self.assertEqual(len(composed), rows)
        self.assertEqual({width_of(line) for line in composed} - {columns}, set())
