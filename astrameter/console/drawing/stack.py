"""Panels stacked on a screen of any size: what matters most keeps its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from astrameter.console.drawing.panels import Box


@dataclass(frozen=True, slots=True)
class Band:
    """Panels side by side, as high as the rows of the screen allow.

    :ivar least: rows without which it is left out.
    :ivar most: more rows would stay empty.
    :ivar weight: its part of the rows that are left over.
    :ivar first: the part of the width that the first of two panels has.
    """

    panels: tuple[int, ...]
    least: int
    most: int
    weight: int = 0
    first: float = 0.5


def stack(bands: Sequence[Band], order: Sequence[int], area: Box) -> dict[int, Box]:
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
        boxes.update(_beside(band, Box(area.left, top, area.columns, rows)))
        top += rows - 1
    return boxes


def _beside(band: Band, area: Box) -> dict[int, Box]:
    if len(band.panels) == 1:
        return {band.panels[0]: area}
    left = int(area.columns * band.first) + 1
    first, second = band.panels
    return {
        first: Box(area.left, area.top, left, area.rows),
        second: Box(area.left + left - 1, area.top, area.columns - left + 1, area.rows),
    }
