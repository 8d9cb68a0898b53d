"""The two laws of a B2500: classic steps (battery-firmware.md section 7) and the integrator of
today's units (marstek-devices.md section 2.5). A B2500 only discharges."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

_STEP_W = 34.0
"""Both channels move 17 W at an answer."""

_DEAD_W = 20.0
_MOST_W = 800.0

_LEAST_W = 80.0
_WAKE_PASSES = 2
_SLEEP_PASSES = 5
_SLEEP_BELOW_W = -10
_ASLEEP_W = 8.0
_ARRIVED_W = 9.0
_PATIENCE_S = 6.0
_WEAK_W = 35.0
"""Below this output the gain is 2."""


@dataclass(slots=True)
class ClassicB2500:
    """Moves 34 W an answer towards output plus 0.9 of the reading, and never below 0."""

    setpoint_w: float = 0.0

    @property
    def horizon(self) -> int:
        return 1

    @property
    def binding_s(self) -> float:
        return 0.0

    @property
    def least_w(self) -> float:
        return 0.0

    def step(self, reading_w: int, power_w: float, now: float) -> None:
        error_w = 0.9 * reading_w
        if error_w > _DEAD_W:
            self.setpoint_w = min(power_w + _STEP_W, _MOST_W)
        elif error_w < -_DEAD_W:
            self.setpoint_w = max(power_w - _STEP_W, 0.0)
        else:
            self.setpoint_w = power_w

    def settle(self, power_w: float) -> None:
        self.setpoint_w = power_w

    def candidates(self, wanted_w: float, power_w: float) -> tuple[int, ...]:
        wanted = round(wanted_w)
        if wanted > 0:
            return (0, max(26, wanted))
        return (0, min(-26, wanted))

    def approach(self, target_w: float, power_w: float) -> int:
        return round(target_w - self.setpoint_w)

    def copy(self) -> ClassicB2500:
        return replace(self)


@dataclass(slots=True)
class FieldB2500:
    """Integrates the reading between 80 and 800 W, sleeps below, wakes on two large readings."""

    setpoint_w: float = 0.0
    running: bool = False
    passes: int = 0
    changed_at: float = -math.inf

    @property
    def horizon(self) -> int:
        return 2

    @property
    def binding_s(self) -> float:
        return 1.0

    @property
    def least_w(self) -> float:
        return _LEAST_W

    def step(self, reading_w: int, power_w: float, now: float) -> None:
        if not self.running:
            self.passes = self.passes + 1 if reading_w >= _LEAST_W else 0
            if self.passes >= _WAKE_PASSES:
                self._run(_LEAST_W, now)
            return
        if self.setpoint_w <= _LEAST_W and reading_w < _SLEEP_BELOW_W:
            self.passes += 1
            if self.passes >= _SLEEP_PASSES:
                self.running, self.passes, self.setpoint_w = False, 0, _ASLEEP_W
                return
        else:
            self.passes = 0
        before_w = self.setpoint_w
        if abs(power_w - before_w) > _ARRIVED_W:
            if now - self.changed_at < _PATIENCE_S:
                return
            before_w = power_w
        gain = 2 if power_w < _WEAK_W else 1
        self._set(min(max(before_w + gain * reading_w, _LEAST_W), _MOST_W), now)

    def _run(self, setpoint_w: float, now: float) -> None:
        self.running, self.passes = True, 0
        self._set(setpoint_w, now)

    def _set(self, setpoint_w: float, now: float) -> None:
        self.setpoint_w = setpoint_w
        self.changed_at = now

    def settle(self, power_w: float) -> None:
        self.setpoint_w = power_w
        self.running = power_w >= _LEAST_W / 2

    def candidates(self, wanted_w: float, power_w: float) -> tuple[int, ...]:
        wanted = round(wanted_w)
        if not self.running:
            return (0, max(round(_LEAST_W), wanted)) if wanted > 0 else (0,)
        if wanted < 0:
            return (0, min(wanted, _SLEEP_BELOW_W - 1))
        return (0, wanted)

    def approach(self, target_w: float, power_w: float) -> int:
        return round(target_w - self.setpoint_w)

    def copy(self) -> FieldB2500:
        return replace(self)
