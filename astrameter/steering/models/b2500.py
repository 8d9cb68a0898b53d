"""The two outputs of a B2500: classic steps (battery-firmware.md section 7) and the field
integrator (marstek-devices.md section 2.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

_STEP_W = 34.0
"""Both channels move 17 W at an answer."""

_DEAD_W = 20.0
_SLEEP_BELOW_W = 80.0
_TICK_S = 0.5
_MOST_W = 800.0


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
