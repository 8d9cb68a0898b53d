"""The seam between a console and the terminal it is shown on.

A console has no terminal of its own: the same one runs on this machine's
(:mod:`astrameter.console.runner`) and on that of a guest over SSH, each session with its own
instance, size, colours and state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import urwid
from twisted.internet.defer import Deferred


class Role(Enum):
    """What the person at a console may do."""

    VIEW = "view"
    """Look. Whatever would change something is refused, with a line that says so."""

    STEER = "steer"
    """Look, and change."""


@dataclass(frozen=True)
class Terminal:
    """What is known of the terminal before anything is drawn on it.

    :ivar environ: of the person's session, as far as it is known: ``TERM``, ``LANG``, ``LC_ALL``,
        ``LC_CTYPE``, ``NO_COLOR``, ``COLORTERM``. Values may be anything: they come from outside.
    """

    environ: Mapping[str, str]


class ConsoleApp(Protocol):
    """One console for one person.

    The order of its life: made, :meth:`start`, keys and redraws, :meth:`stop`. It never raises out
    of :meth:`key` or of drawing, and holds no resource before :meth:`start` nor after
    :meth:`stop`.

    :ivar widget: a box widget; for ``urwid.MainLoop``.
    :ivar palette: the entries of ``urwid.MainLoop``, for terminals of 1 to 2**24 colours.
    :ivar finished: fires once, with None, when the person asked to leave; never fails. Who runs
        the console then calls :meth:`stop` and closes the terminal.
    """

    @property
    def widget(self) -> urwid.Widget: ...

    @property
    def palette(self) -> Sequence[tuple[Any, ...]]: ...

    @property
    def finished(self) -> Deferred[None]: ...

    def key(self, key: str) -> bool:
        """A key of urwid's names was pressed (for ``unhandled_input``); False when unknown."""

    def start(self, redraw: Callable[[], None]) -> None:
        """Begin to live.

        :param redraw: called, in turns of the reactor, when the screen is to be drawn anew:
            at most a few times a second, and not at all while nothing changes.
        """

    def stop(self) -> None:
        """End everything; may be called twice, and without :meth:`start`."""


MakeApp = Callable[[Role, Terminal], ConsoleApp]
"""A session factory: a console of its own for each person."""
