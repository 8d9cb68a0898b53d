"""A box over the middle of the screen, for help and explanations."""

from __future__ import annotations

from collections.abc import Sequence

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.panels import Box, Panel, compose
from astrameter.console.drawing.spans import Line, Span, cut, fit, width, width_of

LEAST_COLUMNS, LEAST_ROWS = 12, 3
"""Without this much room there is no box."""


def overlay(
    screen: Sequence[Line],
    title: str,
    lines: Sequence[Line],
    columns: int,
    rows: int,
    glyphs: Glyphs,
) -> list[Line]:
    """The screen with a box over it, as large as its lines need, at most all of the screen."""
    wide = min(max([width(title) + 4, *(width_of(line) + 2 for line in lines)]) + 2, columns)
    high = min(len(lines) + 2, rows)
    if wide < LEAST_COLUMNS or high < LEAST_ROWS:
        return list(screen)
    panel = Panel(
        Box(0, 0, wide, high),
        [[("", " "), *line] for line in lines],
        [(1, [("heading", f" {title} ")])],
    )
    box = compose([panel], wide, high, glyphs)
    left, top = (columns - wide) // 2, (rows - high) // 2
    shown = list(screen)
    for row, line in enumerate(box, top):
        before, after = _around(shown[row], left, left + wide)
        shown[row] = [*before, *line, *after]
    return shown


def _around(line: Line, start: int, end: int) -> tuple[Line, Line]:
    """What stands before column ``start`` and from column ``end`` on."""
    after: list[Span] = []
    at = 0
    for style, text in line:
        wide = width(text)
        if at + wide > end:
            kept = text[len(cut(text, max(0, end - at))) :]
            after.append((style, kept))
        at += wide
    return fit(line, start), after
