"""The ramp law of a Venus C and its gate (battery-firmware.md section 4).

In use at Venus C and E, Venus A and Jupiter; all but the first by assumption (sections 1, 5, 8).
The law counts charging as positive; outside of this module discharging is.
"""

from __future__ import annotations

from math import sqrt

from simulator.batteries.acceptance import Answer
from simulator.batteries.classic.reading import count_of, grid_of
from simulator.batteries.config import BatteryConfig
from simulator.batteries.integer_law import divided
from simulator.batteries.law import Situation
from simulator.batteries.single import from_bits, single

LIMIT_W = 2500.0
"""What every setpoint is clamped to."""

REST_W = 20
"""Less than this moves only a unit that is discharging, unless its configuration says else."""

HOLD_BELOW_W = 10
"""Import below this is left alone."""

SPIKE_W = 50
"""A jump of the grid power beyond this is a spike ..."""

OWN_MOVE_W = 20
"""... unless the unit's own output has moved at least this far."""

PULL_BACK_W = 100.0
"""A setpoint beyond the limit is set to this much within it."""

LARGEST_RAMP = 5

# Section 4.3: the largest step for ramp 0..5 and, from the end, for -1..-5; the bits decide.
_FORWARD = (0x4248EB85, 0x42486666, 0x4248D70A, 0x42C8051F, 0x4348051F, 0x43C83333)
_BACKWARD = (0x43CD2CCD, 0x43AF347B, 0x43344CCD, 0x4270147B, 0x42487AE1)
_LARGEST_STEP_W = tuple(map(from_bits, (*_FORWARD, *_BACKWARD)))

_U32 = 0xFFFFFFFF


class RampLaw:
    """The setpoint of one unit and what the law remembers (section 4.1).

    :ivar charge_w: commanded power, + CHARGE, in single precision.
    :ivar ramp: acceleration, -5..5.
    :ivar last_g: grid power of the previous step that was not held.
    :ivar lowest_g: running minimum of the grid power, compared without sign.
    :ivar rise_g: that minimum at the last rise.
    """

    __slots__ = (
        "_grid_before_w",
        "_highest_w",
        "_lowest_w",
        "_out_before_w",
        "_rest_w",
        "charge_w",
        "last_g",
        "lowest_g",
        "ramp",
        "rise_g",
    )

    def __init__(
        self,
        max_charge_w: float,
        max_discharge_w: float,
        charge_w: float = 0.0,
        rest_w: int = REST_W,
    ) -> None:
        self._highest_w = max_charge_w
        self._lowest_w = -max_discharge_w
        self._rest_w = rest_w
        self._grid_before_w = 0
        self._out_before_w = 0
        self.reset(charge_w)

    def reset(self, charge_w: float = 0.0) -> None:
        """Begin anew with this setpoint."""
        self.charge_w = single(min(max(charge_w, -LIMIT_W), LIMIT_W))
        self.ramp = self.last_g = self.lowest_g = self.rise_g = 0

    def step(self, g: int, out_w: int) -> None:
        """One answer: grid power + import, own output + discharge (section 4.2)."""
        jump_w = abs(g - self._grid_before_w)
        own_w = abs(out_w - self._out_before_w)
        self._grid_before_w = g
        self._out_before_w = out_w
        size_w = abs(g)
        if size_w > self._rest_w and jump_w > SPIKE_W and own_w < OWN_MOVE_W:
            return
        if size_w < self._rest_w and out_w < 1:
            return
        if 0 <= g < HOLD_BELOW_W:
            return
        self.regulate(g)

    def regulate(self, g: int) -> None:
        """One answer that passed the gate (section 4.3)."""
        if self.charge_w > self._highest_w:
            self._pull_back(self._highest_w - PULL_BACK_W, -1, g)
            return
        if self.charge_w < self._lowest_w:
            self._pull_back(self._lowest_w + PULL_BACK_W, 0, g)
            return
        if self.lowest_g & _U32 >= g & _U32:
            self.lowest_g = g
        self._accelerate(g)
        ramp = self.ramp
        square = (g * g - self.rise_g * self.rise_g) & _U32
        step_w = min(single(single(sqrt(square)) + 10.0), _LARGEST_STEP_W[ramp], g)
        self._set(self.charge_w + step_w if ramp > 0 else self.charge_w - step_w)

    def _accelerate(self, g: int) -> None:
        ramp = self.ramp
        if g > self.last_g:
            self.rise_g = self.lowest_g
            self.lowest_g = g
            self.ramp = -1 if ramp > 0 else 0
        elif ramp > 0:
            self.ramp = min(ramp + 1, LARGEST_RAMP)
        else:
            self.ramp = max(ramp - 1, -LARGEST_RAMP)
        self.last_g = g

    def _pull_back(self, charge_w: float, ramp: int, g: int) -> None:
        self._set(charge_w)
        self.ramp = ramp
        self.last_g = g

    def _set(self, charge_w: float) -> None:
        # Clamped first, which gives the same and cannot overflow single precision.
        self.charge_w = single(min(max(charge_w, -LIMIT_W), LIMIT_W))


class VenusC:
    """A regulator that runs the ramp law on its share of the grid power.

    The limits it was made with stay, whatever becomes of those of the inverter (simulator.md
    section 6.4), and it does not know the state of charge: while the inverter cannot follow, the
    setpoint winds up (section 4.4, h).
    """

    def __init__(self, config: BatteryConfig) -> None:
        self._grid = grid_of(config)
        self._count = count_of(config)
        self._law = RampLaw(
            config.charge_limit_w, config.max_discharge_w, -config.initial_power_w, config.rest_w
        )

    @property
    def setpoint_w(self) -> float:
        return 0.0 - self._law.charge_w

    def answered(self, answer: Answer, situation: Situation) -> None:
        g = divided(self._grid(answer), self._count(answer))
        self._law.step(g, int(situation.power_w))

    def moved(self, before_w: float, after_w: float, dt_s: float) -> None:
        """It looks at its output only when it is answered."""

    def stop(self) -> None:
        self._law.reset()
