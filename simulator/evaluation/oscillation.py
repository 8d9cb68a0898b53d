"""Is something swinging for ever? A detector of limit cycles.

In a stretch of time in which nothing happens, an output may still have a way to go, and then
rests. What it may not do is go up and down again and again. Noise is told from swinging by size.
"""

from __future__ import annotations

from collections.abc import Sequence

SWING_W = 30.0
"""Smaller movements are no swing: above what rounding, dead zones and measuring noise of the
courses can do, below what anybody would complain about."""

FEWEST_SWINGS = 4
"""Two full cycles: less is a correction."""

DECAYED = 0.5
"""Swings that have shrunk to less than this share of what they were are coming to rest."""

LONGEST_REST_SHARE = 0.4
"""Of the stretch: an output that has rested this long at its end has stopped swinging."""


def swings_w(values: Sequence[float], least_w: float = SWING_W) -> list[tuple[int, float]]:
    """The movements between turning points that are at least ``least_w`` apart.

    :returns: index at which each ended, and its size, always positive. The movement before the
        first turning point is none: it comes from outside the stretch.
    """
    if not values:
        return []
    found: list[tuple[int, float]] = []
    high = low = extreme = values[0]
    direction, place = 0, 0
    for index, value in enumerate(values):
        if direction == 0:
            high, low = max(high, value), min(low, value)
            if value <= high - least_w or value >= low + least_w:
                direction = 1 if value >= low + least_w else -1
                extreme, place = value, index
                start = low if direction > 0 else high
        elif direction * (value - extreme) > 0:
            extreme, place = value, index
        elif direction * (extreme - value) >= least_w:
            found.append((place, abs(extreme - start)))
            start, direction = extreme, -direction
            extreme, place = value, index
    if direction:
        found.append((place, abs(extreme - start)))
    return found[1:]


def limit_cycle_w(values: Sequence[float], least_w: float = SWING_W) -> float | None:
    """Mean size of the swings of a sustained oscillation; None when there is none.

    :param values: evenly spaced, of a stretch in which nothing happens.
    """
    found = swings_w(values, least_w)
    if len(found) < FEWEST_SWINGS:
        return None
    if found[-1][0] < len(values) * (1 - LONGEST_REST_SHARE):
        return None
    sizes = [size for _, size in found]
    half = len(sizes) // 2
    early, late = sum(sizes[:half]) / half, sum(sizes[-half:]) / half
    if late < DECAYED * early:
        return None
    return sum(sizes) / len(sizes)
