"""How today's B2500 makes a setpoint of an answer (marstek-devices.md section 2.5).

The unit only discharges, into an inverter that is not its own. It integrates one grid power for
the whole device, never below a smallest power, and sleeps rather than deliver less.
"""

from __future__ import annotations

from enum import Enum

from simulator.batteries.acceptance import Answer
from simulator.batteries.config import BatteryConfig
from simulator.batteries.law import Situation
from simulator.batteries.selection import select

PASS_S = 0.5
"""The law runs this often, and an output dwells as long after a change."""

LARGEST_W = 800.0
SMALLEST_W, SMALLEST_OF_SMALL_W = 80.0, 40.0

ARRIVED_W = 9.0
"""Output this close to the setpoint has arrived ..."""

PATIENCE_S = 6.0
"""... and otherwise, after so long, the setpoint goes to where the output is."""

WAKE_PASSES = 2
"""Readings of import at the smallest power or more, in a row, that end the sleep."""

EXPORT_W = -10
"""Export beyond this at the smallest power brings standby, when it lasts."""

STANDBY_W = 4.0
"""Of each output in standby."""

WEAK_A = 0.5
PANEL_V = 35.2
"""Below this current the gain is doubled; the outputs play panels of this voltage."""

_ROUNDING_S = 1e-6


class State(Enum):
    """What the outputs do."""

    OFF = "off"
    STANDBY = "standby"
    RUNNING = "running"


class B2500Regulator:
    """Sleeps, wakes, integrates.

    Choices where the source is silent [I]:

    * a pass takes place at an answer, at most every PASS_S, so that each reading acts once; the
      firmware's own passes between two answers would integrate the same reading again;
    * the patience begins with the last change of the setpoint;
    * it reads the grid as a Venus does, and does not divide, having one integrator for a whole
      house (section 1.1);
    * empty, it is off, and once it has energy again it is woken like a sleeping one.

    :ivar state: off at the beginning, unless it begins in motion.
    """

    def __init__(self, config: BatteryConfig) -> None:
        settings = config.b2500
        self._phase = config.phase_number
        self._recharge_mode = config.recharge_mode
        self._outputs = 1 if settings.single_output else 2
        smallest_w = SMALLEST_OF_SMALL_W if settings.small_inverter else SMALLEST_W
        self._smallest_w = smallest_w * self._outputs / 2
        self._standby_passes = settings.standby_passes
        self.setpoint_w = config.initial_power_w
        self.state = State.RUNNING if config.initial_power_w > 0 else State.OFF
        self._passes = 0
        self._passed_at: float | None = None
        self._changed_at: float | None = None

    def answered(self, answer: Answer, situation: Situation) -> None:
        selection = select(answer, self._phase, self._recharge_mode, 0, False)
        if selection is None or not self._due(situation.now):
            return
        if situation.high_w <= 0:
            self._enter(State.OFF, 0.0)
        elif self.state is State.RUNNING:
            self._run(selection.g, situation)
        elif self._lasts(selection.g >= self._smallest_w, WAKE_PASSES):
            self._enter(State.RUNNING, min(self._smallest_w, situation.high_w))
            self._changed_at = situation.now

    def moved(self, before_w: float, after_w: float, dt_s: float) -> None:
        """It looks at its output only when it is answered."""

    def stop(self) -> None:
        self._enter(State.OFF, 0.0)

    def _due(self, now: float) -> bool:
        passed_at = self._passed_at
        if passed_at is not None and now - passed_at < PASS_S - _ROUNDING_S:
            return False
        self._passed_at = now
        return True

    def _lasts(self, fulfilled: bool, passes: int) -> bool:
        """Whether a condition has been fulfilled so many times in a row."""
        self._passes = self._passes + 1 if fulfilled else 0
        return self._passes >= passes

    def _enter(self, state: State, setpoint_w: float) -> None:
        self.state = state
        self.setpoint_w = setpoint_w
        self._passes = 0

    def _run(self, g: int, situation: Situation) -> None:
        asleep = self.setpoint_w <= self._smallest_w and g < EXPORT_W
        if self._lasts(asleep, self._standby_passes):
            self._enter(State.STANDBY, STANDBY_W * self._outputs)
            return
        now, power_w = situation.now, situation.power_w
        changed_at = self._changed_at
        before_w = self.setpoint_w
        if abs(power_w - before_w) > ARRIVED_W:
            if changed_at is None:
                self._changed_at = now
                return
            if now - changed_at < PATIENCE_S - _ROUNDING_S:
                return
            before_w = power_w
        high_w = min(situation.high_w, LARGEST_W)
        setpoint_w = before_w + self._gain(power_w) * g
        self.setpoint_w = min(max(setpoint_w, self._smallest_w), high_w)
        self._changed_at = now

    def _gain(self, power_w: float) -> int:
        weak = self._outputs == 2 and power_w / self._outputs < WEAK_A * PANEL_V
        return 2 if weak else 1
