"""What both consoles have in common: keys, prompts, help, a log, and when to draw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import urwid
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from astrameter.console.drawing.glyphs import Glyphs, glyphs_for
from astrameter.console.drawing.log import Event, new_log, one_line
from astrameter.console.drawing.overlay import overlay
from astrameter.console.drawing.painted import Painted
from astrameter.console.drawing.palette import PALETTE
from astrameter.console.drawing.spans import Line, Span, fit, spread, width, width_of
from astrameter.console.prompts import Confirm, Entry, Prompt
from astrameter.console.session import Role, Terminal

TICK_S = 1.0
"""Between two points of the plots."""

LEAST_GAP_S = 0.1
"""However much happens, the screen is drawn at most ten times a second."""

_HELP, _QUIT = "?", "q"


@dataclass(frozen=True, slots=True)
class Command:
    """What a key does.

    :ivar keys: urwid's names of the keys.
    :ivar shown: the keys as people know them.
    :ivar short: one word for the line at the bottom; empty: only the help tells it.
    :ivar long: for the help.
    :ivar run: called with the key.
    :ivar changes: it is for those who may steer.
    """

    keys: tuple[str, ...]
    shown: str
    short: str
    long: str
    run: Callable[[str], None]
    changes: bool = False


class BaseConsole(ABC):
    """A :class:`~astrameter.console.session.ConsoleApp` that only lacks something to show."""

    _log = Logger()
    _title = ""
    """Of the help."""

    def __init__(self, clock: IReactorTime, role: Role, terminal: Terminal) -> None:
        """:param clock: monotonic time."""
        # Of the process, so the same for all sessions; who has only ASCII gets only ASCII.
        urwid.set_encoding("utf-8")
        self.glyphs: Glyphs = glyphs_for(terminal.environ)
        self._painted = Painted(self._render, ascii_only=not self.glyphs.braille)
        self.widget: urwid.Widget = self._painted
        self.palette: Sequence[tuple[Any, ...]] = PALETTE
        self.finished: Deferred[None] = Deferred()
        self.role = role
        self.events = new_log()
        self._clock = clock
        self._redraw: Callable[[], None] | None = None
        self._pending: IDelayedCall | None = None
        self._ticking: IDelayedCall | None = None
        self._drawn_at = -LEAST_GAP_S
        self._prompt: Prompt | None = None
        self._help = False
        self._broken = False
        leave = Command(("q", "Q", "ctrl c"), _QUIT, "quit", "leave", lambda _key: self.leave())
        ask = Command(("?", "h", "H", "f1"), _HELP, "help", "this help", self._show_help)
        self._commands = (*self.commands(), ask, leave)
        self._by_key: Mapping[str, Command] = {
            key: command for command in self._commands for key in command.keys
        }

    # ------------------------------------------------------------------- what a console adds

    @abstractmethod
    def commands(self) -> Sequence[Command]:
        """What can be pressed, most important first."""

    @abstractmethod
    def draw(self, columns: int, rows: int) -> list[Line]:
        """The screen without its last line."""

    @abstractmethod
    def time_of_day(self) -> float:
        """What the log's lines are stamped with."""

    @abstractmethod
    def opened(self) -> None:
        """It begins to live."""

    @abstractmethod
    def closed(self) -> None:
        """It has ended."""

    @abstractmethod
    def ticked(self) -> None:
        """Another second has passed."""

    # --------------------------------------------------------------------------------- life

    def start(self, redraw: Callable[[], None]) -> None:
        """See :class:`~astrameter.console.session.ConsoleApp`."""
        self._redraw = redraw
        self._ticking = self._clock.callLater(TICK_S, self._tick)
        self.opened()
        self.changed()

    def stop(self) -> None:
        """See :class:`~astrameter.console.session.ConsoleApp`."""
        if self._redraw is None:
            return
        self._redraw = None
        for call in (self._pending, self._ticking):
            if call is not None and call.active():
                call.cancel()
        self.closed()

    def leave(self) -> None:
        """The person wants to go."""
        if not self.finished.called:
            self.finished.callback(None)

    def _tick(self) -> None:
        self._ticking = self._clock.callLater(TICK_S, self._tick)
        try:
            self.ticked()
        except Exception:  # noqa: BLE001  a console that stands still helps nobody
            self._fail("a second cannot be counted")

    # ----------------------------------------------------------------------------- drawing

    def changed(self, later_s: float = 0.0) -> None:
        """Something that is shown has changed: draw it soon, and not too often.

        :param later_s: more is about to come; wait for so long, and draw once.
        """
        self._painted.repaint()
        if self._redraw is None or (self._pending is not None and self._pending.active()):
            return
        wait_s = max(later_s, self._drawn_at + LEAST_GAP_S - self._clock.seconds())
        self._pending = self._clock.callLater(wait_s, self._show)

    def _show(self) -> None:
        self._drawn_at = self._clock.seconds()
        if self._redraw is not None:
            self._redraw()

    def _render(self, columns: int, rows: int) -> list[Line]:
        try:
            lines = list(self.draw(columns, rows - 1))[: rows - 1]
        except Exception as error:  # noqa: BLE001  urwid would take the whole session down
            self._fail("the screen cannot be drawn")
            lines = [[("bad", one_line(f"this cannot be drawn: {error!r}"))]]
        lines += [[] for _ in range(rows - 1 - len(lines))]
        if self._help and self._prompt is None:
            text = self._help_lines(columns, rows)
            lines = overlay(lines, self._title, text, columns, rows - 1, self.glyphs)
        return [*lines, self._footer(columns)]

    def _fail(self, what: str) -> None:
        if not self._broken:
            self._broken = True
            self._log.failure("{what}", what=what)

    def _footer(self, columns: int) -> Line:
        if self._prompt is not None:
            return self._asked(self._prompt, columns)
        last: Line = [*self._key_of(_HELP), *self._key_of(_QUIT)]
        room = columns - width_of(last)
        shown: list[Span] = []
        for command in self._commands:
            word = [] if command.changes and self.role is Role.VIEW else self._words(command)
            if word and command.shown not in (_HELP, _QUIT) and width_of(word) <= room:
                shown += word
                room -= width_of(word)
        if self.role is Role.VIEW and room >= 12:
            shown.append(("dim", "  looking only"))
        return spread(shown, last, columns)

    @staticmethod
    def _asked(prompt: Prompt, columns: int) -> Line:
        """The question; on a narrow terminal its end, because that is what was typed."""
        text, keys = f" {prompt.text} ", f" {prompt.keys} "
        if width(text) > columns:
            text = text[-columns:]
        right: Line = [("prompt", keys)] if width(text + keys) <= columns else []
        return spread([("prompt", text)], right, columns, "prompt")

    def _key_of(self, shown: str) -> list[Span]:
        return self._words(next(one for one in self._commands if one.shown == shown))

    @staticmethod
    def _words(command: Command) -> list[Span]:
        if not command.short:
            return []
        return [("", " "), ("key", command.shown), ("dim", f" {command.short}")]

    def _help_lines(self, columns: int, rows: int) -> list[Line]:
        known = [one for one in self._commands if not (one.changes and self.role is Role.VIEW)]
        wide = max(width(one.shown) for one in known)
        lines: list[Line] = [
            [("key", one.shown.center(wide)), ("", "  "), ("", one.long)] for one in known
        ]
        half = (len(lines) + 1) // 2
        longest = max(map(width_of, lines)) + 2
        if len(lines) + 2 > rows - 1 and 2 * longest + 4 <= columns:
            pairs = zip(lines[:half], [*lines[half:], []], strict=False)
            lines = [[*fit(left, longest), *right] for left, right in pairs]
        return lines

    # -------------------------------------------------------------------------------- keys

    def key(self, key: str) -> bool:
        """See :class:`~astrameter.console.session.ConsoleApp`."""
        try:
            return self._handle(key)
        except Exception as error:  # noqa: BLE001  a key must not take the whole session down
            self._log.failure("the key {key!r} failed", key=key[:32])
            self.say(f"that failed: {error!r}", "bad")
            return True

    def _handle(self, key: str) -> bool:
        if key == "ctrl c":
            self.leave()
            return True
        if self._prompt is not None:
            prompt = self._prompt
            prompt.key(key)
            if prompt.done and self._prompt is prompt:
                self._prompt = None
            self.changed()
            return True
        if self._help:
            self._help = False
            self.changed()
            return True
        command = self._by_key.get(key)
        if command is None:
            return False
        if command.changes and self.role is Role.VIEW:
            self.say(f"you may only look: {command.shown} does nothing here", "warning")
            return True
        command.run(key)
        return True

    def _show_help(self, _key: str) -> None:
        self._help = True
        self.changed()

    def say(self, text: str, style: str = "") -> None:
        """Put a line into the log."""
        self.events.append(Event(self.time_of_day(), one_line(text), style))
        self.changed()

    def confirm(self, question: str, confirmed: Callable[[], None]) -> None:
        """Do something only after a yes."""
        self._prompt = Confirm(one_line(question), confirmed, self._left)
        self.changed()

    def enter(self, question: str, entered: Callable[[str], None]) -> None:
        """Ask for a number."""
        self._prompt = Entry(one_line(question), entered, self._left)
        self.changed()

    def _left(self) -> None:
        self.say("nothing was changed", "dim")
