"""How today's Venus firmware makes a setpoint of an answer (marstek-devices.md 1.3 to 2.2)."""

from __future__ import annotations

from simulator.batteries.acceptance import Answer
from simulator.batteries.config import SPIKE_GATE_TYPES, BatteryConfig
from simulator.batteries.families import HMG, IntegerFamily
from simulator.batteries.integer_law import IntegerLaw, gain_of
from simulator.batteries.law import Situation
from simulator.batteries.selection import conflict, select
from simulator.batteries.settle import HOLD_S, SettleGate

LOCKOUT_S = 10.0
"""Output 0 after a conflict with the other batteries (section 1.4)."""


class FieldRegulator:
    """Selection, interlock, settle gate and integer law, in this order.

    Choices where the sources are silent [I]: a sample that arrives while a step is under way is
    discarded before the interlock sees it; during a lock-out the interlock goes on watching, so
    that a further conflict extends it, and nothing else is done.
    """

    def __init__(self, config: BatteryConfig, family: IntegerFamily) -> None:
        firmware = config.firmware_version
        # Section 1.2: a loop gain outside 30..100 % counts as 100, on HMG v151 as 90.
        default_ratio = 90 if family is HMG and firmware <= 151 else 100
        self._family = family
        self._phase = config.phase_number
        self._recharge_mode = config.recharge_mode
        self._baseline_w = config.baseline_w
        self._sums_required = firmware >= family.sums_from
        self._law = IntegerLaw(
            family,
            gain_of(config.ctrl_ratio, default_ratio),
            config.ct_type in SPIKE_GATE_TYPES,
            config.initial_power_w,
        )
        hold_s = HOLD_S[config.interval_index] if firmware >= family.settles_from else None
        self._settle = SettleGate(hold_s, config.ramp_w_per_s)
        self._locked_until: float | None = None

    @property
    def setpoint_w(self) -> float:
        return self._law.setpoint_w

    def answered(self, answer: Answer, situation: Situation) -> None:
        if self._settle.busy:
            return
        selection = select(
            answer, self._phase, self._recharge_mode, self._baseline_w, self._sums_required
        )
        if selection is None:
            return
        now, power_w, sent_w, low_w, high_w = situation[:5]
        if conflict(selection, power_w, sent_w):
            self._locked_until = now + LOCKOUT_S
            self._law.setpoint_w = self._family.conflict_w
            return
        if self._locked_until is not None:
            if now < self._locked_until:
                return
            self._locked_until = None
        if self._law.step(selection.g, int(power_w), selection.nb, low_w, high_w):
            self._settle.executed(self._law.setpoint_w)

    def moved(self, before_w: float, after_w: float, dt_s: float) -> None:
        self._settle.moved(before_w, after_w, dt_s)

    def stop(self) -> None:
        self._law.setpoint_w = self._family.parked_w
        self._settle.release()
