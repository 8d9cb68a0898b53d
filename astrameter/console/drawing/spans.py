"""Styled text as plain data: a line is a list of spans, a span a style and its text.

Styles are names of :mod:`astrameter.console.drawing.palette`; the empty name is the terminal's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from urwid import calc_width

Span = tuple[str, str]
Line = Sequence[Span]


def width(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def width_of(line: Line) -> int:
    """Columns that the whole line takes."""
    return sum(width(text) for _, text in line)


def text_of(line: Line) -> str:
    """The line without its styles."""
    return "".join(text for _, text in line)


def cut(text: str, columns: int) -> str:
    """The longest beginning of ``text`` that fits."""
    if width(text) <= columns:
        return text
    taken = 0
    for index, character in enumerate(text):
        taken += _columns_of(character)
        if taken > columns:
            return text[:index]
    return text


def fit(line: Line, columns: int, style: str = "") -> Line:
    """Exactly ``columns`` wide: what is too long is cut, what is short is padded on the right.

    :param style: of the padding.
    """
    missing = columns - width_of(line)
    if missing == 0:
        return line
    if missing > 0:
        return [*line, (style, " " * missing)]
    fitted: list[Span] = []
    for span_style, text in line:
        kept = cut(text, columns)
        fitted.append((span_style, kept))
        columns -= width(kept)
        if len(kept) < len(text):
            break
    if columns > 0:
        fitted.append((style, " " * columns))
    return fitted


def spread(left: Line, right: Line, columns: int, style: str = "") -> Line:
    """``left`` at the left edge and ``right`` at the right one; ``left`` gives way."""
    room = columns - width_of(right)
    if room <= 0:
        return fit(right, columns, style)
    return [*fit(left, room, style), *right]


def flow(words: Iterable[Line], columns: int, rows: int) -> list[Line]:
    """As many of ``words`` as fit, one after the other on at most ``rows`` lines."""
    lines: list[list[Span]] = [[]]
    used = 0
    for word in words:
        wide = width_of(word)
        gap = 2 if used else 0
        if used and used + gap + wide > columns:
            if len(lines) == rows:
                break
            lines.append([])
            used = gap = 0
        lines[-1].extend([("", " " * gap), *word])
        used += gap + wide
    return [fit(line, columns) for line in lines[:rows]]


@lru_cache(maxsize=1024)
def _columns_of(character: str) -> int:
    return calc_width(character, 0, 1)
