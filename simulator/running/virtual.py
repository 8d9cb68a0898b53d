"""A simulation and an unmodified appliance inside one virtual world."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred

from astrameter.appliance import Appliance, Surroundings
from astrameter.config import Settings
from astrameter.services import start, stop
from simulator.configuration.model import LOOPBACK, Simulation
from simulator.running.simulation import RunningSimulation
from simulator.running.tree import Tree
from simulator.sitestatus import Status
from simulator.world import World

HOST = "192.168.1.2"
"""The machine on which both run, so that a configuration with ``localhost`` works as it is."""

MIDNIGHT = datetime(2026, 6, 21, tzinfo=UTC)
NEAR_ZERO_W = 50.0
_LOOK_S = 1.0


@dataclass
class Tally:
    """How near the grid was to zero.

    :ivar looks: how often it was looked at, once a second of the site.
    :ivar mean_w: mean distance of the total from zero.
    :ivar near: fraction of the time within :data:`NEAR_ZERO_W`.
    """

    looks: int = 0
    _sum_w: float = 0.0
    _near: int = 0

    def note(self, status: Status) -> None:
        self.looks += 1
        self._sum_w += abs(status.grid.total_w)
        self._near += abs(status.grid.total_w) <= NEAR_ZERO_W

    @property
    def mean_w(self) -> float:
        return self._sum_w / self.looks if self.looks else 0.0

    @property
    def near(self) -> float:
        return self._near / self.looks if self.looks else 0.0


class VirtualRun:
    """The simulation on its ports, the appliance on its own, and nothing of the real world.

    :ivar world: its time.
    :ivar host: the reactor of both.
    :ivar simulation: the site.
    :ivar tally: of the grid power so far.
    :ivar gave_up: why the appliance gave up, if it has.
    """

    def __init__(
        self,
        setup: Simulation,
        settings: Settings,
        say: Callable[[str], None],
        line_interval_s: float | None = None,
    ) -> None:
        """:param settings: of the appliance.

        :param say: takes the status lines, which begin with the time of the site.
        """
        self.world = World(0 if setup.seed is None else setup.seed)
        self.gave_up: list[str] = []
        self.tally = Tally()
        self._ended = False
        host: Any = self.world.host(HOST)
        self.host = host
        self._began_at = self.world.seconds()
        around = Surroundings(
            wall_clock=self._wall_clock, outward=False, give_up=self.gave_up.append
        )
        self._tree = Tree(
            replace(setup, http_host=LOOPBACK),
            host,
            self.end,
            random_for=self.world.random,
            ct_host=LOOPBACK,
            line_interval_s=line_interval_s,
            say=lambda line: say(f"{self._clock()} {line}"),
        )
        self._appliance = Appliance(host, settings, around)
        self.simulation: RunningSimulation = self._tree.simulation

    def _wall_clock(self) -> datetime:
        return MIDNIGHT + timedelta(seconds=self.world.seconds() - self._began_at)

    def _clock(self) -> str:
        return clock(self.simulation.time.seconds())

    def start(self) -> None:
        """Start both; the simulation first, as its meter is looked for."""
        start(self._tree)
        start(self._appliance)

    def stop(self) -> None:
        """Stop both, and let time pass until they have stopped."""
        for part in (self._appliance, self._tree):
            self.world.wait(stop(part))

    def end(self) -> None:
        """Let no more time pass."""
        self._ended = True

    def pass_time(self, seconds: float) -> None:
        """Let so much time of the site pass, or less when it is ended."""
        simulation = self.simulation
        until_s = simulation.time.seconds() + seconds
        while not self._ended and simulation.time.seconds() < until_s - 1e-9:
            left_s = min(_LOOK_S, until_s - simulation.time.seconds())
            self.world.advance(left_s / simulation.time.speed)
            self.tally.note(simulation.status())

    def pass_until(self, done: Deferred[bool], longest_s: float = math.inf) -> bool:
        """Let time pass until ``done`` has fired, and tell its result; False when it does not."""
        outcome: list[bool] = []
        done.addCallback(outcome.append)
        began_s = self.simulation.time.seconds()
        while not outcome and not self._ended:
            if self.simulation.time.seconds() - began_s > longest_s:
                return False
            self.pass_time(_LOOK_S)
        return bool(outcome and outcome[0])


def clock(seconds: float) -> str:
    """``1d 02:03:04``, without the days when there are none."""
    whole = round(seconds)
    days, rest = divmod(whole, 86400)
    shown = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {shown}" if days else shown
