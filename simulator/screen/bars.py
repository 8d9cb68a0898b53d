"""Horizontal bars: how full something is, and how far to either side of a centre."""

from __future__ import annotations

from simulator.screen.glyphs import Glyphs
from simulator.screen.spans import Line


def level(
    fraction: float, columns: int, glyphs: Glyphs, style: str, track_style: str = "frame"
) -> Line:
    """A bar that is filled from the left.

    :param fraction: 0..1; what lies outside is drawn as the nearer end.
    """
    if columns <= 0:
        return []
    eighths = round(min(max(fraction, 0.0), 1.0) * columns * 8)
    if fraction > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    filled = glyphs.eighths[8] * full
    if rest and glyphs.eighths[rest] != " ":
        filled += glyphs.eighths[rest]
    return [(style, filled), (track_style, glyphs.track * (columns - len(filled)))]


def balance(
    value: float,
    largest: float,
    columns: int,
    glyphs: Glyphs,
    styles: tuple[str, str],
    track_style: str = "frame",
) -> Line:
    """A bar from the centre to the left for negative and to the right for positive values.

    :param largest: the magnitude that fills one side; what is beyond ends there with an arrow.
    :param styles: of a negative and of a positive value.
    """
    half = (columns - 1) // 2
    if half < 1:
        return [(track_style, " " * columns)]
    bar = _half_bar(abs(value) / largest if largest > 0 else 0.0, half, value > 0, glyphs)
    track = glyphs.track * (half - len(bar))
    empty = glyphs.track * half
    centre = (track_style, glyphs.centre)
    spare = (track_style, " " * (columns - 1 - 2 * half))
    if value < 0:
        return [(track_style, track), (styles[0], bar), centre, (track_style, empty), spare]
    return [(track_style, empty), centre, (styles[1], bar), (track_style, track), spare]


def _half_bar(fraction: float, cells: int, to_right: bool, glyphs: Glyphs) -> str:
    if fraction == 0:
        return ""
    beyond = fraction > 1 + 0.5 / cells
    halves = min(round(fraction * cells * 2), cells * 2)
    full, rest = divmod(halves, 2)
    block = glyphs.eighths[8]
    if halves == 0:
        return glyphs.left_edge if to_right else glyphs.right_edge
    if beyond:
        full -= 1
    if to_right:
        tip = glyphs.more if beyond else glyphs.left_half * rest
        return block * full + tip
    tip = glyphs.less if beyond else glyphs.right_half * rest
    return tip + block * full
