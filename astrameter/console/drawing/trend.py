"""A rolling plot of powers: one as an area around zero, others as lines over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.grid import Marks
from astrameter.console.drawing.history import History
from astrameter.console.drawing.plot import Series, dots_across, plot, scale_for
from astrameter.console.drawing.spans import Line, width_of
from astrameter.console.drawing.words import span

LEAST_POINTS = 120
"""A narrow plot takes several points together and so shows no less."""

_LEAST_W = 100.0
"""The scale never gets finer than this."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One of the powers.

    :ivar style, style_below: above and below zero.
    :ivar mark: stands for it in the legend, and in plots without braille.
    """

    name: str
    history: History
    style: str
    style_below: str
    mark: str
    filled: bool = False


def trend_lines(traces: Sequence[Trace], columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """:param traces: those that come first are drawn on top."""
    dots = dots_across(columns - 1)
    values = [trace.history.last(dots, _each(dots)) for trace in traces]
    everything = [value for some in values for value in some] or [0.0]
    scale = scale_for(min(everything), max(*everything, _LEAST_W), rows)
    series = [
        Series(some, trace.style, trace.style_below, trace.mark, filled=trace.filled)
        for trace, some in zip(traces, values, strict=True)
    ]
    return plot(series, columns - 1, scale, glyphs)


def trend_marks(traces: Sequence[Trace], columns: int, point_s: float) -> Marks:
    """The legend, and how much time is shown where there is room."""
    marks: Marks = [(1, [("heading", " Power ")])]
    at = 9
    for trace in traces:
        swatch = [(trace.style, trace.mark), (trace.style_below, trace.mark)]
        line: Line = [("", " "), *swatch, ("dim", f" {trace.name} ")]
        marks.append((at, line))
        at += width_of(line) + 1
    dots = dots_across(columns - 1)
    text = f" W, last {span(dots * _each(dots) * point_s)} "
    marks.append((columns - 1 - len(text), [("dim", text)]))
    return marks


def _each(dots: int) -> int:
    """Points in one column of dots."""
    return max(1, -(-LEAST_POINTS // dots)) if dots else 1
