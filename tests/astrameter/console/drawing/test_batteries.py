"""The table of batteries."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.batteries import (
    BatteryLook,
    battery_marks,
    battery_table,
    columns_for,
    watts,
)
from astrameter.console.drawing.glyphs import ASCII, UNICODE
from astrameter.console.drawing.panels import Box, Panel, compose
from astrameter.console.drawing.spans import text_of, width_of

CHARGING = BatteryLook("Venus E v3", "A", -512.4, -530.0, 0.463, 0.31, 2500.0)
SILENT = BatteryLook("Venus D", "C", 0.0, None, 0.05, None, 2500.0)


class Table(SynchronousTestCase):
    def test_everything_is_there_on_78_columns(self) -> None:
        text = text_of(battery_table([CHARGING], 78, 3, UNICODE)[0])
        for part in ("Venus E v3", " A ", "━┼", "-512 W", "-530 W", "━━━━━─", "46%", "0.3 s"):
            self.assertIn(part, text)

    def test_what_is_not_known_is_empty(self) -> None:
        line = battery_table([SILENT], 78, 3, UNICODE)[0]
        self.assertRegex(text_of(line), r"┼─+ +0 W +╸─+ +5% +─ $")
        self.assertIn("soc low", [style for style, _ in line])

    def test_the_name_has_the_space_that_nothing_else_needs(self) -> None:
        self.assertIn("Venus E ", text_of(battery_table([CHARGING], 40, 3, UNICODE)[0]))
        self.assertIn("Venus E v3 ", text_of(battery_table([CHARGING], 60, 3, UNICODE)[0]))

    def test_the_last_row_sums_up_the_others(self) -> None:
        lines = battery_table([CHARGING] * 5, 78, 3, UNICODE)
        self.assertEqual(len(lines), 3)
        self.assertIn("3 more: -1537 W, 46% stored", text_of(lines[-1]))

    def test_marks_stand_above_their_columns(self) -> None:
        for columns in (60, 78, 120, 198):
            lines = battery_table([CHARGING], columns, 1, UNICODE)
            marks = battery_marks(columns_for(columns), UNICODE)
            head, row, _ = compose(
                [Panel(Box(0, 0, columns + 2, 3), lines, marks)], columns + 2, 3, UNICODE
            )
            top, text = text_of(head), text_of(row)
            self.assertEqual(top.index("power") + 5, text.index("-512 W") + 6)
            self.assertEqual(top.index("target") + 6, text.index("-530 W") + 6)
            self.assertEqual(top.index("asked") + 5, text.index("0.3 s") + 5)
            if "discharge" in top:
                self.assertEqual(top.index("▸"), text.index("┼") + 2)

    @settings(deadline=None, derandomize=True)
    @given(st.integers(0, 220), st.integers(0, 6), st.integers(0, 8))
    def test_any_size(self, columns: int, rows: int, count: int) -> None:
        looks = [CHARGING, SILENT] * count
        for glyphs in (UNICODE, ASCII):
            lines = battery_table(looks, columns, rows, glyphs)
            self.assertLessEqual(len(lines), rows)
            if columns >= 30:
                wide = {width_of(line) for line in lines if "more" not in text_of(line)}
                self.assertEqual(wide - {columns}, set())


class Numbers(SynchronousTestCase):
    def test_there_is_no_minus_zero(self) -> None:
        self.assertEqual(watts(-0.4), "0 W")
        self.assertEqual(watts(-1234.5, 9), "  -1234 W")
