"""One console and its terminal, without SSH between them."""

from __future__ import annotations

import itertools
from typing import Any

import urwid
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.session import Role, Terminal
from astrameter.console.ssh.showing import Pace, Showing
from tests.astrameter.console.ssh.doubles import ShownConsole


class Outlet:
    """Takes ``left`` bytes."""

    def __init__(self) -> None:
        self.left = 1_000_000
        self.taken = b""
        self.owed = 0.0
        self.probes = self.aborts = self.back = 0
        self.status: int | None = None

    def room(self) -> int:
        return self.left

    def send(self, data: bytes) -> None:
        assert len(data) <= self.left
        self.left -= len(data)
        self.taken += data

    def given(self, count: int) -> None:
        self.back += count

    def owed_s(self) -> float:
        return self.owed

    def probe(self) -> None:
        self.probes += 1

    def finish(self, status: int) -> None:
        self.status = status

    def abort(self) -> None:
        self.aborts += 1


class Slow(ShownConsole):
    """Each picture takes 20 ms."""

    def __init__(self, clock: Clock, role: Role, terminal: Terminal) -> None:
        super().__init__(role, terminal)
        self.drawn_at: list[float] = []
        inner = self.widget

        class Panel(urwid.Widget):
            _sizing = frozenset([urwid.BOX])
            _selectable = False

            def render(panel: Any, size: Any, focus: bool = False) -> urwid.Canvas:  # noqa: N805
                self.drawn_at.append(clock.seconds())
                clock.rightNow += 0.02  # no timer comes in between
                return inner.render(size, focus)

        self.widget = Panel()


class ShowingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.pace = Pace()

    def show(self, make: Any = ShownConsole) -> tuple[Showing, Outlet, list[Any]]:
        outlet, made = Outlet(), []

        def make_app(role: Role, terminal: Terminal) -> Any:
            made.append(make(role, terminal))
            return made[-1]

        environ = {"TERM": "xterm-256color"}
        showing = Showing(
            self.clock,
            outlet,
            make_app,
            Role.VIEW,
            Terminal(environ),
            (80, 24),
            lambda: 0.0,
            self.pace,
        )
        showing.start()
        self.addCleanup(showing.lost)
        return showing, outlet, made

    def run_for(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.01)):
            self.clock.advance(0.01)


class Drawing(ShowingCase):
    def test_a_console_draws_at_most_a_tenth_of_the_time(self) -> None:
        _, _, made = self.show(lambda *args: Slow(self.clock, *args))
        for _ in range(200):
            made[0].show()
            self.run_for(0.01)
        times = made[0].drawn_at
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        self.assertGreater(len(times), 5)
        self.assertGreaterEqual(min(gaps), 0.2)

    def test_all_together_draw_at_most_a_quarter_and_none_is_left_out(self) -> None:
        shown = [self.show(lambda *args: Slow(self.clock, *args)) for _ in range(8)]
        for _ in range(400):
            for _, _, made in shown:
                made[0].show()
            self.run_for(0.01)
        times = sorted(at for _, _, made in shown for at in made[0].drawn_at)
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        self.assertGreaterEqual(min(gaps), 0.079)
        counts = [len(made[0].drawn_at) for _, _, made in shown]
        self.assertGreater(min(counts), max(counts) / 2)

    def test_what_has_not_changed_is_not_drawn(self) -> None:
        _, outlet, made = self.show()
        self.run_for(1.0)
        self.assertEqual(made[0].pictures, 1)
        self.assertGreater(len(outlet.taken), 100)

    def test_a_picture_is_sent_in_the_pieces_that_are_taken(self) -> None:
        showing, outlet, made = self.show()
        outlet.left = 10
        self.run_for(0.5)
        self.assertEqual(len(outlet.taken), 10)
        while outlet.left == 0:
            outlet.left = 10
            showing.drained()
        self.assertIn("size 80x24 role view", outlet.taken.decode())
        self.assertEqual(made[0].pictures, 1)

    def test_a_console_that_cannot_be_made_ends_with_a_line(self) -> None:
        def broken(_role: Role, _terminal: Terminal) -> Any:
            raise RuntimeError("no console today")

        _, outlet, _ = self.show(broken)
        self.assertIn(b"The console has failed", outlet.taken)
        self.assertEqual(outlet.status, 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class Looking(ShowingCase):
    def test_the_far_end_is_asked_now_and_then(self) -> None:
        _, outlet, _ = self.show()
        self.run_for(16.0)
        self.assertEqual(outlet.probes, 3)

    def test_a_far_end_that_owes_a_sign_too_long_is_given_up(self) -> None:
        _, outlet, _ = self.show()
        outlet.owed = 29.0
        self.run_for(6.0)
        self.assertEqual(outlet.aborts, 0)
        outlet.owed = 30.0
        self.run_for(6.0)
        self.assertGreaterEqual(outlet.aborts, 1)

    def test_a_far_end_that_takes_nothing_too_long_is_given_up(self) -> None:
        _, outlet, _ = self.show()
        outlet.left = 10
        self.run_for(29.0)
        self.assertEqual(outlet.aborts, 0)
        self.run_for(7.0)
        self.assertGreaterEqual(outlet.aborts, 1)


class Farewell(ShowingCase):
    def test_last_words_that_are_not_taken_are_not_waited_for(self) -> None:
        showing, outlet, made = self.show()
        outlet.left = 0
        showing.end("bye")
        self.run_for(3.0)
        self.assertEqual((outlet.status, outlet.aborts), (None, 1))
        self.assertTrue(made[0].stopped)

    def test_keys_after_the_end_do_nothing(self) -> None:
        showing, outlet, made = self.show()
        showing.end("bye")
        showing.typed(b"abc")
        self.run_for(1.0)
        self.assertEqual((outlet.status, made[0].keys), (0, []))

    def test_what_was_typed_is_given_back(self) -> None:
        showing, outlet, _ = self.show()
        showing.typed(b"abc\x1b[A" + b"\xff" * 10)
        self.run_for(1.0)
        self.assertEqual(outlet.back, 16)
