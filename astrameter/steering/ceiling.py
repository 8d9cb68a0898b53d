"""What a battery was seen unable to exceed."""

from __future__ import annotations

import math
from dataclasses import dataclass

RESTING_W = 5.0
"""Less than this is no output."""

_RETRY_S = 60.0
_RETRY_MOST_S = 1800.0
_TRIAL_S = 40.0


@dataclass(slots=True)
class Ceiling:
    """How much a battery was seen unable to exceed, in one direction.

    :ivar limit_w: magnitude; infinite while nothing is known.
    """

    limit_w: float = math.inf
    learned_w: float = math.inf
    retry_at: float = math.inf
    trial_ends: float = math.inf
    times: int = 0

    def learn(self, power_w: float, now: float) -> None:
        """It could not go beyond ``power_w``."""
        self.times += 1
        self.limit_w = self.learned_w = power_w
        self.retry_at = now + min(_RETRY_S * 3 ** (self.times - 1), _RETRY_MOST_S)
        self.trial_ends = math.inf

    def ease(self, now: float) -> None:
        """It works in the other direction, so it is neither empty nor full any more: try soon."""
        if self.learned_w >= 0 and self.times:
            self.times = 0
            self.retry_at = min(self.retry_at, now + _RETRY_S)

    def watch(self, power_w: float, now: float) -> None:
        """Lift the limit when it was exceeded, and try whether it still holds after a while."""
        if self.limit_w == math.inf:
            return
        if self.learned_w < power_w <= RESTING_W:
            # What the panels of a full pack deliver has become less.
            self.limit_w = self.learned_w = min(power_w, 0.0)
        elif power_w > self.learned_w + 12:
            self.limit_w = self.learned_w = math.inf
            self.retry_at = self.trial_ends = math.inf
        elif now >= self.retry_at:
            self.limit_w = self.learned_w + max(60.0, 0.25 * self.learned_w)
            self.retry_at = math.inf
            self.trial_ends = now + _TRIAL_S
        elif now >= self.trial_ends:
            self.learn(self.learned_w, now)
