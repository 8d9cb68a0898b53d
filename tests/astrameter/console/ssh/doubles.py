"""A console that shows its size, its role and the last keys: what a test can tell apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import urwid
from twisted.internet.defer import Deferred

from astrameter.console.session import Role, Terminal


class ShownConsole:
    """A :class:`~astrameter.console.session.ConsoleApp` without anything behind it.

    :ivar filled: every cell changes with every picture; for terminals that do not keep up.
    """

    def __init__(self, role: Role, terminal: Terminal) -> None:
        self.role = role
        self.terminal = terminal
        self.palette: Sequence[tuple[Any, ...]] = [("bad", "light red", "default")]
        self.finished: Deferred[None] = Deferred()
        self.keys: list[str] = []
        self.pictures = 0
        self.filled = False
        self.redraw: Callable[[], None] | None = None
        self.stopped = False
        self.widget: urwid.Widget = _Panel(self)

    def start(self, redraw: Callable[[], None]) -> None:
        self.redraw = redraw

    def stop(self) -> None:
        self.stopped = True

    def key(self, key: str) -> bool:
        self.keys.append(key)
        if key == "q" and not self.finished.called:
            self.finished.callback(None)
        if key == "!":
            raise ValueError("a broken key")
        self.show()
        return True

    def show(self) -> None:
        """Something has changed."""
        self.widget._invalidate()
        if self.redraw is not None:
            self.redraw()


class _Panel(urwid.Widget):
    _sizing = frozenset([urwid.BOX])
    _selectable = False

    def __init__(self, console: ShownConsole) -> None:
        super().__init__()
        self._console = console

    def render(self, size: Any, focus: bool = False) -> urwid.Canvas:
        columns, rows = size
        one = self._console
        one.pictures += 1
        first = f"size {columns}x{rows} role {one.role.value} keys {' '.join(one.keys[-8:])} ☀"
        filling = chr(65 + one.pictures % 26) * columns if one.filled else ""
        lines = [first, *[filling] * (rows - 1)]
        return urwid.TextCanvas(
            [urwid.apply_target_encoding(line[:columns].ljust(columns))[0] for line in lines],
            maxcol=columns,
        )
