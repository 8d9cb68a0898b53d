"""Where the panels of the demo lie on a terminal of any size."""

from __future__ import annotations

from astrameter.console.drawing.panels import Box
from astrameter.console.drawing.stack import Band, stack

GRID, HOUSE, BATTERIES, POWER, MONEY, EVENTS = range(6)
"""The panels."""

TWO_COLUMNS = 72
"""From this width on small panels lie side by side ..."""

WIDE, HIGH = 150, 34
"""... and from this size on there is a column at the right over the whole height."""

_PHASE_ROWS = 4
_MONEY_ROWS = 4


def lay_out(columns: int, rows: int, batteries: int) -> dict[int, Box]:
    """The box of each panel that has room on so many columns and rows."""
    if columns >= WIDE and rows >= HIGH:
        split = columns * 2 // 3
        left = stack(
            [
                Band((GRID,), _PHASE_ROWS, _PHASE_ROWS),
                _batteries(batteries, rows // 2),
                Band((POWER,), 3, rows, 1),
            ],
            [GRID, BATTERIES, POWER],
            Box(0, 0, split, rows),
        )
        right = stack(
            [
                Band((HOUSE,), 4, 6, 1),
                Band((MONEY,), _MONEY_ROWS, _MONEY_ROWS),
                Band((EVENTS,), 1, rows, 3),
            ],
            [HOUSE, MONEY, EVENTS],
            Box(split - 1, 0, columns - split + 1, rows),
        )
        return {**left, **right}
    if columns >= TWO_COLUMNS:
        bands = [
            Band((GRID, HOUSE), _PHASE_ROWS, _PHASE_ROWS),
            _batteries(batteries, max(3, rows // 3)),
            Band((POWER,), 3, rows, 3),
            Band((MONEY, EVENTS), _MONEY_ROWS, 12, 1),
        ]
        return stack(bands, [GRID, BATTERIES, POWER, MONEY], Box(0, 0, columns, rows))
    bands = [
        Band((GRID,), _PHASE_ROWS, _PHASE_ROWS),
        Band((HOUSE,), 2, 4),
        _batteries(batteries, max(3, rows // 3)),
        Band((POWER,), 3, rows, 3),
        Band((MONEY,), _MONEY_ROWS, _MONEY_ROWS),
        Band((EVENTS,), 1, 8, 1),
    ]
    order = [GRID, BATTERIES, MONEY, POWER, HOUSE, EVENTS]
    return stack(bands, order, Box(0, 0, columns, rows))


def _batteries(count: int, most: int) -> Band:
    return Band((BATTERIES,), min(count, 3), min(count, most), 9)
