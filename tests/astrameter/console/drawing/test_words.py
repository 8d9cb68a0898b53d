"""Times, sums, log lines, and what a terminal can show."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.colours import FEW, MANY, MONOCHROME, TRUE, colours_for
from astrameter.console.drawing.glyphs import ASCII, UNICODE
from astrameter.console.drawing.log import LONGEST, Event, event_lines, new_log, one_line
from astrameter.console.drawing.spans import text_of, width_of
from astrameter.console.drawing.words import age, span


class Words(SynchronousTestCase):
    def test_ages_are_as_exact_as_it_matters(self) -> None:
        for age_s, text in (
            (None, "-"),
            (-1.0, "0.0 s"),
            (0.44, "0.4 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (99.4, "99 s"),
            (100.0, "2 min"),
            (5969.0, "99 min"),
            (6000.0, "2 h"),
            (170_000.0, "47 h"),
            (180_000.0, "2 d"),
            (1e9, "11574 d"),
        ):
            self.assertEqual(age(age_s, "-"), text)

    def test_durations(self) -> None:
        for seconds, text in (
            (-5.0, "0:00"),
            (7.9, "0:07"),
            (762.0, "12:42"),
            (11_159.0, "3:05:59"),
            (183_900.0, "2 d 03:05"),
        ):
            self.assertEqual(span(seconds), text)


class Log(SynchronousTestCase):
    def test_it_is_bounded(self) -> None:
        log = new_log()
        for number in range(LONGEST + 5):
            log.append(Event(0.0, str(number)))
        self.assertEqual((len(log), log[0].text), (LONGEST, "5"))

    def test_the_newest_lines_are_shown_and_cut(self) -> None:
        events = [Event(3661.0, "one"), Event(3662.0, "a long text that has no room")]
        for seconds, stamp in ((False, "01:01"), (True, "01:01:02")):
            (line,) = event_lines(events, 20, 1, ASCII, seconds=seconds)
            self.assertEqual(width_of(line), 20)
            self.assertTrue(text_of(line).startswith(f" {stamp} a lon"), text_of(line))
            self.assertIn("~", text_of(line))
        self.assertEqual(event_lines(events, 20, 0, UNICODE), [])

    def test_any_text_becomes_one_line_that_a_terminal_does_not_obey(self) -> None:
        self.assertEqual(one_line("a\n\t b\x1b[2J\x9b1m\x07"), "a b?[2J?1m?")
        self.assertLessEqual(len(one_line("x" * 10_000)), 400)


class Colours(SynchronousTestCase):
    def test_what_terminals_have(self) -> None:
        for environ, colours in (
            ({"TERM": "xterm-256color"}, MANY),
            ({"TERM": "screen-256color"}, MANY),
            ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, TRUE),
            ({"TERM": "xterm-direct"}, TRUE),
            ({"TERM": "xterm"}, FEW),
            ({"TERM": "linux"}, FEW),
            ({"TERM": "vt100"}, MONOCHROME),
            ({"TERM": "dumb"}, MONOCHROME),
            ({}, MONOCHROME),
            ({"TERM": "xterm-mono"}, MONOCHROME),
            ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, MONOCHROME),
            ({"TERM": "xterm-256color", "NO_COLOR": ""}, MANY),
        ):
            self.assertEqual(colours_for(environ), colours, environ)
