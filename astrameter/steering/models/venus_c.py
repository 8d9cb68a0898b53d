"""The ramp law of a Venus C as AstraMeter 2.x simulates it (battery-firmware.md section 4)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

_RAMP_W = (50.23, 50.12, 60.02, 180.30, 350.41, 410.35)
"""Largest step for acceleration 0, -1, ... -5 (positive ones cannot be reached)."""

_REST_W = 20
_SPIKE_W = 50
_MOVED_W = 20
_U32 = 1 << 32
_LIMIT_W = 2500.0
_single = struct.Struct("<f")


def _f32(value: float) -> float:
    number: float = _single.unpack(_single.pack(value))[0]
    return number


@dataclass(slots=True)
class VenusC:
    """A Venus C, E or Jupiter on the ramp law.

    The firmware counts charging as positive; here the set point has our sign.
    """

    setpoint_w: float = 0.0
    rest_w: int = _REST_W
    ramp: int = 0
    last_w: int = 0
    lowest_w: int = 0
    reference_w: int = 0
    previous_w: int = 0
    previous_out_w: float = 0.0

    @property
    def horizon(self) -> int:
        return 4

    @property
    def binding_s(self) -> float:
        return 0.0

    @property
    def least_w(self) -> float:
        return 0.0

    def step(self, reading_w: int, power_w: float, now: float) -> None:
        jump = abs(reading_w - self.previous_w)
        moved = abs(power_w - self.previous_out_w)
        self.previous_w, self.previous_out_w = reading_w, power_w
        if abs(reading_w) > self.rest_w and jump > _SPIKE_W and moved < _MOVED_W:
            return
        if abs(reading_w) < self.rest_w and power_w < 1:
            return
        if 0 <= reading_w < 10:
            return
        self._accelerate(reading_w)

    def _accelerate(self, reading_w: int) -> None:
        lowest = self.lowest_w if self.lowest_w % _U32 < reading_w % _U32 else reading_w
        self.lowest_w = lowest
        if reading_w > self.last_w:
            self.reference_w = lowest
            self.lowest_w = reading_w
            self.ramp = 0
        else:
            self.ramp = max(self.ramp - 1, -5)
        square = (reading_w * reading_w - self.reference_w * self.reference_w) % _U32
        step_w = min(_f32(_f32(math.sqrt(square)) + 10), _RAMP_W[-self.ramp], float(reading_w))
        self.last_w = reading_w
        self.setpoint_w = min(max(_f32(self.setpoint_w + step_w), -_LIMIT_W), _LIMIT_W)

    def settle(self, power_w: float) -> None:
        self.setpoint_w = power_w

    def candidates(self, wanted_w: float, power_w: float) -> tuple[int, ...]:
        wanted = round(wanted_w)
        found = {0, wanted}
        if wanted > 0:
            gentle = self.previous_w + _SPIKE_W
            found |= {min(wanted, self.last_w), min(wanted, self.last_w - 1)}
            found |= {min(wanted, self.reference_w - 1), max(10, min(wanted, gentle))}
            falling = self.previous_w - _SPIKE_W
            if 0 < falling - wanted < 0.15 * wanted + 60:
                found.add(falling)
            found |= {10, self.rest_w}
            return tuple(one for one in found if one >= 0)
        if wanted < 0:
            found |= {max(wanted, self.previous_w - _SPIKE_W), -1, -self.rest_w}
            return tuple(one for one in found if one <= 0)
        return (0,)

    def approach(self, target_w: float, power_w: float) -> int:
        wanted = round(target_w - self.setpoint_w)
        gentle = self.previous_w + (_SPIKE_W if wanted > 0 else -_SPIKE_W)
        spike = abs(wanted - self.previous_w) > _SPIKE_W
        if spike and abs(power_w - self.previous_out_w) < _MOVED_W and abs(gentle) < abs(wanted):
            return gentle
        if 0 < self.last_w <= wanted < 2 * self.last_w:
            # A rising reading would reset the ramp.
            return self.last_w - 1
        return wanted

    def copy(self) -> VenusC:
        return VenusC(
            self.setpoint_w,
            self.rest_w,
            self.ramp,
            self.last_w,
            self.lowest_w,
            self.reference_w,
            self.previous_w,
            self.previous_out_w,
        )
