"""Learning that a battery cannot deliver more: full, empty or limited.

The wire carries no state of charge; "commanded but not moving" is all there is to see
(battery-firmware.md section 10).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

JUDGED_READING_W = 40.0
"""Smaller demands may lie in a firmware's dead zone (steering.md section 1)."""

STUCK_AFTER_S = 20.0
"""Longer than any settle gate (13 s) and inverter start (marstek-devices.md section 1.7)."""

MOVED_W = 15.0
RETRY_AFTER_S = 60.0
"""A limit is tried again after this time, which doubles with each try in vain: a try moves the
share of an empty battery away from the others for as long as it takes to see."""

MAX_RETRY_AFTER_S = 900.0


@dataclass(slots=True)
class DirectionLimits:
    """What one battery was seen unable to exceed, by direction.

    :ivar low_w: least output believed possible, watts.
    :ivar high_w: most output believed possible, watts.
    """

    low_w: float = -math.inf
    high_w: float = math.inf
    _direction: int = 0
    _since: float = 0.0
    _from_w: float = 0.0
    _retry_at: float = 0.0
    _retry_after_s: float = RETRY_AFTER_S

    @property
    def limited(self) -> bool:
        return self.low_w != -math.inf or self.high_w != math.inf

    def observe(self, reading_w: float, power_w: float, now: float) -> bool:
        """Judge the report ``power_w`` to the demand ``reading_w``; True when a limit changed."""
        changed = self._relax(power_w, now)
        direction = 0
        if abs(reading_w) >= JUDGED_READING_W:
            direction = 1 if reading_w > 0 else -1
        moved = (power_w - self._from_w) * direction >= MOVED_W
        if direction != self._direction or direction == 0 or moved:
            self._direction = direction
            self._since = now
            self._from_w = power_w
            return changed
        if now - self._since < STUCK_AFTER_S:
            return changed
        self._since = now
        if not self.limited:
            self._retry_at = now + self._retry_after_s
            self._retry_after_s = min(2 * self._retry_after_s, MAX_RETRY_AFTER_S)
        # Also beyond zero: a full battery passes the power of its panels through, told to charge
        # or not, and the others have to take it.
        if direction > 0:
            self.high_w, self.low_w = power_w, min(self.low_w, power_w)
        else:
            self.low_w, self.high_w = power_w, max(self.high_w, power_w)
        return True

    def _relax(self, power_w: float, now: float) -> bool:
        """Lift limits that were exceeded, and all of them after a while, to try again."""
        if not self.limited:
            return False
        exceeded = power_w > self.high_w + MOVED_W or power_w < self.low_w - MOVED_W
        if not exceeded and now < self._retry_at:
            return False
        if exceeded:
            self._retry_after_s = RETRY_AFTER_S
        self.low_w, self.high_w = -math.inf, math.inf
        return True
