"""Drawing for, and keys from, a terminal that is somewhere else."""

from __future__ import annotations

import signal

import urwid
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.display import LARGEST, Keys, RemoteScreen, sensible_size


class Screen(SynchronousTestCase):
    def setUp(self) -> None:
        urwid.set_encoding("utf-8")
        self.written: list[str] = []

    def screen(self, term: str = "xterm-256color", **environ: str) -> RemoteScreen:
        return RemoteScreen({"TERM": term, **environ}, self.written.append)

    def draw(self, screen: RemoteScreen, text: str) -> str:
        screen.register_palette([("warm", "light red", "default", "", "#f80", "default")])
        screen.start()
        widget = urwid.Filler(urwid.Text(("warm", text)))
        screen.draw_screen((20, 3), widget.render((20, 3)))
        return "".join(self.written)

    def test_what_is_drawn_is_handed_over_as_text(self) -> None:
        drawn = self.draw(self.screen(), "sun ☀")
        self.assertIn("sun ☀", drawn)
        self.assertTrue(drawn.startswith("\x1b[?1049h"))

    def test_the_terminal_decides_about_colours(self) -> None:
        self.assertIn("38;5;", self.draw(self.screen("xterm-256color"), "x"))
        self.written.clear()
        few = self.draw(self.screen("xterm"), "x")
        self.assertNotIn("38;5;", few)
        self.assertIn("9", few)
        self.written.clear()
        none = self.draw(self.screen("vt100"), "x")
        self.assertNotIn("38;", none)
        self.assertNotIn("91m", none)
        self.written.clear()
        self.assertNotIn("38;", self.draw(self.screen(NO_COLOR="1"), "x"))

    def test_the_signals_of_this_process_are_left_alone(self) -> None:
        before = signal.getsignal(signal.SIGWINCH), signal.getsignal(signal.SIGTSTP)
        screen = self.screen()
        screen.start()
        after = signal.getsignal(signal.SIGWINCH), signal.getsignal(signal.SIGTSTP)
        screen.stop()
        self.assertEqual(before, after)

    def test_stopping_gives_the_terminal_back(self) -> None:
        screen = self.screen()
        self.draw(screen, "x")
        self.written.clear()
        screen.stop()
        self.assertIn("\x1b[?1049l", "".join(self.written))
        self.assertIn("\x1b[?25h", "".join(self.written))

    def test_only_what_has_changed_is_sent(self) -> None:
        screen = self.screen()
        first = len(self.draw(screen, "x"))
        self.written.clear()
        screen.draw_screen((20, 3), urwid.Filler(urwid.Text(("warm", "x"))).render((20, 3)))
        self.assertLess(len("".join(self.written)), first / 2)


class Sizes(SynchronousTestCase):
    def test_what_is_not_known_is_80_by_24(self) -> None:
        for size in ((0, 0), (0, 24), (80, 0)):
            self.assertEqual(sensible_size(*size), (80, 24))

    def test_what_is_larger_than_can_be_drawn_is_cut(self) -> None:
        self.assertEqual(sensible_size(2**32 - 1, 2**32 - 1), LARGEST)
        self.assertEqual(sensible_size(200, 60), (200, 60))


class FromTheKeyboard(SynchronousTestCase):
    def setUp(self) -> None:
        urwid.set_encoding("utf-8")
        self.keys = Keys()

    def typed(self, data: bytes, *, complete: bool = True) -> list[str]:
        self.keys.receive(data)
        return self.keys.take(1000, complete=complete)

    def test_keys_have_urwids_names(self) -> None:
        self.assertEqual(
            self.typed(b"a \r\t\x7f\x03\x1b[A\x1bOP\x1b[5~\x1bx\xc3\xa9?<"),
            [*"a ", "enter", "tab", "backspace", "ctrl c", "up", "f1", "page up", "meta x", *"é?<"],
        )

    def test_a_sequence_may_come_in_pieces(self) -> None:
        self.assertEqual(self.typed(b"a\x1b", complete=False), ["a"])
        self.assertEqual(self.typed(b"[", complete=False), [])
        self.assertEqual(self.typed(b"Bb", complete=False), ["down", "b"])

    def test_an_unfinished_sequence_is_esc_when_nothing_follows(self) -> None:
        self.assertEqual(self.typed(b"\x1b", complete=False), [])
        self.assertEqual(self.keys.take(10, complete=True), ["esc"])

    def test_what_is_no_key_is_left_out(self) -> None:
        mouse, position, report = b"\x1b[M !!", b"\x1b[12;40R", b"\x1b[?2026;2$y"
        self.assertEqual(self.typed(mouse + b"a" + position + b"b" + report + b"\xffc"), [*"abc"])

    def test_keys_are_taken_in_turns(self) -> None:
        self.keys.receive(b"abcdef")
        self.assertEqual(self.keys.take(4), [*"abcd"])
        self.assertEqual(self.keys.waiting, 2)
        self.assertEqual(self.keys.take(4), [*"ef"])

    def test_what_waits_is_bounded(self) -> None:
        self.keys.receive(b"x" * 1_000_000)
        self.assertEqual(self.keys.waiting, 8192)

    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=400))
    def test_every_byte_is_dealt_with(self, data: bytes) -> None:
        keys = Keys()
        keys.receive(data)
        taken = [*keys.take(10_000), *keys.take(10_000, complete=True)]
        self.assertEqual(keys.waiting, 0)
        self.assertTrue(all(isinstance(key, str) for key in taken))

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.binary(min_size=1, max_size=5), max_size=40))
    def test_pieces_lose_no_plain_key(self, pieces: list[bytes]) -> None:
        keys = Keys()
        taken = []
        for piece in pieces:
            keys.receive(piece)
            taken += keys.take(10_000)
        taken += keys.take(10_000, complete=True)
        whole = Keys()
        whole.receive(b"".join(pieces))
        self.assertEqual(taken, whole.take(10_000, complete=True))
