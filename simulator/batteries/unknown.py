"""Laws that nobody has described: what a controller must be able to live with."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from simulator.batteries.acceptance import Answer
from simulator.batteries.config import UNKNOWN_LAW, BatteryConfig
from simulator.batteries.integer_law import divided
from simulator.batteries.law import Situation
from simulator.batteries.selection import select
from simulator.batteries.variants import UnknownLaw

GAINS = (0.3, 1.2)
DEADBANDS_W = (0.0, 30.0)
UPS_W = (30.0, 500.0)
DOWNS_W = (60.0, 2500.0)
STARTUPS_S = (0.0, 6.0)
RAMPS_W_PER_S = (150.0, 400.0, 1000.0)
POLLS_S = (0.5, 1.0, 2.0)


class UnknownRegulator:
    """Adds a share of the reading to the setpoint, with a dead band and limited steps."""

    def __init__(self, config: BatteryConfig) -> None:
        self._law = config.unknown_law
        self._phase = config.phase_number
        self._recharge_mode = config.recharge_mode
        self._baseline_w = config.baseline_w
        self.setpoint_w = config.initial_power_w

    def answered(self, answer: Answer, situation: Situation) -> None:
        selection = select(answer, self._phase, self._recharge_mode, self._baseline_w, False)
        if selection is None:
            return
        law, g = self._law, divided(selection.g, selection.nb)
        if abs(g) <= law.deadband_w:
            return
        step_w = min(max(law.gain * g, -law.down_w), law.up_w)
        self.setpoint_w = min(max(self.setpoint_w + step_w, situation.low_w), situation.high_w)

    def moved(self, before_w: float, after_w: float, dt_s: float) -> None:
        """It does not look at its output."""

    def stop(self) -> None:
        self.setpoint_w = 0.0


def draw_unknown(random: Random, battery: BatteryConfig) -> BatteryConfig:
    """``battery`` with a law, an inverter and a poll interval that are drawn at random.

    Everything else stays: identity, phase, limits, cells. The bounds are those of this module's
    constants; they are estimates that reach well beyond the laws that are known.
    """
    law = UnknownLaw(
        gain=random.uniform(*GAINS),
        deadband_w=random.uniform(*DEADBANDS_W),
        up_w=random.uniform(*UPS_W),
        down_w=random.uniform(*DOWNS_W),
    )
    return replace(
        battery,
        law=UNKNOWN_LAW,
        unknown_law=law,
        startup_delay_s=random.uniform(*STARTUPS_S),
        ramp_w_per_s=random.choice(RAMPS_W_PER_S),
        poll_interval_s=random.choice(POLLS_S),
    )
