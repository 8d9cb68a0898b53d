"""What the controller needs of a law copy."""

from __future__ import annotations

from typing import Protocol


class Law(Protocol):
    """A copy of one battery's law, with its whole internal state.

    :ivar setpoint_w: what the battery is believed to steer to, + discharge; what is still in
        flight is part of it.
    """

    setpoint_w: float

    def step(self, reading_w: int, power_w: float, now: float) -> None:
        """The battery is sent ``reading_w`` while it reports ``power_w``."""

    def settle(self, power_w: float) -> None:
        """The set point turned out to be ``power_w``: nothing is in flight."""

    def candidates(self, wanted_w: float, power_w: float) -> tuple[int, ...]:
        """Readings worth a try to move the set point by ``wanted_w``; silence is one."""

    def approach(self, target_w: float, power_w: float) -> int:
        """A fair guess of the reading that will be sent to get to ``target_w``, cheaper than
        :func:`choose`; for predicting other batteries."""

    def copy(self) -> Law:
        """An independent copy with the same state."""

    @property
    def horizon(self) -> int:
        """How many polls ahead a choice of reading has consequences."""

    @property
    def binding_s(self) -> float:
        """How long the battery is deaf after a step, at least; 0 when it never is."""

    @property
    def least_w(self) -> float:
        """The smallest output it can run at; below it sleeps. 0 when any output will do."""


SPEAK_W = 30.0


def choose(law: Law, target_w: float, power_w: float, now: float, poll_s: float) -> int:
    """The reading that brings the set point to ``target_w`` best.

    Each candidate is tried on a copy, followed by the readings that would come after it; the
    cost is the distance left over the polls, beyond the target counted higher, with a small
    price on every watt said (steering-research-observer.md section 5.3).
    """
    wanted_w = target_w - law.setpoint_w
    best, best_cost = 0, float("inf")
    for candidate in law.candidates(wanted_w, power_w):
        cost = _cost(law, candidate, target_w, power_w, now, poll_s) + 0.001 * abs(candidate)
        if candidate == 0:
            # Silence is golden for small errors. For large ones it is not: where the copy
            # believes that the battery is not listening, saying it again costs nothing.
            cost += -3.0 if abs(wanted_w) < SPEAK_W else 0.1 * abs(wanted_w)
        if cost < best_cost:
            best, best_cost = candidate, cost
    return best


def _cost(
    law: Law, first: int, target_w: float, power_w: float, now: float, poll_s: float
) -> float:
    trial = law.copy()
    direction = 1.0 if target_w >= trial.setpoint_w else -1.0
    reading, cost = first, 0.0
    last_executed = 0
    for number in range(law.horizon):
        before = trial.setpoint_w
        trial.step(reading, power_w, now + number * poll_s)
        if trial.setpoint_w != before:
            last_executed = reading
            power_w = trial.setpoint_w
        left = target_w - trial.setpoint_w
        cost += abs(left) if left * direction >= 0 else 1.5 * abs(left)
        reading = round(left)
        if last_executed and reading * last_executed > 0 and abs(reading) > abs(last_executed):
            # A rising reading resets the ramp of a Venus C: stay just below the last one.
            held = last_executed - (1 if last_executed > 0 else -1)
            if abs(reading) < 2 * abs(last_executed):
                reading = held
    return cost
