"""The seam between a battery and the rule that finds its setpoint."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from simulator.batteries.acceptance import Answer


class Situation(NamedTuple):
    """The battery's own state at the moment an answer arrives.

    :ivar now: seconds on the clock of whoever drives the battery.
    :ivar power_w: own output, + discharge.
    :ivar sent_w: own power as sent in the last request.
    :ivar low_w: smallest setpoint the inverter can take now, 0 or less.
    :ivar high_w: largest setpoint the inverter can take now, 0 or more.
    :ivar max_charge_w, max_discharge_w: the same limits without regard to the state of charge,
        both positive.
    :ivar soc: state of charge 0..1.
    :ivar dc_input_w: solar power fed into the battery itself.
    """

    now: float
    power_w: float
    sent_w: int
    low_w: float
    high_w: float
    max_charge_w: float
    max_discharge_w: float
    soc: float
    dc_input_w: float


class Regulator(Protocol):
    """Turns answers into a setpoint. One regulator serves one battery.

    :ivar setpoint_w: the output wanted, + discharge.
    """

    @property
    def setpoint_w(self) -> float: ...

    def answered(self, answer: Answer, situation: Situation) -> None:
        """An accepted answer to a poll that was no inspection."""

    def moved(self, before_w: float, after_w: float, dt_s: float) -> None:
        """The plant has taken a step."""

    def stop(self) -> None:
        """The meter is lost, or the owner took over: setpoint to zero, forget what is pending."""
