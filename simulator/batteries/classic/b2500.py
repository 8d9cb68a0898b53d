"""The two outputs of a B2500 as the predecessor has them (battery-firmware.md section 7).

An answer moves each output by some 17 W or not at all.
"""

from __future__ import annotations

from simulator.batteries.acceptance import Answer
from simulator.batteries.classic.reading import grid_of
from simulator.batteries.config import BatteryConfig
from simulator.batteries.law import Situation

IDLE = 60
"""Command of an output at the start."""

STEP = 100
"""Command of a step."""

ZERO = 5
"""Command that gives 0 W."""

DEAD_W = 10
"""An output this close to what is wanted is left alone."""

_U16 = 0xFFFF
_U32 = 0xFFFFFFFF


def output_w(command: int) -> int:
    """What an output delivers at a command, whole watts; below ZERO it wraps to nonsense."""
    return ((((command - ZERO) & _U32) * 10 & _U32) // 59) & _U16


class Output:
    """One of the two outputs.

    :ivar command: 16 bits without sign.
    """

    __slots__ = ("_ceiling", "_wraps", "command")

    def __init__(self, largest_w: int, wraps: bool = False, command: int = IDLE) -> None:
        """:param wraps: a step down below 0 wraps to the ceiling, instead of ending at ZERO."""
        self._ceiling = ZERO + largest_w * 59 // 10
        self._wraps = wraps
        self.command = command

    def step(self, wanted_w: int, own_w: int) -> None:
        """One answer: what this output should deliver, and what it does."""
        command = self.command
        if own_w > wanted_w + DEAD_W:
            command -= STEP
            command = command & _U16 if self._wraps else max(command, ZERO)
        elif own_w < wanted_w - DEAD_W:
            command = (command + STEP) & _U16
        self.command = min(command, self._ceiling)


class B2500:
    """A regulator of both outputs together; it never divides.

    The ceiling of an output is that of the limit it was made with (simulator.md section 6.4).
    """

    def __init__(self, config: BatteryConfig) -> None:
        self._grid = grid_of(config)
        largest_w = max(1, int(config.max_discharge_w) // 2)
        wraps = config.b2500.channel_wraps
        self._outputs = (Output(largest_w, wraps), Output(largest_w, wraps))
        self.setpoint_w = config.initial_power_w

    def answered(self, answer: Answer, situation: Situation) -> None:
        now_w = max(0, round(situation.power_w))
        wanted_w = now_w + self._grid(answer) * 9 // 10
        wanted_w = min(max(wanted_w, 0), int(situation.max_discharge_w))
        if situation.soc >= 1.0:
            wanted_w = max(wanted_w, round(situation.dc_input_w))
        one, other = self._outputs
        for output in (one, other):
            output.step(wanted_w // 2, now_w // 2)
        self.setpoint_w = float(output_w(one.command) + output_w(other.command))

    def moved(self, before_w: float, after_w: float, dt_s: float) -> None:
        """It looks at its output only when it is answered."""

    def stop(self) -> None:
        for output in self._outputs:
            output.command = ZERO
        self.setpoint_w = 0.0
