"""Panels in one common frame: neighbours share the line between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from astrameter.console.drawing.glyphs import DOWN, LEFT, RIGHT, UP, Glyphs
from astrameter.console.drawing.spans import Line, fit, width_of


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of cells with the frame around it; neighbours overlap by one cell."""

    left: int
    top: int
    columns: int
    rows: int

    @property
    def inner_columns(self) -> int:
        return max(0, self.columns - 2)

    @property
    def inner_rows(self) -> int:
        return max(0, self.rows - 2)


@dataclass(frozen=True, slots=True)
class Panel:
    """A box with something in it.

    :ivar lines: what it shows, from the top; what does not fit is not shown.
    :ivar marks: on its upper line, each with its column counted from the inner edge; one that
        would touch the one before it is left out.
    """

    box: Box
    lines: Sequence[Line]
    marks: Sequence[tuple[int, Line]] = field(default=())


def compose(panels: Sequence[Panel], columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """The frame with everything in it: exactly ``rows`` lines of ``columns``."""
    frame = _frame(tuple(panel.box for panel in panels), columns, rows, glyphs)
    pieces: list[list[tuple[int, Line]]] = [[] for _ in range(rows)]
    for panel in panels:
        box = panel.box
        if box.top < rows:
            pieces[box.top].extend(_marks(panel))
        inside = range(box.top + 1, min(box.top + box.rows - 1, rows))
        for row, line in zip(inside, panel.lines, strict=False):
            pieces[row].append((box.left + 1, fit(line, box.inner_columns)))
    return [
        _overlaid(line, sorted(found, key=lambda piece: piece[0]), columns)
        for line, found in zip(frame, pieces, strict=True)
    ]


def _marks(panel: Panel) -> list[tuple[int, Line]]:
    shown = []
    end = 0
    for offset, line in sorted(panel.marks, key=lambda mark: mark[0]):
        wide = width_of(line)
        if offset >= end and offset + wide <= panel.box.inner_columns:
            shown.append((panel.box.left + 1 + offset, line))
            end = offset + wide + 1
    return shown


def _overlaid(frame: str, pieces: Sequence[tuple[int, Line]], columns: int) -> Line:
    """The frame's line with the pieces over it."""
    spans: list[tuple[str, str]] = []
    at = 0
    for left, line in pieces:
        if left > at:
            spans.append(("frame", frame[at:left]))
        spans.extend(line)
        at = left + width_of(line)
    if at < columns:
        spans.append(("frame", frame[at:]))
    return fit(spans, columns)


@lru_cache(maxsize=16)
def _frame(boxes: tuple[Box, ...], columns: int, rows: int, glyphs: Glyphs) -> list[str]:
    """The lines of the frame, with spaces where nothing is."""
    ways = [[0] * columns for _ in range(rows)]

    def add(row: int, column: int, way: int) -> None:
        if 0 <= row < rows and 0 <= column < columns:
            ways[row][column] |= way

    for box in boxes:
        bottom, right = box.top + box.rows - 1, box.left + box.columns - 1
        for column in range(box.left, right):
            for row in (box.top, bottom):
                add(row, column, RIGHT)
                add(row, column + 1, LEFT)
        for row in range(box.top, bottom):
            for column in (box.left, right):
                add(row, column, DOWN)
                add(row + 1, column, UP)
    return ["".join(glyphs.joints[way] for way in line) for line in ways]
