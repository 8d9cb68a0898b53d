"""What a terminal can show."""

from __future__ import annotations

from dataclasses import fields

from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.glyphs import ASCII, UNICODE, glyphs_for
from astrameter.console.drawing.spans import width


class Choice(SynchronousTestCase):
    def test_the_locale_decides(self) -> None:
        for environ, wanted in (
            ({}, UNICODE),
            ({"LANG": "de_DE.UTF-8"}, UNICODE),
            ({"LANG": "de_DE.utf8"}, UNICODE),
            ({"LANG": "C"}, ASCII),
            ({"LANG": "de_DE.ISO-8859-1"}, ASCII),
            ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, ASCII),
            ({"LANG": "C", "LC_CTYPE": "de_DE.UTF-8"}, UNICODE),
            ({"LC_ALL": "", "LANG": "de_DE.UTF-8"}, UNICODE),
        ):
            self.assertIs(glyphs_for(environ), wanted, environ)

    def test_what_python_itself_set_says_nothing(self) -> None:
        self.assertIs(glyphs_for({"LC_CTYPE": "C.UTF-8", "LANG": "C"}), ASCII)
        self.assertIs(glyphs_for({"LC_CTYPE": "C.UTF-8"}), UNICODE)

    def test_the_linux_console_has_too_small_a_font(self) -> None:
        self.assertIs(glyphs_for({"TERM": "linux", "LANG": "de_DE.UTF-8"}), ASCII)


class Characters(SynchronousTestCase):
    def test_ascii_is_ascii(self) -> None:
        for field in fields(ASCII):
            value = getattr(ASCII, field.name)
            self.assertTrue(isinstance(value, bool) or value.isascii(), field.name)

    def test_each_takes_one_column(self) -> None:
        for field in fields(UNICODE):
            value = getattr(UNICODE, field.name)
            if isinstance(value, str):
                self.assertEqual(width(value), 16 if field.name == "joints" else 1, field.name)
