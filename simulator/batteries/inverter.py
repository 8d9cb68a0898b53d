"""The plant: what an inverter and its cells make of a setpoint (battery-firmware.md section 9).

It is stepped, not continuous: one step per poll, by the time since the previous one. Between steps
:meth:`Inverter.power_after` tells what a step would give without taking it, so that looking at a
battery never changes what it does.
"""

from __future__ import annotations

from simulator.batteries.config import BatteryConfig


class Inverter:
    """Output, state of charge, and the limits between them.

    :ivar target_w: the output asked for, + discharge; may be changed at any time.
    :ivar power_w: the present AC output, + discharge.
    :ivar soc: state of charge 0..1.
    :ivar dc_input_w: solar power fed into the battery itself.
    :ivar max_charge_w, max_discharge_w: magnitudes; may be changed at any time.
    :ivar capacity_wh: may be changed at any time; at 0 the state of charge stands still.
    """

    __slots__ = (
        "_efficiency",
        "_min_power_w",
        "_min_soc",
        "_ramp_w_per_s",
        "_startup_delay_s",
        "_waited_s",
        "capacity_wh",
        "dc_input_w",
        "max_charge_w",
        "max_discharge_w",
        "power_w",
        "soc",
        "target_w",
    )

    def __init__(self, config: BatteryConfig) -> None:
        self.target_w = self.power_w = float(config.initial_power_w)
        self.soc = float(config.initial_soc)
        self.dc_input_w = float(config.dc_input_w)
        self.max_charge_w = float(config.charge_limit_w)
        self.max_discharge_w = float(config.max_discharge_w)
        self.capacity_wh = config.capacity_wh
        self._efficiency = config.efficiency
        self._min_soc = config.min_soc
        self._min_power_w = config.min_power_w
        self._ramp_w_per_s = config.ramp_w_per_s
        self._startup_delay_s = config.startup_delay_s
        self._waited_s = 0.0

    @property
    def low_w(self) -> float:
        """Smallest setpoint it can take now; 0 when full."""
        return 0.0 if self.soc >= 1.0 else -self.max_charge_w

    @property
    def high_w(self) -> float:
        """Largest setpoint it can take now; 0 when empty."""
        return 0.0 if self.soc <= self._min_soc else self.max_discharge_w

    def power_after(self, dt_s: float, target_w: float) -> float:
        """The output that a step of ``dt_s`` seconds towards ``target_w`` would give."""
        return self._next(dt_s, target_w)[0]

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass: ramp first, then count the energy at the new output."""
        power_w, self._waited_s = self._next(dt_s, self.target_w)
        self.power_w = power_w
        if self.capacity_wh <= 0:
            return
        cell_w = power_w / self._efficiency if power_w > 0 else power_w * self._efficiency
        soc = self.soc + (self.dc_input_w - cell_w) * dt_s / 3600 / self.capacity_wh
        self.soc = 0.0 if soc < 0.0 else min(soc, 1.0)

    def _next(self, dt_s: float, goal_w: float) -> tuple[float, float]:
        """Output and start-up time spent so far, after ``dt_s`` seconds."""
        power_w, soc = self.power_w, self.soc
        smallest_w, waited_s = self._min_power_w, 0.0
        if (
            abs(goal_w) < smallest_w
            or (soc >= 1.0 and goal_w < 0)
            or (soc <= self._min_soc and goal_w > 0)
        ):
            goal_w = 0.0
        starting = goal_w != 0.0 and abs(power_w) < smallest_w
        if starting:
            waited_s = self._waited_s + dt_s
        if not starting or waited_s >= self._startup_delay_s:
            reach_w = self._ramp_w_per_s * dt_s
            change_w = goal_w - power_w
            if change_w > reach_w:
                change_w = reach_w
            elif change_w < -reach_w:
                change_w = -reach_w
            power_w += change_w
            if power_w > self.max_discharge_w:
                power_w = self.max_discharge_w
            elif power_w < -self.max_charge_w:
                power_w = -self.max_charge_w
        if soc >= 1.0 and self.dc_input_w > power_w:
            power_w = self.dc_input_w
        return power_w, waited_s
