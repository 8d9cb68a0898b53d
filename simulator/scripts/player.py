"""Plays a script in the time of a simulation, real or virtual."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from simulator.control import Operation, OperationRefused, ToggleLoad
from simulator.running.operations import perform
from simulator.running.simulation import RunningSimulation
from simulator.scripts.measure import Watch
from simulator.scripts.model import Script, SwitchLoad

LOOK_S = 1.0
"""Between two looks, in seconds of the site."""


class Player(Service):
    """Plays a script once, from its start.

    :ivar done: fires with True when everything was as expected, else with False.
    """

    _log = Logger()

    def __init__(
        self,
        script: Script,
        simulation: RunningSimulation,
        clock: Any,
        say: Callable[[str], None],
    ) -> None:
        """:param say: takes one line for each step, and one for each expectation."""
        self.done: Deferred[bool] = Deferred()
        self._script = script
        self._simulation = simulation
        self._clock = clock
        self._say = say
        self._steps = deque(script.steps)
        self._watches = [Watch(one) for one in script.expectations]
        self._told: set[Watch] = set()
        self._refused = False
        self._began_s = 0.0
        self._next: IDelayedCall | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._began_s = self._simulation.time.seconds()
        self._next = self._clock.callLater(0, self._turn)

    def stopService(self) -> None:
        """End at once; what is not decided yet counts as not met."""
        Service.stopService(self)
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if not self.done.called:
            self.done.callback(False)

    def _turn(self) -> None:
        self._next = None
        now = self._simulation.time.seconds() - self._began_s
        while self._steps and self._steps[0].at_s <= now + LOOK_S / 1000:
            step = self._steps.popleft()
            for operation in step.operations:
                self._do(now, operation)
        self._look(now)
        decided = all(watch.outcome is not None for watch in self._watches)
        if decided and now >= self._script.ends_s - LOOK_S / 1000:
            self._end()
        else:
            self._next = self._clock.callLater(self._pause_s(now), self._turn)

    def _pause_s(self, now: float) -> float:
        """Until the next look, or the next step when that is sooner."""
        next_s = now + LOOK_S
        if self._steps:
            next_s = min(next_s, self._steps[0].at_s)
        for one in self._script.expectations:
            if one.at_s > now:
                next_s = min(next_s, one.at_s)
        if self._script.ends_s > now:
            next_s = min(next_s, self._script.ends_s)
        pause_s = next_s - now
        return max(pause_s, LOOK_S / 1000) / self._simulation.time.speed

    def _do(self, now: float, operation: Operation | SwitchLoad) -> None:
        try:
            done = (
                self._switch(operation)
                if isinstance(operation, SwitchLoad)
                else perform(self._simulation, operation)
            )
        except OperationRefused as refusal:
            self._refused = True
            self._say(f"FAIL at {now:.0f} s: {operation} was refused: {refusal}")
        else:
            if done:
                self._say(f"     at {now:.0f} s: {done}")

    def _switch(self, operation: SwitchLoad) -> str:
        loads = self._simulation.household.loads
        names = [load.name for load in loads]
        number = names.index(operation.load) + 1 if operation.load in names else int(operation.load)
        if loads[number - 1].active == operation.active:
            return ""
        return perform(self._simulation, ToggleLoad(number))

    def _look(self, now: float) -> None:
        status = self._simulation.status()
        for watch in self._watches:
            watch.look(now, status)
            if watch.outcome is not None and watch not in self._told:
                self._told.add(watch)
                self._say(str(watch.outcome))

    def _end(self) -> None:
        met = [watch.outcome is not None and watch.outcome.met for watch in self._watches]
        wanted = f"{sum(met)} of {len(met)} expectations were met"
        self._say(f"{self._script.title or self._script.name}: {wanted}")
        if not self.done.called:
            self.done.callback(all(met) and not self._refused)
