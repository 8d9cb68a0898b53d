"""Auto mode: loads and sun change by themselves (simulator.md section 5)."""

from __future__ import annotations

from random import Random

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from simulator.household import Household

SHORTEST_S = 0.05
"""Of the clock, whatever the speed."""


class AutoMode(Service):
    """Steps the household at random intervals, while it runs and is enabled.

    :ivar steps: how many there were.
    """

    _log = Logger()

    def __init__(
        self,
        household: Household,
        clock: IReactorTime,
        random: Random,
        interval_s: tuple[float, float],
        speed: float,
    ) -> None:
        """:param interval_s: shortest and longest pause, in seconds of the site."""
        self.steps = 0
        self._household = household
        self._clock = clock
        self._random = random
        self._interval_s = interval_s
        self._speed = speed
        self._enabled = False
        self._next: IDelayedCall | None = None

    @property
    def enabled(self) -> bool:
        return self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._enabled = enabled
        self._arrange()

    def startService(self) -> None:
        Service.startService(self)
        self._arrange()

    def stopService(self) -> None:
        Service.stopService(self)
        self._arrange()

    def _arrange(self) -> None:
        """Have a step pending exactly when there is to be one."""
        wanted = bool(self._enabled and self.running)
        if wanted and self._next is None:
            pause_s = self._random.uniform(*self._interval_s) / self._speed
            self._next = self._clock.callLater(max(SHORTEST_S, pause_s), self._step)
        elif not wanted and self._next is not None:
            self._next.cancel()
            self._next = None

    def _step(self) -> None:
        self._next = None
        self.steps += 1
        household = self._household
        household.auto_step(self._random)
        self._log.info(
            "auto mode: on is {loads}; solar {solar:.0f} W",
            loads=", ".join(load.name for load in household.loads if load.active) or "nothing",
            solar=household.solar_w,
        )
        self._arrange()
