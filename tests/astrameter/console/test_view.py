"""The appliance's console at all sizes and on all kinds of terminals."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from urwid.testing import render_runs

from astrameter.console.drawing.palette import STYLES
from tests.astrameter.console.rig import PLAIN, STATUS, UTF8, Rig, battery, status, with_batteries

CROWDED = with_batteries(*(battery(number) for number in range(1, 41)))
ODD = with_batteries(
    battery(1, mode="inactive", settings={"active": False}),
    battery(2, mode="inactive", power_w=None, target_w=None, reading_w=None, poll_interval_s=None),
    battery(3, mode="manual", alive=False, age_s=40.0, settings={"auto_target": False}),
    battery(4, mode="", phase="", age_s=None),
)
EMPTY = status(meters=[], devices=[])


class Sizes(SynchronousTestCase):
    def test_everything_that_matters_is_there_from_80_by_24_on(self) -> None:
        for columns, rows in ((80, 24), (100, 30), (132, 43), (150, 34), (200, 60)):
            text = Rig().text(columns, rows)
            for part in (
                *("AstraMeter ─ steering", "up 1:02:05", "ct002:12345"),
                *("A      120 W", "B      -36 W", "C       60 W", "sum    144 W"),
                *("● SHELLY_ATTIC", "0.5 s", "✗ TASMOTA no answer"),
                *("batteries  -300 W", "3 ask", "ct002:12345", "100 answered"),
                *(
                    "02b250000001",
                    "-300 W   310 W   -12 W auto",
                    "1.1 s",
                    "power",
                    "target",
                    "sent",
                ),
                *("HMG-50 · port 12345", "It charges with 300 W."),
                *("13:05:09 AstraMeter 3.1", "? help", "q quit", "m manual"),
            ):
                self.assertIn(part, text, (columns, rows))

    def test_a_wide_screen_has_everything_about_who_polls(self) -> None:
        text = Rig().text(200, 60)
        for part in ("type", "port", "address", "192.168.1.1", "weight", "meter", "every", "12345"):
            self.assertIn(part, text)

    def test_a_tiny_terminal_has_what_matters_and_says_so(self) -> None:
        lines = Rig().screen(40, 10)
        self.assertEqual([len(line) for line in lines], [40] * 10)
        text = "\n".join(lines)
        for part in ("grid 144 W", "120 -36 60", "▸02b250000001 A", "-300 W", "0.4 s"):
            self.assertIn(part, text)
        self.assertIn("a larger terminal shows more", text)

    def test_no_reading_at_all_is_shown(self) -> None:
        failing = status(meters=STATUS["meters"][1:])
        self.assertIn("no meter has a reading", Rig(failing).text())
        self.assertIn("no grid power: no answer within 2 s", Rig(failing).text(40, 10))
        self.assertIn("no meter is configured", Rig(EMPTY).text())
        self.assertIn("no battery has asked yet", Rig(EMPTY).text())

    def test_more_meters_than_rows_are_counted(self) -> None:
        many = status(meters=STATUS["meters"] * 4)
        self.assertIn("6 more, 3 fail", Rig(many).text())

    def test_the_meter_of_most_batteries_is_shown_as_the_grid(self) -> None:
        other = {**STATUS["meters"][0], "section": "OTHER", "watts": [9.0, 0.0, 0.0]}
        document = status(meters=[other, STATUS["meters"][0]])
        self.assertIn("sum    144 W", Rig(document).text())
        document["devices"][0]["batteries"][0]["meter"] = "OTHER"
        document["devices"][0]["batteries"][1]["meter"] = "OTHER"
        self.assertIn("sum      9 W", Rig(document).text())

    def test_the_state_of_a_battery_is_told_in_words(self) -> None:
        text = Rig(ODD).text()
        for part in ("paused", "apart", "manual", "40 s"):
            self.assertIn(part, text)

    def test_relaying_is_told(self) -> None:
        document = with_batteries(battery(1), active_control=False)
        self.assertIn("relaying the meter", Rig(document).screen()[0])

    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(
        st.integers(1, 260),
        st.integers(1, 80),
        st.sampled_from([STATUS, CROWDED, ODD, EMPTY]),
        st.sampled_from([(), ("?",), ("b", "e"), ("p",), ("m", "5")]),
        st.booleans(),
    )
    def test_any_size_is_filled_exactly(
        self, columns: int, rows: int, document: Any, keys: tuple[str, ...], plain: bool
    ) -> None:
        rig = Rig(document, environ=PLAIN if plain else UTF8)
        rig.press(*keys)
        canvas = rig.console.widget.render((columns, rows))
        self.assertEqual((canvas.cols(), canvas.rows()), (columns, rows))
        self.assertNotIn("cannot be drawn", b"\n".join(canvas.text).decode())
        if plain:
            self.assertTrue(all(line.isascii() for line in canvas.text))

    def test_every_style_is_in_the_palette(self) -> None:
        for document in (STATUS, ODD, EMPTY):
            for keys in ((), ("?",), ("p",), ("e",)):
                rig = Rig(document)
                rig.press(*keys)
                rig.link.state("gone")
                runs = render_runs(rig.console.widget, (100, 30))
                styles = {style for row in runs for style, _ in row if style is not None}
                self.assertLessEqual(styles, STYLES)
