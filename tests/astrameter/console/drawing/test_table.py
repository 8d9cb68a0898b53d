"""Tables: columns that give way, rows that scroll."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.glyphs import ASCII
from astrameter.console.drawing.spans import Line, text_of
from astrameter.console.drawing.table import (
    Column,
    power_sides,
    right,
    scrolled,
    table_lines,
    table_marks,
    widths_for,
)

COLUMNS: list[Column[str]] = [
    Column("name", 4, 0, lambda row, wide: [("value", row[:wide])], most=8),
    Column("first", 5, 1, lambda row, wide: right("1", wide), right=True),
    Column("", 9, 3, lambda _row, wide: [("", "=" * wide)], sides=power_sides(ASCII)),
    Column("second", 6, 2, lambda row, wide: [("dim", "2")]),
]


def marks(room: int) -> dict[str, int]:
    widths = widths_for(COLUMNS, room)
    return {text_of(line): at for at, line in table_marks(COLUMNS, widths, "T")}


class Widths(SynchronousTestCase):
    def test_the_least_important_columns_go_first(self) -> None:
        self.assertEqual(widths_for(COLUMNS, 40), [8, 5, 9, 6])
        self.assertEqual(widths_for(COLUMNS, 28), [4, 5, 9, 6])
        self.assertEqual(widths_for(COLUMNS, 27), [8, 5, 0, 6])
        self.assertEqual(widths_for(COLUMNS, 17), [8, 5, 0, 0])

    def test_what_is_most_important_never_goes(self) -> None:
        self.assertEqual(widths_for(COLUMNS, 0), [4, 0, 0, 0])

    @settings(deadline=None, derandomize=True)
    @given(st.integers(5, 100))
    def test_they_never_take_more_than_there_is(self, room: int) -> None:
        widths = widths_for(COLUMNS, room)
        self.assertLessEqual(sum(wide + 1 for wide in widths if wide), room)


class Marks(SynchronousTestCase):
    def test_titles_stand_over_their_columns(self) -> None:
        found = marks(28)
        self.assertEqual(found[" T "], 1)
        self.assertEqual(found["first"], 6)
        self.assertEqual(found["second"], 22)

    def test_a_title_gives_way_to_the_heading(self) -> None:
        widths = widths_for(COLUMNS, 28)
        found = [text_of(line) for _, line in table_marks(COLUMNS, widths, "Batteries")]
        self.assertEqual(found[:2], [" Batteries ", "second"])

    def test_the_sides_of_a_bar_are_told_as_there_is_room(self) -> None:
        for wide, words in ((40, "charge <"), (17, "in <"), (8, "")):
            column: Column[str] = Column("", wide, 0, _nothing, sides=power_sides(ASCII))
            found = {text_of(line): at for at, line in table_marks([column], [wide], "")}
            self.assertEqual(words in found, bool(words))
            if words:
                self.assertEqual(found[words] + len(words), (wide - 1) // 2)


def _nothing(_row: str, _wide: int) -> Line:
    return []


class Rows(SynchronousTestCase):
    def lines(self, count: int, selected: int | None) -> list[str]:
        rows = [f"row{number}" for number in range(10)]
        widths = widths_for(COLUMNS, 12)
        found = table_lines(COLUMNS, widths, rows, count, selected)
        return [text_of(line).split()[0] for line in found]

    def test_it_scrolls_to_the_selected_row(self) -> None:
        self.assertEqual(self.lines(3, 0), ["row0", "row1", "row2"])
        self.assertEqual(self.lines(3, 5), ["row4", "row5", "row6"])
        self.assertEqual(self.lines(3, 9), ["row7", "row8", "row9"])
        self.assertEqual(self.lines(3, None), ["row0", "row1", "row2"])
        self.assertEqual(len(self.lines(20, 9)), 10)
        self.assertEqual(self.lines(0, 9), [])

    def test_the_selected_row_stands_out(self) -> None:
        widths = widths_for(COLUMNS, 40)
        chosen, other = table_lines(COLUMNS, widths, ["a", "b"], 2, 0)
        self.assertIn(("selected", "a"), chosen)
        self.assertIn(("value", "b"), other)

    def test_rows_that_all_fit_do_not_scroll(self) -> None:
        self.assertEqual(scrolled(5, 5, 4), 0)
        self.assertEqual(scrolled(6, 5, 5), 1)
        self.assertEqual(scrolled(6, -1, 5), 0)
