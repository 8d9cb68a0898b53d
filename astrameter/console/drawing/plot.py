"""A plot of several series over time, four values high and two wide in each cell.

In braille where the terminal has it, else with a letter for each series.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.spans import Line, Span

DOTS_HIGH = 4
DOTS_WIDE = 2

STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
"""A row of the plot stands for one of these times a power of ten."""

_NO_DOTS = 0x2800
_LEFT = (0x40, 0x04, 0x02, 0x01)  # the left column of a braille pattern, from the bottom
_RIGHT = (0x80, 0x20, 0x10, 0x08)
_LABEL_COLUMNS = 7


def _patterns(dots: Sequence[int]) -> tuple[int, ...]:
    return tuple(
        sum(dot for height, dot in enumerate(dots) if mask >> height & 1) for mask in range(16)
    )


_LEFT_PATTERNS, _RIGHT_PATTERNS = _patterns(_LEFT), _patterns(_RIGHT)


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn as one.

    :ivar values: one for each column of dots, oldest first; they end at the right edge.
    :ivar style: of what is above zero, and ``style_below`` of what is below.
    :ivar mark: stands for it without braille.
    :ivar filled: an area between zero and the value; otherwise a line.
    """

    values: Sequence[float]
    style: str
    style_below: str
    mark: str
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """:ivar step: what a row stands for; ``above`` and ``below`` are rows beside zero."""

    step: float
    above: int
    below: int


def scale_for(lowest: float, highest: float, rows: int) -> Scale:
    """The finest round scale that shows both values, and zero, in so many rows (at least 2)."""
    highest, lowest = max(highest, 0.0), min(lowest, 0.0)
    rows = max(rows, 2)
    exponent = math.floor(math.log10(max(highest - lowest, 1.0) / rows))
    while True:
        for step in STEPS:
            size = step * 10.0**exponent
            below = math.ceil(-lowest / size)
            above = max(math.ceil(highest / size), 1)
            if above + below <= rows:
                return Scale(size, rows - below, below)
        exponent += 1


def plot(series: Sequence[Series], columns: int, scale: Scale, glyphs: Glyphs) -> list[Line]:
    """The lines of the plot, as many as the scale has rows, with the numbers on the left.

    :param series: what comes first is drawn on top.
    """
    rows = scale.above + scale.below
    cells = columns - _LABEL_COLUMNS
    if cells < 1:
        return [[("", " " * columns)] for _ in range(rows)]
    drawn = [_dots_of(one, cells * DOTS_WIDE, rows, scale) for one in series]
    return [
        [_label(row, rows, scale), *_row(series, drawn, row, cells, scale, glyphs)]
        for row in range(rows)
    ]


def dots_across(columns: int) -> int:
    """How many values a plot of that width shows."""
    return max(0, columns - _LABEL_COLUMNS) * DOTS_WIDE


def _label(row: int, rows: int, scale: Scale) -> Span:
    """The value at the lower edge of a row; with many rows only each second has one."""
    number = scale.above - 1 - row
    if number % (1 if rows <= 8 else 2):
        return ("dim", " " * _LABEL_COLUMNS)
    return ("even" if number == 0 else "dim", f"{number * scale.step:>{_LABEL_COLUMNS - 1}.0f} ")


def _dots_of(one: Series, columns: int, rows: int, scale: Scale) -> list[int]:
    """For each column of dots which are set, as the bits of an integer from the bottom."""
    zero = scale.below * DOTS_HIGH
    highest = rows * DOTS_HIGH - 1
    per_dot = scale.step / DOTS_HIGH
    values = one.values[-columns:]
    dots = [0] * (columns - len(values))
    before: int | None = None
    for value in values:
        at = min(max(zero + math.floor(value / per_dot), 0), highest)
        if one.filled:
            low, high = (zero, at) if at >= zero else (at, zero - 1)
        elif before is None or before == at:
            low = high = at
        elif before < at:
            low, high = before + 1, at
        else:
            low, high = at, before - 1
        before = at
        dots.append(((1 << (high - low + 1)) - 1) << low)
    return dots


def _row(
    series: Sequence[Series],
    drawn: Sequence[Sequence[int]],
    row: int,
    cells: int,
    scale: Scale,
    glyphs: Glyphs,
) -> Iterator[Span]:
    """One line of cells, as few spans as possible."""
    shift = (scale.above + scale.below - 1 - row) * DOTS_HIGH
    is_zero, below = row == scale.above - 1, row >= scale.above
    styles = [one.style_below if below else one.style for one in series]
    run: list[str] = []
    run_style = ""
    for cell in range(0, cells * DOTS_WIDE, DOTS_WIDE):
        left = right = 0
        top = -1
        for number, dots in enumerate(drawn):
            a, b = dots[cell] >> shift & 15, dots[cell + 1] >> shift & 15
            if (a or b) and top < 0:
                top = number
            left |= a
            right |= b
        if top >= 0:
            style = styles[top]
            braille = chr(_NO_DOTS + _LEFT_PATTERNS[left] + _RIGHT_PATTERNS[right])
            character = braille if glyphs.braille else series[top].mark
        else:
            style, character = "frame", (glyphs.dash if is_zero else " ")
        if style != run_style and run:
            yield (run_style, "".join(run))
            run = []
        run_style = style
        run.append(character)
    yield (run_style, "".join(run))
