"""The integrator of a Venus D as the predecessor has it (battery-firmware.md section 6).

Firmware images read the same code otherwise: see :mod:`simulator.batteries.integer_law`.
"""

from __future__ import annotations

from simulator.batteries.acceptance import Answer
from simulator.batteries.classic.reading import grid_of
from simulator.batteries.config import BatteryConfig
from simulator.batteries.integer_law import gain_of
from simulator.batteries.law import Situation
from simulator.batteries.single import single

IMPORT_W = 11
"""Import from here on is discharged against."""

TRIM_W = 5

PARK_W, COMBINED_PARK_W = 11, 15
"""A setpoint smaller than this is parked at 0 unless the import is not: one phase, all phases."""

_LARGEST = 1 << 24
"""Grid powers beyond this, which no meter shows, count as this: single precision has an end."""


class Integrator:
    """The setpoint of one unit.

    :ivar setpoint_w: + discharge, a whole number.
    """

    __slots__ = ("_gain", "_park_w", "setpoint_w")

    def __init__(self, ratio: int = 100, combined: bool = False, setpoint_w: int = 0) -> None:
        """:param ratio: loop gain, percent; outside 30..100 it is 100.

        :param combined: it steers all phases together.
        """
        self._gain = gain_of(ratio)
        self._park_w = COMBINED_PARK_W if combined else PARK_W
        self.setpoint_w = setpoint_w

    def step(self, error_w: int, grid_w: int, low_w: int, high_w: int) -> None:
        """One answer.

        :param error_w: grid power to be steered to 0, + import.
        :param grid_w: what the device itself has read; only its sign matters.
        """
        setpoint_w = self._integrated(min(max(error_w, -_LARGEST), _LARGEST), grid_w)
        setpoint_w = min(max(setpoint_w, low_w), high_w)
        if abs(setpoint_w) < self._park_w and error_w < self._park_w:
            setpoint_w = 0
        self.setpoint_w = setpoint_w

    def _integrated(self, error_w: int, grid_w: int) -> int:
        setpoint_w = self.setpoint_w
        scaled_w = single(error_w * self._gain)
        if grid_w >= 0 and error_w >= IMPORT_W:
            return int(single(setpoint_w + single(scaled_w - TRIM_W)))
        if grid_w < 1 and error_w < -10:
            return int(single(setpoint_w + scaled_w))
        if grid_w * error_w < 0:
            return setpoint_w + error_w
        if grid_w < 0 and -11 < error_w < 0:
            return setpoint_w + error_w - TRIM_W
        return setpoint_w


class VenusD:
    """A regulator that runs the integrator; it never divides (section 6)."""

    def __init__(self, config: BatteryConfig) -> None:
        self._grid = grid_of(config)
        self._baseline_w = config.baseline_w
        self._law = Integrator(config.ctrl_ratio, config.phase == "D", int(config.initial_power_w))

    @property
    def setpoint_w(self) -> float:
        return float(self._law.setpoint_w)

    def answered(self, answer: Answer, situation: Situation) -> None:
        error_w = self._grid(answer) - self._baseline_w
        self._law.step(
            error_w, error_w, -int(situation.max_charge_w), int(situation.max_discharge_w)
        )

    def moved(self, before_w: float, after_w: float, dt_s: float) -> None:
        """It does not look at its output."""

    def stop(self) -> None:
        self._law.setpoint_w = 0
