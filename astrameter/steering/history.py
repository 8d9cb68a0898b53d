"""What the batteries delivered lately, at any moment."""

from __future__ import annotations

import math
from collections import deque

HISTORY_S = 16.0
_MAX_REPORTS = 64
_STARTING_W = 5.0


class PowerHistory:
    """The reports of one battery, and where it was going after the last one.

    :ivar slew_w_per_s: how fast its output moves.
    """

    __slots__ = ("_powers", "_times", "slew_w_per_s", "target_w")

    def __init__(self, slew_w_per_s: float = 400.0) -> None:
        self.slew_w_per_s = slew_w_per_s
        self.target_w = 0.0
        self._times: deque[float] = deque(maxlen=_MAX_REPORTS)
        self._powers: deque[int] = deque(maxlen=_MAX_REPORTS)

    def add(self, at: float, power_w: int) -> None:
        """Remember a report; reports come in order of time."""
        times = self._times
        if times and at <= times[-1]:
            self._powers[-1] = power_w
            return
        times.append(at)
        self._powers.append(power_w)
        while len(times) > 1 and times[1] < at - HISTORY_S:
            times.popleft()
            self._powers.popleft()

    @property
    def latest_w(self) -> float:
        return self._powers[-1] if self._powers else 0.0

    def spread_w(self, since: float) -> float:
        """How far the output has moved since then, watts, what it is about to do included."""
        if not self._times:
            return 0.0
        low = high = self.target_w
        for at, power_w in zip(reversed(self._times), reversed(self._powers), strict=True):
            low, high = min(low, power_w), max(high, power_w)
            if at < since:
                break
        return high - low

    def highest_w(self, since: float) -> float:
        """The largest report since then; -inf without any."""
        found = zip(self._times, self._powers, strict=True)
        return max((power_w for at, power_w in found if at >= since), default=-math.inf)

    def held_at(self, when: float) -> float:
        """The last report at or before ``when``: right for an output that jumps at its polls."""
        for at, power_w in zip(reversed(self._times), reversed(self._powers), strict=True):
            if at <= when:
                return power_w
        return self._powers[0] if self._powers else 0.0

    def next_at(self, when: float) -> float:
        """The first report after ``when``: right for an output that jumps as soon as its battery
        is answered."""
        next_w = self.target_w
        for at, power_w in zip(reversed(self._times), reversed(self._powers), strict=True):
            if at <= when:
                break
            next_w = power_w
        return next_w

    def moving_at(self, when: float) -> float:
        """The output on its way from one report to the next: right for a continuous one."""
        next_w = self.target_w
        for at, power_w in zip(reversed(self._times), reversed(self._powers), strict=True):
            if at <= when:
                reach_w = self.slew_w_per_s * (when - at)
                return power_w + min(max(next_w - power_w, -reach_w), reach_w)
            next_w = power_w
        return next_w
