"""Horizontal bars: how full something is, and how far to either side of a centre.

Bars have half a cell of resolution. What is not zero is never drawn as nothing.
"""

from __future__ import annotations

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.spans import Line


def level(
    fraction: float, columns: int, glyphs: Glyphs, style: str, track_style: str = "frame"
) -> Line:
    """A bar that is filled from the left.

    :param fraction: 0..1; what lies outside is drawn as the nearer end.
    """
    if columns <= 0:
        return []
    full, rest = divmod(_halves(fraction, columns), 2)
    filled = glyphs.bar * full + glyphs.bar_end * rest
    return [(style, filled), (track_style, glyphs.track * (columns - len(filled)))]


def balance(
    value: float,
    largest: float,
    columns: int,
    glyphs: Glyphs,
    styles: tuple[str, str],
    *,
    thick: bool = False,
    track_style: str = "frame",
) -> Line:
    """A bar from the centre to the left for negative and to the right for positive values.

    :param largest: the magnitude that fills one side; what is beyond ends there with an arrow.
    :param styles: of a negative and of a positive value.
    :param thick: of full height.
    """
    half = (columns - 1) // 2
    if half < 1:
        return [(track_style, " " * columns)]
    bar = _one_side(value, largest, half, glyphs, thick)
    empty, rest = glyphs.track * half, glyphs.track * (half - len(bar))
    centre, spare = (track_style, glyphs.centre), (track_style, " " * (columns - 1 - 2 * half))
    if value < 0:
        return [(track_style, rest), (styles[0], bar), centre, (track_style, empty), spare]
    return [(track_style, empty), centre, (styles[1], bar), (track_style, rest), spare]


def _one_side(value: float, largest: float, cells: int, glyphs: Glyphs, thick: bool) -> str:
    fraction = abs(value) / largest if largest > 0 else 0.0
    cell = glyphs.block if thick else glyphs.bar
    if fraction > 1 + 0.5 / cells:
        return glyphs.less + cell * (cells - 1) if value < 0 else cell * (cells - 1) + glyphs.more
    full, rest = divmod(_halves(fraction, cells), 2)
    if value < 0:
        return (glyphs.block_start if thick else glyphs.bar_start) * rest + cell * full
    return cell * full + (glyphs.block_end if thick else glyphs.bar_end) * rest


def _halves(fraction: float, cells: int) -> int:
    """Half cells that are filled."""
    if fraction <= 0:
        return 0
    return min(max(round(fraction * cells * 2), 1), cells * 2)
