"""The settle gate: no next step before the last one has arrived (marstek-devices.md 1.7).

The firmware looks at its output in every control cycle (30..100 ms). Here the time at which the
output came near the setpoint is computed from the ramp instead, which costs one look per poll.
"""

from __future__ import annotations

HOLD_S = (1.0, 5.0, 10.0)
"""How long the output must stay near the setpoint, by report interval index."""

EXTRA_S = 3.0
"""The step counts as settled this much later in any case."""

NEAR_W = 30.0

_ROUNDING_S = 1e-6


class SettleGate:
    """Knows whether the last step is still under way.

    :ivar busy: samples are to be discarded.
    """

    __slots__ = (
        "_deadline_s",
        "_elapsed_s",
        "_hold_s",
        "_near_s",
        "_ramp_w_per_s",
        "_setpoint_w",
        "busy",
    )

    def __init__(self, hold_s: float | None, ramp_w_per_s: float) -> None:
        """``hold_s`` None: a firmware without the gate, never busy."""
        self.busy = False
        self._hold_s = hold_s
        self._deadline_s = (hold_s or 0.0) + EXTRA_S
        self._ramp_w_per_s = ramp_w_per_s
        self._setpoint_w = self._elapsed_s = self._near_s = 0.0

    def executed(self, setpoint_w: float) -> None:
        """A step was executed just now."""
        self.busy = self._hold_s is not None
        self._setpoint_w = setpoint_w
        self._elapsed_s = self._near_s = 0.0

    def release(self) -> None:
        """Be ready for the next sample."""
        self.busy = False

    def moved(self, before_w: float, after_w: float, dt_s: float) -> None:
        """``dt_s`` seconds have passed, in which the output ramped from one value to another."""
        if not self.busy or self._hold_s is None:
            return
        self._elapsed_s += dt_s
        if abs(after_w - self._setpoint_w) > NEAR_W or self._setpoint_w == 0:
            self._near_s = 0.0
        else:
            away_w = abs(before_w - self._setpoint_w) - NEAR_W
            if away_w > 0:
                self._near_s = max(0.0, dt_s - away_w / self._ramp_w_per_s)
            else:
                self._near_s += dt_s
        if (
            self._near_s >= self._hold_s - _ROUNDING_S
            or self._elapsed_s >= self._deadline_s - _ROUNDING_S
        ):
            self.busy = False
