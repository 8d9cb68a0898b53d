"""The screen of the demo at all sizes, without a terminal."""

from __future__ import annotations

import urwid
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from urwid.testing import render_text

from astrameter.console.drawing.glyphs import ASCII, UNICODE, Glyphs
from astrameter.console.drawing.log import Event
from astrameter.console.drawing.painted import Painted
from astrameter.console.drawing.palette import STYLES
from astrameter.console.drawing.spans import text_of, width_of
from simulator.demo.journal import CLOUDY, NIGHT
from simulator.demo.model import Snapshot, Trends
from simulator.demo.money import MoneyLook
from simulator.demo.view import draw
from tests.simulator.demo.rig import BATTERIES, EVENTS, snapshot

SNAPSHOT = snapshot()
EMPTY = snapshot(batteries=(), running=(), events=(), trends=Trends(), money=MoneyLook(), link="")
CROWDED = snapshot(batteries=BATTERIES * 8, events=EVENTS * 60)


def screen(
    columns: int, rows: int, shown: Snapshot = SNAPSHOT, glyphs: Glyphs = UNICODE
) -> list[str]:
    return [text_of(line) for line in draw(shown, columns, rows, glyphs)]


class Sizes(SynchronousTestCase):
    def test_everything_that_matters_is_there_from_80_by_24_on(self) -> None:
        for columns, rows in ((80, 24), (100, 30), (120, 40), (150, 34), (200, 50), (200, 60)):
            text = "\n".join(screen(columns, rows))
            for part in (
                *("10:10", "×20", "http://127.0.0.1:52500/"),
                *("A      102 W", "B     -614 W", "C       18 W", "sum   -494 W"),
                *("load    537 W", "solar  2616 W", "Washer heater 2000  Fridge 90"),
                *("Venus E v3", "-512 W", "-530 W", "46%", "0.3 s", "711 W", "57%"),
                *("grid bill", "1.26 ct", "-4.87 ct", "stored +0.54 kWh", "15.48 ct"),
                *("saved now +35.4 ct/h", "9.35 ct"),
                *("10:05 Kettle on: 2000 W on A", "10:40 a cloud before the sun"),
                *("4.8 polls/s 2 ms", "k kettle", "q quit"),
            ):
                self.assertIn(part, text, (columns, rows))

    def test_the_plot_takes_the_rows_that_are_left(self) -> None:
        def rows_of_plot(columns: int, rows: int) -> int:
            return sum("⣿" in line for line in screen(columns, rows))

        small, large = rows_of_plot(80, 24), rows_of_plot(200, 60)
        self.assertTrue(1 <= small <= 8, small)
        self.assertGreater(large, 12)

    def test_a_plot_shows_two_minutes(self) -> None:
        for columns, rows in ((80, 24), (120, 40), (200, 60)):
            text = "\n".join(screen(columns, rows))
            self.assertRegex(text, "last (2 min|1[01][0-9] s)")

    def test_more_batteries_than_rows_are_summed_up(self) -> None:
        text = "\n".join(screen(80, 24, CROWDED))
        self.assertRegex(text, r"\d+ more: -?\d+ W, \d+% stored")
        self.assertNotIn(" more:", "\n".join(screen(200, 60, CROWDED)))

    def test_a_narrow_terminal_has_the_most_important(self) -> None:
        text = "\n".join(screen(40, 16))
        for part in ("sum   -494 W", "-512 W", "711 W"):
            self.assertIn(part, text)
        self.assertIn("grid -494 W", screen(20, 3)[0])

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(
        st.integers(0, 230),
        st.integers(0, 80),
        st.sampled_from([SNAPSHOT, EMPTY, CROWDED]),
        st.sampled_from([UNICODE, ASCII]),
    )
    def test_any_size_is_filled_exactly(
        self, columns: int, rows: int, shown: Snapshot, glyphs: Glyphs
    ) -> None:
        lines = draw(shown, columns, rows, glyphs)
        self.assertEqual(len(lines), rows)
        self.assertEqual({width_of(line) for line in lines} - {columns}, set())


class Looks(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(urwid.set_encoding, urwid.util.get_encoding())

    def test_urwid_shows_the_same(self) -> None:
        for glyphs, encoding in ((UNICODE, "utf-8"), (ASCII, "ascii")):
            urwid.set_encoding(encoding)
            painted = Painted(lambda columns, rows, g=glyphs: draw(SNAPSHOT, columns, rows, g))
            for size in ((80, 24), (120, 40), (200, 60), (30, 10)):
                self.assertEqual(render_text(painted, size), screen(*size, SNAPSHOT, glyphs))

    def test_without_unicode_there_is_only_ascii(self) -> None:
        for shown in (SNAPSHOT, EMPTY, CROWDED):
            for size in ((80, 24), (200, 60), (50, 20)):
                self.assertTrue("\n".join(screen(*size, shown, ASCII)).isascii())

    def test_every_style_is_in_the_palette(self) -> None:
        for shown in (SNAPSHOT, EMPTY, CROWDED):
            used = {style for line in draw(shown, 200, 60, UNICODE) for style, _ in line}
            self.assertEqual(used - STYLES - {""}, set())

    def test_nothing_is_told_by_colour_alone(self) -> None:
        importing = screen(80, 24, snapshot(grid_w=(900.0, 0.0, 0.0)))[2]
        exporting = screen(80, 24, snapshot(grid_w=(-900.0, 0.0, 0.0)))[2]
        self.assertRegex(importing, "┼━+")
        self.assertRegex(exporting, "━+┼")

    def test_a_balanced_grid_is_good_and_an_import_bad(self) -> None:
        for power_w, style in ((20.0, "good"), (-74.0, "good"), (300.0, "bad"), (-300.0, "export")):
            lines = draw(snapshot(grid_w=(power_w, 0.0, 0.0)), 80, 24, UNICODE)
            total = next(line for line in lines if "sum" in text_of(line))
            self.assertIn((style, f"{power_w:.0f} W".rjust(8)), total)

    def test_a_day_that_stands_still_is_said_to(self) -> None:
        self.assertIn("paused", screen(80, 24, snapshot(speed=0.0))[0])

    def test_that_the_day_is_hurried_is_explained_where_there_is_room(self) -> None:
        self.assertIn("the day is hurried", screen(120, 40)[0])
        self.assertNotIn("hurried", screen(120, 40, snapshot(speed=1.0))[0])

    def test_the_sky_is_shown(self) -> None:
        for sky, sign in ((CLOUDY, "☁"), (NIGHT, "☾")):
            self.assertIn(sign, "\n".join(screen(80, 24, snapshot(sky=sky))))

    def test_a_long_event_is_cut(self) -> None:
        event = snapshot(events=[Event(0.0, "much " * 30)])
        self.assertIn("much much…", "\n".join(screen(80, 24, event)))

    def test_large_sums_are_in_euros(self) -> None:
        rich = snapshot(money=MoneyLook(without_ct=12_345.0))
        self.assertIn("123.45 EUR", "\n".join(screen(80, 24, rich)))

    def test_there_is_no_minus_zero(self) -> None:
        zero = snapshot(money=MoneyLook(cost_ct=-0.001, saving_ct_per_h=-0.01))
        self.assertNotIn("-0.0", "\n".join(screen(80, 24, zero)))
