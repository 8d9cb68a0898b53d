"""The simulator's console at all sizes and on all kinds of terminals."""

from __future__ import annotations

from dataclasses import replace

import urwid
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from urwid.testing import render_runs

from astrameter.console.drawing.palette import STYLES
from simulator.control import SolarStatus, Status
from tests.simulator.console.rig import PLAIN, STATUS, UTF8, FakeControl, Rig, battery

DELAYED = replace(STATUS, batteries=tuple(replace(one, delay_polls=2) for one in STATUS.batteries))
CROWDED = replace(
    STATUS, batteries=tuple(battery(number) for number in range(1, 31)), loads=STATUS.loads * 5
)
EMPTY = replace(STATUS, batteries=(), loads=(), solar=SolarStatus(0, 0, ()), ct_port=0)
ODD = replace(
    STATUS,
    batteries=(
        battery(1, online=False),
        battery(2, meter_lost=True, poll_age_s=70.0),
        battery(3, participates=False, device_type="VNSD-0", max_dc_input_w=1000, dc_input_w=420),
        battery(4, poll_age_s=None, soc=0.0, max_charge_w=0, max_discharge_w=0),
    ),
)


def screen(columns: int, rows: int, status: Status = STATUS, **environ: str) -> str:
    return Rig(FakeControl(status), environ={**UTF8, **environ}).text(columns, rows)


class Sizes(SynchronousTestCase):
    def test_everything_that_matters_is_there_from_80_by_24_on(self) -> None:
        for columns, rows in ((80, 24), (100, 30), (132, 43), (150, 34), (200, 60)):
            text = screen(columns, rows)
            for part in (
                *("Auto mode: ON", "12:34", "CT 127.0.0.1:12345 AABBCCDDEEFF"),
                *("A      120 W", "B      -36 W", "C       60 W", "sum    144 W"),
                *("02B250000001 A", "300 W   312 W", "90%", "0.4 s", "target", "stored", "asked"),
                *("sun       800 W", "of 5000", "bought 0.123 kWh", "1.23 ct", "54% full"),
                *("LED lights", "■ on", "· off", "160 W on", "Microwave"),
                *("00:12:34 4 batteries, 9 loads", "? help", "q quit", "1-8 load"),
            ):
                self.assertIn(part, text, (columns, rows))

    def test_a_plot_shows_at_least_two_minutes(self) -> None:
        self.assertIn("W, last 2:04", screen(80, 24))
        self.assertIn("W, last 4:06", screen(200, 60))

    def test_a_delay_adds_what_was_requested_and_what_is_applied(self) -> None:
        for columns, rows in ((80, 24), (200, 60)):
            text = screen(columns, rows, DELAYED)
            self.assertRegex(text, r"req.+appl")
            self.assertNotIn("target", text)
            self.assertIn("300 W   312 W   305 W", text)

    def test_without_a_delay_there_is_one_target(self) -> None:
        self.assertNotIn("appl", screen(200, 60))

    def test_a_tiny_terminal_has_what_matters_and_says_so(self) -> None:
        lines = screen(40, 10).splitlines()
        self.assertEqual([len(line) for line in lines], [40] * 10)
        text = "\n".join(lines)
        for part in ("grid 144 W", "A 120  B -36  C 60", "sun 800 W", "1.23 ct", "▸0001 A", "90%"):
            self.assertIn(part, text)
        self.assertIn("a larger terminal shows more", text)
        self.assertIn("q quit", lines[-1])

    def test_batteries_that_have_no_room_scroll_to_the_selected_one(self) -> None:
        rig = Rig(FakeControl(CROWDED))
        self.assertNotIn("02B250000030", rig.text())
        rig.press("B")
        self.assertIn("▸ 02B250000030", rig.text())
        self.assertIn("▸0030", rig.text(40, 10))

    def test_the_state_of_a_battery_is_told_in_words(self) -> None:
        text = screen(80, 24, ODD)
        for part in ("offline", "70 s", "apart"):
            self.assertIn(part, text)
        self.assertIn("420 W", screen(200, 60, ODD))

    def test_resizing_is_harmless(self) -> None:
        rig = Rig()
        for columns, rows in ((80, 24), (200, 60), (40, 10), (80, 24), (1, 1), (200, 60)):
            lines = rig.screen(columns, rows)
            self.assertEqual([len(line) for line in lines], [columns] * rows)

    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(
        st.integers(1, 260),
        st.integers(1, 80),
        st.sampled_from([STATUS, DELAYED, CROWDED, EMPTY, ODD]),
        st.sampled_from([(), ("?",), ("b", "l")]),
        st.booleans(),
    )
    def test_any_size_is_filled_exactly(
        self, columns: int, rows: int, status: Status, keys: tuple[str, ...], plain: bool
    ) -> None:
        rig = Rig(FakeControl(status), environ=PLAIN if plain else UTF8)
        rig.press(*keys)
        canvas = rig.console.widget.render((columns, rows))
        self.assertEqual((canvas.cols(), canvas.rows()), (columns, rows))
        self.assertNotIn("cannot be drawn", b"\n".join(canvas.text).decode())
        if plain:
            self.assertTrue(all(line.isascii() for line in canvas.text))


class Terminals(SynchronousTestCase):
    def test_without_unicode_there_is_only_ascii(self) -> None:
        for environ in ({"LANG": "C"}, {"TERM": "linux"}, {"LC_ALL": "de_DE.ISO-8859-1"}):
            for columns, rows in ((80, 24), (200, 60), (40, 10)):
                text = screen(columns, rows, **environ)
                self.assertTrue(text.isascii(), environ)
                self.assertIn("02B250000001" if columns > 40 else ">0001", text)

    def test_names_that_are_not_ascii_are_shown_as_far_as_the_terminal_can(self) -> None:
        loads = (replace(STATUS.loads[0], name="Kühlschrank 冰"), *STATUS.loads[1:])
        status = replace(STATUS, loads=loads)
        self.assertIn("Kühlschrank 冰", screen(80, 24, status))
        self.assertIn("K?hlschrank ??", screen(80, 24, status, LANG="C"))

    def test_consoles_on_both_kinds_of_terminals_live_side_by_side(self) -> None:
        plain, full = Rig(environ=PLAIN), Rig()
        self.assertTrue(plain.text().isascii())
        self.assertIn("━", full.text())
        self.assertTrue(plain.text(81, 25).isascii())

    def test_nothing_is_told_by_colour_alone(self) -> None:
        rig = Rig(FakeControl(ODD))
        text = rig.text()
        for word in ("offline", "apart", "on ", "off", "▸ 02B25"):
            self.assertIn(word, text)

    def test_every_style_is_in_the_palette_for_any_number_of_colours(self) -> None:
        for status in (STATUS, ODD, EMPTY):
            for columns, rows in ((80, 24), (200, 60), (40, 10)):
                rig = Rig(FakeControl(status))
                rig.control.lose("gone")
                runs = render_runs(rig.console.widget, (columns, rows))
                styles = {style for row in runs for style, _ in row if style is not None}
                self.assertLessEqual(styles, STYLES)
        rig = Rig()
        for colours in (1, 16, 88, 256, 1 << 24):
            drawn = urwid.display.raw.Screen()
            drawn.register_palette(rig.console.palette)
            drawn.set_terminal_properties(colours)
