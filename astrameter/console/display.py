"""A terminal that is somewhere else: urwid's drawing and keys without a file descriptor.

:class:`RemoteScreen` turns canvases into text for whoever carries it to the terminal, and
:class:`Keys` turns what comes back into the names of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import urwid
from urwid.display._raw_display_base import detect_terminal_properties
from urwid.display.escape import MoreInputRequired, process_keyqueue

from astrameter.console.drawing.colours import colours_for

Size = tuple[int, int]
"""Columns and rows."""

USUAL_SIZE: Size = (80, 24)
LARGEST: Size = (400, 150)
"""What is drawn at most, however large the terminal says that it is: drawing takes time."""

INCOMPLETE_S = 0.125
"""How long to wait for the rest of an escape sequence; then its beginning was the Esc key."""

_LONGEST_SEQUENCE = 48
_WAITING_AT_MOST = 8192


def sensible_size(columns: int, rows: int) -> Size:
    """A size that can be drawn; 0 is "not known" (RFC 4254 section 6.2)."""
    if columns <= 0 or rows <= 0:
        return USUAL_SIZE
    return min(columns, LARGEST[0]), min(rows, LARGEST[1])


class RemoteScreen(urwid.display.raw.Screen):
    """A screen whose escape sequences go to ``write``, of a size that it is told.

    It touches neither the terminal nor the signals of this process.
    """

    def __init__(self, environ: Mapping[str, str], write: Callable[[str], None]) -> None:
        """:param environ: of the person at the terminal (``TERM`` and what says of colours)."""
        super().__init__(input=_NoInput(), output=_Output(write), bracketed_paste_mode=False)  # type: ignore[arg-type]  # there is none
        properties = detect_terminal_properties(environ.get("TERM", ""), dict(environ))
        self.term = environ.get("TERM", "")
        self.back_color_erase = properties.back_color_erase
        self.bg_bright_is_blink = properties.bg_bright_is_blink
        self.set_terminal_properties(
            colours_for(environ), properties.fg_bright_is_bold, properties.has_underline
        )

    def signal_init(self) -> None:
        """The signals of this process are nothing to do with that terminal."""

    def signal_restore(self) -> None:
        """None was taken."""

    def tty_signal_keys(self, *_keys: Any, **_named: Any) -> None:
        """The terminal sends Ctrl-C as a key already."""


class _NoInput:
    """What has no ``fileno`` is never read by urwid."""


class _Output:
    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write

    def flush(self) -> None:
        pass


class Keys:
    """From the bytes a terminal sends to urwid's names of keys.

    What is no key — reports of the terminal, mouse events — is left out.
    """

    def __init__(self) -> None:
        self._waiting = bytearray()

    @property
    def waiting(self) -> int:
        """How many bytes have not become keys yet."""
        return len(self._waiting)

    def receive(self, data: bytes) -> None:
        """Bytes have come; what is too much to ever be looked at is dropped."""
        self._waiting += data[: max(0, _WAITING_AT_MOST - len(self._waiting))]

    def take(self, most: int, *, complete: bool = False) -> list[str]:
        """The next keys, at most so many.

        :param complete: nothing more is coming: an unfinished sequence is keys as it stands.
        """
        keys: list[str] = []
        while self._waiting and len(keys) < most:
            # urwid copies all that is left for each key, so it gets to see the beginning only.
            window = list(self._waiting[:_LONGEST_SEQUENCE])
            whole = complete or len(window) < len(self._waiting)
            try:
                found, rest = process_keyqueue(window, more_available=not whole)
            except MoreInputRequired:
                if len(window) < _LONGEST_SEQUENCE:
                    break
                found, rest = process_keyqueue(window, more_available=False)
            del self._waiting[: len(window) - len(rest)]
            keys += [one for one in found if isinstance(one, str) and not _is_unknown(one)]
        return keys


def _is_unknown(key: str) -> bool:
    """Whether urwid made this name up for bytes that mean nothing to it, like ``<255>``."""
    return len(key) > 1 and key.startswith("<")
