"""A console on the terminal of this process."""

from __future__ import annotations

import sys
import termios
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import urwid
from twisted.internet.defer import Deferred

from astrameter.console.drawing.colours import colours_for
from astrameter.console.session import ConsoleApp

USUAL_SIZE = (80, 24)


def has_terminal(environ: Mapping[str, str]) -> bool:
    """Whether there is somebody to look and to press keys, on something that moves a cursor."""
    interactive = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    return interactive and environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


class _LocalScreen(urwid.display.raw.Screen):
    """The terminal of this process; one that has gone is told instead of raised, for ever."""

    def __init__(self, gone: Callable[[], None]) -> None:
        super().__init__()
        self._gone = gone

    def get_cols_rows(self) -> tuple[int, int]:
        columns, rows = super().get_cols_rows()
        # A pseudo-terminal that nobody told its size has none, and urwid cannot draw that.
        return columns or USUAL_SIZE[0], rows or USUAL_SIZE[1]

    def get_available_raw_input(self) -> list[int]:
        try:
            return super().get_available_raw_input()
        except (OSError, RuntimeError):  # urwid raises this at the end of standard input
            self._gone()
            return []


class LocalRunner:
    """Takes over the terminal of this process for one console.

    Ctrl-C is a key while it runs.
    """

    def __init__(self, reactor: Any, app: ConsoleApp, environ: Mapping[str, str]) -> None:
        self._reactor = reactor
        self._app = app
        self._environ = environ
        self._open = self._finishing = False
        self._screen = _LocalScreen(self._soon_finish)
        self._loop = urwid.MainLoop(
            app.widget,
            app.palette,
            self._screen,
            handle_mouse=False,
            event_loop=urwid.TwistedEventLoop(reactor, manage_reactor=False),
            unhandled_input=self._pressed,
        )
        self.finished: Deferred[None] = Deferred()

    def start(self) -> Deferred[None]:
        """Show it; fires when the person has left, or the terminal has gone."""
        colours = colours_for(self._environ)
        self._screen.set_terminal_properties(colours)
        self._loop.start()
        self._open = True
        self._screen.tty_signal_keys(intr="undefined")
        # Not in the midst of the key that asks for it: urwid would draw once more.
        self._app.finished.addCallback(lambda _: self._soon_finish())
        self._app.start(self._draw)
        return self.finished

    def stop(self) -> None:
        """Give the terminal back as it was; twice is harmless."""
        self._app.stop()
        if self._open:
            self._open = False
            with suppress(OSError, termios.error):  # the terminal has gone
                self._loop.stop()

    def _pressed(self, key: Any) -> bool:
        return isinstance(key, str) and self._app.key(key)

    def _draw(self) -> None:
        if not self._open:
            return
        try:
            self._loop.draw_screen()
        except OSError:
            self._soon_finish()

    def _soon_finish(self) -> None:
        if not self._finishing:
            self._finishing = True
            self._reactor.callLater(0, self._finish)

    def _finish(self) -> None:
        self.stop()
        if not self.finished.called:
            self.finished.callback(None)
