"""The integer self-use law and its gate (marstek-devices.md sections 2.1 and 2.2).

Not to be confused with the law of battery-firmware.md section 6, an earlier reading of the same
code: there the branch is chosen by the grid, here by the unit's own output (section 1.15).
"""

from __future__ import annotations

from simulator.batteries.families import IntegerFamily
from simulator.batteries.single import single

SPIKE_W = 50
"""A jump of the grid power beyond this is a spike ..."""

OWN_MOVE_W = 20
"""... unless the unit's own output has moved at least this far."""

HOLD_BELOW_W = 10
"""Import below this is left alone."""

SHARED_PARK_W = 15
"""Several batteries: setpoint and import below this park the unit."""

RATIO_RANGE = (30, 100)
"""Loop gain, percent; anything outside counts as the family's default (section 1.2)."""


class IntegerLaw:
    """The setpoint of one battery, and what its gate remembers.

    Whether the baselines of the gate are also renewed by a sample that the gate holds is not said
    in section 2.2; they are here, as in the sibling law (battery-firmware.md section 4.2) [I].

    :ivar setpoint_w: + discharge. A whole number where the family's is one.
    """

    __slots__ = (
        "_family",
        "_gain",
        "_grid_before_w",
        "_out_before_w",
        "_skipped",
        "_spike_gate",
        "setpoint_w",
    )

    def __init__(
        self,
        family: IntegerFamily,
        gain: float = 1.0,
        spike_gate: bool = True,
        setpoint_w: float = 0.0,
    ) -> None:
        self._family = family
        self._gain = gain
        self._spike_gate = spike_gate
        self.setpoint_w = setpoint_w
        self._grid_before_w = 0
        self._out_before_w = 0
        self._skipped = False

    def step(self, g: int, out_w: int, nb: int, low_w: float, high_w: float) -> bool:
        """One sample; True when it was acted on, False when it was held.

        :param g: grid power as selected, + import, before the division by ``nb``.
        :param out_w: the unit's own output, + discharge.
        :param nb: number of batteries that share ``g``; 0 or 1 means it is for this one alone.
        :param low_w: smallest setpoint allowed now, 0 or less.
        :param high_w: largest setpoint allowed now, 0 or more.
        """
        if nb >= 2:
            return self.regulate(divided(g, nb), out_w, nb, low_w, high_w)
        if self._gated(g, out_w):
            return False
        return self.regulate(g, out_w, nb, low_w, high_w)

    def regulate(self, g: int, out_w: int, nb: int, low_w: float, high_w: float) -> bool:
        """Section 2.1 without the gate; ``g`` is divided already."""
        change_w = self._change(g, out_w)
        family = self._family
        setpoint_w = self.setpoint_w
        if change_w is not None:
            setpoint_w += change_w
            if family.whole_watts:
                setpoint_w = int(setpoint_w)
        setpoint_w = min(max(setpoint_w, low_w), high_w)
        if nb >= 2:
            if abs(setpoint_w) < SHARED_PARK_W and g < SHARED_PARK_W:
                setpoint_w = 0.0
        elif abs(setpoint_w) <= family.park_w and g <= family.park_grid_w:
            setpoint_w = family.parked_w
        self.setpoint_w = setpoint_w
        return change_w is not None

    def _change(self, g: int, out_w: int) -> float | None:
        if out_w >= 0 and g >= 11:
            return self._gain * g - 5
        if out_w <= 0 and g < -10:
            return self._gain * g
        if (out_w < 0 < g) or (g < 0 < out_w):
            return g
        if out_w < 0 and -10 <= g < 0:
            return g - 5
        return None

    def _gated(self, g: int, out_w: int) -> bool:
        jump_w = abs(g - self._grid_before_w)
        own_w = abs(out_w - self._out_before_w)
        self._grid_before_w = g
        self._out_before_w = out_w
        gate_w = self._family.gate_w
        skipped, self._skipped = self._skipped, False
        if (
            self._spike_gate
            and not skipped
            and abs(g) > gate_w
            and jump_w > SPIKE_W
            and own_w < OWN_MOVE_W
        ):
            self._skipped = True
            return True
        return (abs(g) < gate_w and out_w < 1) or 0 <= g < HOLD_BELOW_W


def divided(g: int, nb: int) -> int:
    """The share of one of ``nb`` batteries, truncated towards zero; undivided below 2."""
    if nb < 2:
        return g
    return g // nb if g >= 0 else -(-g // nb)


def gain_of(ratio_percent: int, default_percent: int = 100) -> float:
    """Loop gain of the ``ctrl_ratio`` setting, in single precision as the firmware has it.

    The conversion decides whether -500 W at 30 % is -149 or -150 W (battery-firmware.md, V4).
    """
    low, high = RATIO_RANGE
    ratio = ratio_percent if low <= ratio_percent <= high else default_percent
    return single(ratio * single(0.01))
