"""Where the panels of the demo lie on a terminal of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.screen.panels import Box

GRID, HOUSE, BATTERIES, POWER, MONEY, EVENTS = range(6)
"""The panels."""

TWO_COLUMNS = 72
"""From this width on small panels lie side by side ..."""

WIDE, HIGH = 150, 34
"""... and from this size on there is a column at the right over the whole height."""

_PHASE_ROWS = 4
_MONEY_ROWS = 4


@dataclass(frozen=True, slots=True)
class Band:
    """Panels side by side, as high as the rows of the screen allow.

    :ivar least: rows without which it is left out.
    :ivar most: more rows would stay empty.
    :ivar weight: its part of the rows that are left over.
    """

    panels: tuple[int, ...]
    least: int
    most: int
    weight: int = 0


def lay_out(columns: int, rows: int, batteries: int) -> dict[int, Box]:
    """The box of each panel that has room on so many columns and rows."""
    if columns >= WIDE and rows >= HIGH:
        split = columns * 2 // 3
        left = _stack(
            [
                Band((GRID,), _PHASE_ROWS, _PHASE_ROWS),
                _batteries(batteries, rows // 2),
                Band((POWER,), 3, rows, 1),
            ],
            [GRID, BATTERIES, POWER],
            Box(0, 0, split, rows),
        )
        right = _stack(
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
        return _stack(bands, [GRID, BATTERIES, POWER, MONEY], Box(0, 0, columns, rows))
    bands = [
        Band((GRID,), _PHASE_ROWS, _PHASE_ROWS),
        Band((HOUSE,), 2, 4),
        _batteries(batteries, max(3, rows // 3)),
        Band((POWER,), 3, rows, 3),
        Band((MONEY,), _MONEY_ROWS, _MONEY_ROWS),
        Band((EVENTS,), 1, 8, 1),
    ]
    order = [GRID, BATTERIES, MONEY, POWER, HOUSE, EVENTS]
    return _stack(bands, order, Box(0, 0, columns, rows))


def _batteries(count: int, most: int) -> Band:
    return Band((BATTERIES,), min(count, 3), min(count, most), 9)


def _stack(bands: Sequence[Band], order: Sequence[int], area: Box) -> dict[int, Box]:
    """The bands one above the other in ``area``.

    :param order: the first panel of each band, most important first.
    """
    by_panel = {band.panels[0]: band for band in bands}
    room = area.rows - 1
    kept: list[Band] = []
    for panel in order:
        band = by_panel[panel]
        if band.least + 1 <= room:
            room -= band.least + 1
            kept.append(band)
    heights = {band.panels: band.least for band in kept}
    while room > 0:
        hungry = [band for band in kept if band.weight and heights[band.panels] < band.most]
        if not hungry:
            break
        for band in sorted(hungry, key=lambda band: -band.weight):
            more = min(band.weight, room, band.most - heights[band.panels])
            heights[band.panels] += more
            room -= more
    boxes: dict[int, Box] = {}
    top = area.top
    for band in bands:
        if band not in kept:
            continue
        rows = heights[band.panels] + 2
        boxes.update(_beside(band.panels, Box(area.left, top, area.columns, rows)))
        top += rows - 1
    return boxes


def _beside(panels: tuple[int, ...], area: Box) -> dict[int, Box]:
    if len(panels) == 1:
        return {panels[0]: area}
    half = area.columns // 2 + 1
    return {
        panels[0]: Box(area.left, area.top, half, area.rows),
        panels[1]: Box(area.left + half - 1, area.top, area.columns - half + 1, area.rows),
    }
