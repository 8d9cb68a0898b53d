"""urwid widgets that show what a function draws as plain lines."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import urwid

from astrameter.console.drawing.spans import Line, fit, width

Draw = Callable[[int, int], list[Line]]
"""Draws so many columns and rows."""


class Painted(urwid.Widget):
    """A box that calls ``draw`` whenever it is to be shown anew (see :meth:`repaint`)."""

    _sizing = frozenset([urwid.BOX])
    _selectable = False

    def __init__(self, draw: Draw, *, ascii_only: bool = False) -> None:
        """:param ascii_only: this terminal has nothing else, whatever urwid's encoding is."""
        super().__init__()
        self._draw = draw
        self._ascii_only = ascii_only

    def repaint(self) -> None:
        """What is drawn has changed."""
        self._invalidate()

    def render(self, size: Any, focus: bool = False) -> urwid.Canvas:
        """:param size: columns and rows; lines that are missing are empty."""
        columns, rows = size
        lines = self._draw(columns, rows)[:rows]
        lines += [[] for _ in range(rows - len(lines))]
        return canvas_of(lines, columns, ascii_only=self._ascii_only)


def canvas_of(lines: list[Line], columns: int, *, ascii_only: bool = False) -> urwid.TextCanvas:
    """The lines as urwid wants them, each cut or padded to ``columns``.

    They are encoded as urwid was told (``urwid.set_encoding``, for the whole process).
    """
    encoding = urwid.util.get_encoding()
    everything = not ascii_only and encoding.replace("-", "") == "utf8"
    texts: list[bytes] = []
    attributes: list[list[tuple[Hashable, int]]] = []
    for line in lines:
        text = bytearray()
        runs: list[tuple[Hashable, int]] = []
        for style, content in fit(line, columns):
            shown = content if everything or content.isascii() else _plain(content)
            encoded = shown.encode()
            text += encoded
            if encoded:
                runs.append((style or None, len(encoded)))
        texts.append(bytes(text))
        attributes.append(runs)
    return urwid.TextCanvas(texts, attributes, maxcol=columns, check_width=False)


def _plain(text: str) -> str:
    """Question marks, as wide as what they stand for, where there is more than ASCII."""
    return "".join(c if c.isascii() else "?" * width(c) for c in text)
