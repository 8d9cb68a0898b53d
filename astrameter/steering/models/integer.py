"""The integer self-use law (marstek-devices.md section 2.1-2.2; battery-firmware.md section 6).

Field units wait after each executed step until it has settled; the classic Venus D has neither
that gate nor the spike filter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SPIKE_W = 50
MOVED_W = 20
LANDED_W = 30
DEADLINE_EXTRA_S = 3.0
RAMP_W_PER_S = 400.0


@dataclass(slots=True)
class IntegerLaw:
    """A Venus on the integer law.

    :ivar rest_w: readings smaller than this do not move an idle or charging unit.
    :ivar gate_s: G of the settle gate; None for a law without gates (classic Venus D).
    """

    rest_w: int = 10
    gate_s: float | None = 1.0
    setpoint_w: float = 0.0
    _previous_w: int = 0
    _previous_out_w: float = 0.0
    _spike_passed: bool = False
    _stepped_at: float = -math.inf
    _landed_at: float = math.inf
    _looked_at: float = -math.inf
    _looked_w: float = 0.0
    _busy: bool = False

    @property
    def horizon(self) -> int:
        return 3 if self.gate_s is not None else 1

    @property
    def binding_s(self) -> float:
        return self.gate_s or 0.0

    @property
    def least_w(self) -> float:
        return 0.0

    def step(self, reading_w: int, power_w: float, now: float) -> None:
        if self.gate_s is not None and (
            self._is_busy(power_w, now) or not self._passes(reading_w, power_w)
        ):
            return
        moved_w = self._moved(reading_w, power_w)
        self.setpoint_w += moved_w or 0.0
        if abs(self.setpoint_w) <= 10 and reading_w <= 10:
            self.setpoint_w = 0.0
        if moved_w is None:
            return
        self._busy = True
        self._stepped_at = self._looked_at = now
        self._looked_w = power_w
        self._landed_at = math.inf

    def settle(self, power_w: float) -> None:
        self.setpoint_w = power_w

    def candidates(self, wanted_w: float, power_w: float) -> tuple[int, ...]:
        wanted = round(wanted_w)
        if self.gate_s is None:
            return _candidates_without_gates(wanted)
        if wanted > 0:
            if power_w >= 0:
                return (0, max(11, wanted + 5))
            return (0, max(self.rest_w, wanted))
        if power_w > 0:
            return (0, min(-1, wanted))
        if power_w == 0:
            return (0, min(-self.rest_w - 1, wanted))
        return (0, min(-self.rest_w - 1, wanted), -self.rest_w)

    def approach(self, target_w: float, power_w: float) -> int:
        return round(target_w - self.setpoint_w)

    def copy(self) -> IntegerLaw:
        return IntegerLaw(
            self.rest_w,
            self.gate_s,
            self.setpoint_w,
            self._previous_w,
            self._previous_out_w,
            self._spike_passed,
            self._stepped_at,
            self._landed_at,
            self._looked_at,
            self._looked_w,
            self._busy,
        )

    def _is_busy(self, power_w: float, now: float) -> bool:
        """The settle gate (section 1.7): after a step, samples are discarded for a while."""
        if not self._busy or self.gate_s is None:
            return False
        if self.setpoint_w == 0 or abs(power_w - self.setpoint_w) > LANDED_W:
            self._landed_at = math.inf
        elif self._landed_at == math.inf:
            # It has come near some time since the last report: as its ramp says.
            away_w = max(0.0, abs(self._looked_w - self.setpoint_w) - LANDED_W)
            self._landed_at = min(now, self._looked_at + away_w / RAMP_W_PER_S)
        self._looked_at, self._looked_w = now, power_w
        landed = now - self._landed_at >= self.gate_s
        if landed or now - self._stepped_at >= self.gate_s + DEADLINE_EXTRA_S:
            self._busy = False
        return self._busy

    def _passes(self, reading_w: int, power_w: float) -> bool:
        """The gate (section 2.2): a jump is skipped once, small readings do nothing."""
        spike = (
            abs(reading_w) > self.rest_w
            and abs(reading_w - self._previous_w) > SPIKE_W
            and abs(power_w - self._previous_out_w) < MOVED_W
        )
        self._previous_w, self._previous_out_w = reading_w, power_w
        if spike and not self._spike_passed:
            self._spike_passed = True
            return False
        self._spike_passed = False
        if abs(reading_w) < self.rest_w and power_w < 1:
            return False
        return not 0 <= reading_w < 10

    def _moved(self, reading_w: int, power_w: float) -> float | None:
        if self.gate_s is None:
            return _moved_by_grid(reading_w)
        if power_w >= 0 and reading_w >= 11:
            return reading_w - 5.0
        if power_w <= 0 and reading_w < -10:
            return float(reading_w)
        if power_w * reading_w < 0:
            return float(reading_w)
        if power_w < 0 and -10 <= reading_w < 0:
            return reading_w - 5.0
        return None


def _candidates_without_gates(wanted_w: int) -> tuple[int, ...]:
    if wanted_w >= 4:
        return (0, max(11, wanted_w + 5))
    return (0, wanted_w if wanted_w < -10 else min(-1, wanted_w + 5))


def _moved_by_grid(reading_w: int) -> float | None:
    """The classic Venus D: the reading alone decides the branch (battery-firmware.md 6)."""
    if reading_w >= 11:
        return reading_w - 5.0
    if reading_w < -10:
        return float(reading_w)
    return reading_w - 5.0 if reading_w < 0 else None
