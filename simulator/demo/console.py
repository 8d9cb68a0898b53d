"""The demo on a terminal: urwid's loop on our reactor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import urwid
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.painted import Painted
from astrameter.console.drawing.palette import PALETTE
from astrameter.console.drawing.spans import Line
from astrameter.deferreds import spawn
from simulator.demo.model import Snapshot
from simulator.demo.stage import SOLAR_STEP_W, Stage
from simulator.demo.view import draw

REFRESH_S = 0.25


class Console:
    """Shows a stage that has started, and hands over what is pressed."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        stage: Stage,
        glyphs: Glyphs,
        leave: Callable[[], None],
        give_up: Callable[[str], None],
    ) -> None:
        """:param leave: called when the visitor wants to go, or the terminal has gone.

        :param give_up: called with the reason when the screen cannot be drawn.
        """
        self._reactor = reactor
        self._stage = stage
        self._glyphs = glyphs
        self._leave = leave
        self._give_up = give_up
        self._open = False
        self._keys: dict[str, Callable[[], None]] = {
            "k": stage.switch_kettle,
            "s": stage.toggle_cloud,
            "+": lambda: stage.change_panels(SOLAR_STEP_W),
            "=": lambda: stage.change_panels(SOLAR_STEP_W),
            "-": lambda: stage.change_panels(-SOLAR_STEP_W),
            "f": stage.change_speed,
            " ": stage.pause,
            "q": leave,
            "Q": leave,
            "esc": leave,
            "ctrl c": leave,
        }
        urwid.set_encoding("utf-8" if glyphs.braille else "ascii")
        self._painted = Painted(self._draw)
        self._screen = urwid.display.raw.Screen()
        self._loop = urwid.MainLoop(
            self._painted,
            PALETTE,
            self._screen,
            handle_mouse=False,
            event_loop=urwid.TwistedEventLoop(reactor, manage_reactor=False),
            unhandled_input=self._pressed,
        )
        self._refreshing = LoopingCall(self._refresh)
        self._refreshing.clock = reactor
        self._snapshot: Snapshot | None = None

    def start(self) -> None:
        """Take over the terminal.

        Ctrl-C becomes a key: as a signal it would reach ``make`` as well, which would end with
        an error.
        """
        self._open = True
        self._loop.start()
        self._screen.tty_signal_keys(intr="undefined")
        spawn(self._run(), "drawing the screen", self._log)

    def stop(self) -> None:
        """Give the terminal back as it was."""
        if self._refreshing.running:
            self._refreshing.stop()
        if self._open:
            self._open = False
            with suppress(OSError):  # the terminal has gone
                self._loop.stop()

    async def _run(self) -> None:
        try:
            await self._refreshing.start(REFRESH_S)
        except Exception as error:  # noqa: BLE001  a screen that stands still helps nobody
            self._give_up(f"the screen cannot be drawn: {error!r}")

    def _refresh(self) -> None:
        self._snapshot = self._stage.model.snapshot(self._reactor.seconds())
        self._painted.repaint()
        try:
            self._loop.draw_screen()
        except OSError:
            self._leave()  # the terminal has gone

    def _draw(self, columns: int, rows: int) -> list[Line]:
        if self._snapshot is None:
            return []
        return draw(self._snapshot, columns, rows, self._glyphs)

    def _pressed(self, key: Any) -> bool:
        action = self._keys.get(key) if isinstance(key, str) else None
        if action is None:
            return False
        action()
        return True
