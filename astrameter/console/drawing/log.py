"""What has happened, as a bounded list of short lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.spans import Line, cut, fit, width
from astrameter.console.drawing.words import clock

LONGEST = 200
"""Older lines are forgotten."""

LONGEST_TEXT = 400
"""What others say may be longer than any screen is wide."""


@dataclass(frozen=True, slots=True)
class Event:
    """:ivar at_s: second of the day.

    :ivar style: of :mod:`astrameter.console.drawing.palette`.
    """

    at_s: float
    text: str
    style: str = ""


def new_log() -> deque[Event]:
    """An empty list of events, oldest first, that forgets."""
    return deque(maxlen=LONGEST)


def one_line(text: str) -> str:
    """Any text as one line that a terminal shows and does not obey, not endless."""
    line = " ".join(text[:LONGEST_TEXT].split())
    return "".join(c if c.isprintable() else "?" for c in line)


def event_lines(
    events: Sequence[Event],
    columns: int,
    rows: int,
    glyphs: Glyphs,
    *,
    seconds: bool = False,
) -> list[Line]:
    """The newest events, newest last."""
    newest = list(events)[-rows:] if rows > 0 else []
    label = 9 if seconds else 6
    lines: list[Line] = []
    for event in newest:
        room = columns - label - 2
        text = event.text
        if width(text) > room:
            text = cut(text, max(0, room - 1)) + glyphs.ellipsis
        at = clock(event.at_s, seconds=seconds)
        lines.append(fit([("dim", f" {at} "), (event.style, text)], columns))
    return lines
