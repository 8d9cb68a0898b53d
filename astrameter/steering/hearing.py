"""What a battery does not hear.

Each law has a dead band (10 to 20 W, marstek-devices.md section 2), and a law that nobody has
described may have a wider one. Within it, asking again is in vain: it is asked for a little more,
or left alone.
"""

from __future__ import annotations

import math

_MOST_W = 32.0
_MORE_W = 8.0
_WORTH = 0.6
"""The part of an audible reading that must be missing: a step makes the error smaller only when
it is less than twice as large."""


class Hearing:
    """The largest readings of each direction that a battery has ignored lately."""

    def __init__(self) -> None:
        self._deaf_w = {1: 0.0, -1: 0.0}

    def ignored(self, reading_w: float) -> None:
        """It rested, was told ``reading_w``, and rests where it was."""
        if abs(reading_w) <= _MOST_W:
            way = 1 if reading_w > 0 else -1
            self._deaf_w[way] = max(self._deaf_w[way], abs(reading_w))

    def acted(self, reading_w: float) -> None:
        """It was told ``reading_w``, and did it."""
        way = 1 if reading_w > 0 else -1
        if abs(reading_w) <= self._deaf_w[way]:
            self._deaf_w[way] = 0.0

    def audible(self, reading_w: float, wanted_w: float) -> float:
        """A reading that it will act on in place of ``reading_w``; 0 when that would be too much.

        :param wanted_w: how far it is to go.
        """
        deaf_w = self._deaf_w[1 if reading_w > 0 else -1]
        if reading_w == 0 or abs(reading_w) > deaf_w:
            return reading_w
        loud_w = deaf_w + _MORE_W
        return math.copysign(loud_w, reading_w) if abs(wanted_w) >= _WORTH * loud_w else 0.0
