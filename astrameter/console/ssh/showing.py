"""One console on one terminal: draws, passes keys on, and never sends more than is taken.

The terminal's picture is only drawn anew when the one before has been handed over completely. So
however slow the terminal is, one picture waits at most, and the next one is the newest there is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from astrameter.console.display import (
    INCOMPLETE_S,
    Keys,
    RemoteScreen,
    Size,
    sensible_size,
)
from astrameter.console.session import ConsoleApp, MakeApp, Role, Terminal

LEAST_GAP_S = 0.05
"""Pictures are at least so far apart, whatever the keys and the size of the window do."""

SHARE = 10
"""After a picture its console pauses for so many times what drawing it took, and"""

SHARE_OF_ALL = 3
"""so many times until the next picture of any console: however many look on, three quarters of the
processor are for the batteries, and none of them waits for more than one picture."""

KEYS_A_TURN = 32
TURN_S = 0.02
"""At most so many keys at once, then others have their turn: still 1600 a second."""

LOOK_S = 5.0
STALLED_S = 30.0
"""A terminal that takes nothing for so long is given up."""

FAREWELL_S = 2.0
"""How long the last words may take."""


class Outlet(Protocol):
    """The way to the terminal."""

    def room(self) -> int:
        """How many bytes would be taken now."""

    def send(self, data: bytes) -> None:
        """Bytes for the terminal, no more than there is room for."""

    def given(self, count: int) -> None:
        """So many bytes of what the person typed have been dealt with."""

    def owed_s(self) -> float:
        """For how long the far end has owed a sign of life; 0 when it owes none."""

    def probe(self) -> None:
        """Ask the far end for a sign of life."""

    def finish(self, status: int) -> None:
        """All has been said: close, with this exit status."""

    def abort(self) -> None:
        """Nothing is taken any more: cut the connection."""


class Pace:
    """When the next picture may be drawn, of whichever console.

    :ivar free_at: on the clock of the consoles.
    """

    def __init__(self) -> None:
        self.free_at = 0.0


class Showing:
    """A console and its terminal, from the first picture to the last word.

    :ivar role: what the person may do.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        outlet: Outlet,
        make_app: MakeApp,
        role: Role,
        terminal: Terminal,
        size: Size,
        idle_timeout_s: Callable[[], float],
        pace: Pace,
    ) -> None:
        """:param idle_timeout_s: asked anew each time; 0 is never.

        :param pace: of all consoles together.
        """
        self.role = role
        self._clock = clock
        self._outlet = outlet
        self._make_app = make_app
        self._terminal = terminal
        self._size = sensible_size(*size)
        self._idle_timeout_s = idle_timeout_s
        self._pace = pace
        self._app: ConsoleApp | None = None
        self._screen = RemoteScreen(terminal.environ, self._collect)
        self._drawn: list[str] = []
        self._outgoing = b""
        self._keys = Keys()
        self._wanted = self._ending = self._over = False
        self._status = 0
        self._next_s = 0.0
        self._key_at = clock.seconds()
        self._stuck_at: float | None = None
        self._drawing: IDelayedCall | None = None
        self._typing: IDelayedCall | None = None
        self._looking: IDelayedCall | None = None
        self._leaving: IDelayedCall | None = None

    # --------------------------------------------------------------------------------- life

    def start(self) -> None:
        """Show the console."""
        try:
            self._app = app = self._make_app(self.role, self._terminal)
            self._screen.register_palette(app.palette)
            self._screen.start()
            app.finished.addCallback(lambda _: self.end())
            self._looking = self._clock.callLater(LOOK_S, self._look)
            app.start(self.redraw)
        except Exception:  # noqa: BLE001  a console that fails must not take others with it
            self._failed()
            return
        self.redraw()

    def end(self, words: str = "", status: int = 0) -> None:
        """Give the terminal back as it was, with a last line."""
        if self._ending:
            return
        self._ending, self._status = True, status
        self._cancel()
        self._stop_app()
        if self._screen.started:
            self._screen.stop()
        text = "".join(self._drawn)
        self._drawn.clear()
        if words:
            text += f"{words}\r\n"
        self._outgoing += text.encode("utf-8", "replace")
        self._leaving = self._clock.callLater(FAREWELL_S, self._outlet.abort)
        self.drained()

    def lost(self) -> None:
        """The terminal has gone."""
        self._ending = self._over = True
        self._cancel()
        if self._leaving is not None and self._leaving.active():
            self._leaving.cancel()
        self._stop_app()
        self._outgoing = b""

    def _stop_app(self) -> None:
        app, self._app = self._app, None
        if app is not None:
            try:
                app.stop()
            except Exception:  # noqa: BLE001  as in start
                self._log.failure("a console could not be stopped")

    def _failed(self) -> None:
        self._log.failure("a console over SSH failed")
        self.end("The console has failed; the log of the server says why.", 1)

    def _cancel(self) -> None:
        for call in (self._drawing, self._typing, self._looking):
            if call is not None and call.active():
                call.cancel()

    # ------------------------------------------------------------------------------ drawing

    def redraw(self) -> None:
        """Draw anew as soon as that is possible."""
        self._wanted = True
        if self._ending or self._outgoing or (self._drawing and self._drawing.active()):
            return
        wait_s = max(0.0, max(self._next_s, self._pace.free_at) - self._clock.seconds())
        self._drawing = self._clock.callLater(wait_s, self._draw)

    def resize(self, size: Size) -> None:
        """The window has another size."""
        self._size = sensible_size(*size)
        self._screen.clear()
        self._key_at = self._clock.seconds()
        self.redraw()

    def drained(self) -> None:
        """There may be room again."""
        while self._outgoing and (room := self._outlet.room()) > 0:
            part, self._outgoing = self._outgoing[:room], self._outgoing[room:]
            self._outlet.send(part)
            self._stuck_at = None
        if self._outgoing:
            self._stuck()
        if self._outgoing or self._over:
            return
        if self._ending:
            self._over = True
            self._outlet.finish(self._status)
        elif self._wanted:
            self.redraw()

    def _draw(self) -> None:
        app = self._app
        if app is None or self._ending or self._outgoing:
            return
        if self._outlet.room() <= 0:
            self._stuck()
            return
        began = self._clock.seconds()
        if began < self._pace.free_at:
            self._drawing = self._clock.callLater(self._pace.free_at - began, self._draw)
            return
        self._wanted = False
        try:
            canvas = app.widget.render(self._size, focus=True)
            self._screen.draw_screen(self._size, canvas)
        except Exception:  # noqa: BLE001  as in start
            self._failed()
            return
        now = self._clock.seconds()
        self._next_s = now + max(LEAST_GAP_S, SHARE * (now - began))
        self._pace.free_at = now + SHARE_OF_ALL * (now - began)
        self._outgoing = "".join(self._drawn).encode("utf-8", "replace")
        self._drawn.clear()
        self.drained()

    def _stuck(self) -> None:
        if self._stuck_at is None:
            self._stuck_at = self._clock.seconds()

    def _collect(self, text: str) -> None:
        self._drawn.append(text)

    # -------------------------------------------------------------------------------- input

    def typed(self, data: bytes) -> None:
        """The person has typed."""
        if self._ending:
            return
        self._key_at = self._clock.seconds()
        before = self._keys.waiting
        self._keys.receive(data)
        dropped = before + len(data) - self._keys.waiting
        if dropped:
            self._outlet.given(dropped)
        self._wait_for_rest(0.0)

    def _wait_for_rest(self, wait_s: float) -> None:
        if self._typing is not None and self._typing.active():
            self._typing.cancel()
        self._typing = self._clock.callLater(wait_s, self._take_keys, wait_s == INCOMPLETE_S)

    def _take_keys(self, complete: bool) -> None:
        before = self._keys.waiting
        keys = self._keys.take(KEYS_A_TURN, complete=complete)
        for key in keys:
            if not self._ending:
                self._press(key)
        used = before - self._keys.waiting
        if used:
            self._outlet.given(used)
        if self._keys.waiting and not self._ending:
            self._wait_for_rest(TURN_S if len(keys) >= KEYS_A_TURN else INCOMPLETE_S)

    def _press(self, key: str) -> None:
        app = self._app
        if app is None:
            return
        try:
            left = app.widget.keypress(self._size, key) if app.widget.selectable() else key
            if left == "ctrl l":
                self._screen.clear()
            elif left is not None:
                app.key(left)
        except Exception:  # noqa: BLE001  as in start
            self._failed()
            return
        self.redraw()

    # -------------------------------------------------------------------------------- looks

    def _look(self) -> None:
        """Now and then: is the person still there, and the far end?"""
        self._looking = self._clock.callLater(LOOK_S, self._look)
        now = self._clock.seconds()
        owed_s = self._outlet.owed_s()
        stuck_s = 0.0 if self._stuck_at is None else now - self._stuck_at
        if max(stuck_s, owed_s) >= STALLED_S:
            self._log.info("a console over SSH takes nothing any more, and is ended")
            self._outlet.abort()
            return
        idle_s = self._idle_timeout_s()
        if idle_s and now - self._key_at >= idle_s:
            self.end(f"Closed: no key was pressed for {idle_s:.0f} seconds.")
        elif not owed_s:
            self._outlet.probe()
