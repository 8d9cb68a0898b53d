"""The grid power of each phase and their sum, as bars around zero."""

from __future__ import annotations

from collections.abc import Sequence

from astrameter.console.drawing.bars import balance
from astrameter.console.drawing.batteries import watts
from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.spans import Line

Marks = list[tuple[int, Line]]
"""What stands on the upper line of a panel, each with its column."""

EVEN_W = 75.0
"""Grid power that counts as balanced."""

_BAR_SCALES_W = (500.0, 1000.0, 2000.0, 3000.0, 5000.0, 10_000.0)


def grid_marks(columns: int, glyphs: Glyphs) -> Marks:
    """The legend of the bars, at their centre."""
    marks: Marks = [(1, [("heading", " Grid ")])]
    before, bar = _grid_columns(columns)
    if bar >= 24:
        centre = before + (bar - 1) // 2
        marks.append((centre - 9, [("export", f"export {glyphs.less}")]))
        marks.append((centre + 2, [("import", f"{glyphs.more} import")]))
    return marks


def grid_lines(
    phases_w: Sequence[float], total_w: float, largest_w: float, columns: int, glyphs: Glyphs
) -> list[Line]:
    """Each phase, and the sum of all.

    :param largest_w: what fills one side of a bar.
    """
    _, bar = _grid_columns(columns)
    rows = [*zip("ABC", phases_w, strict=False), ("sum", total_w)]
    lines: list[Line] = []
    for name, power_w in rows:
        total = name == "sum"
        style = grid_style(power_w) if total else "value"
        lines.append(
            [
                ("strong" if total else "dim", f" {name:<4}"),
                (style, watts(power_w, 8)),
                ("", " "),
                *balance(power_w, largest_w, bar, glyphs, ("export", "import"), thick=total),
                ("", " "),
            ]
        )
    return lines


def bar_scale_w(peak_w: float) -> float:
    """The largest power that a bar shows: round, and not below the peak."""
    return next((scale for scale in _BAR_SCALES_W if peak_w <= scale), _BAR_SCALES_W[-1])


def grid_style(power_w: float) -> str:
    """Green when it earns or is balanced, red when it costs."""
    if abs(power_w) <= EVEN_W:
        return "good"
    return "bad" if power_w > 0 else "export"


def _grid_columns(columns: int) -> tuple[int, int]:
    """Columns before the bar, and of the bar."""
    return 14, max(0, columns - 15)
