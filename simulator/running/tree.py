"""A simulation with its HTTP API: what a process of ``astra-sim`` consists of."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.application import service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from astrameter.deferreds import spawn
from astrameter.services import adopt
from simulator.api.server import ApiServer
from simulator.configuration.model import Simulation
from simulator.running.local import LocalControl
from simulator.running.simulation import RunningSimulation
from simulator.running.statusline import status_line

SHORTEST_S = 0.05
"""Between two status lines, of the clock."""


class Tree(service.MultiService):
    """The service tree. Reading it tells what lives in the process.

    :ivar simulation: the site.
    :ivar control: as consoles and the API see it.
    :ivar api: the HTTP API.
    """

    def __init__(
        self,
        setup: Simulation,
        reactor: Any,
        shutdown: Callable[[], None],
        *,
        random_for: Callable[[str], Random] | None = None,
        ct_host: str = "",
        line_interval_s: float | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """:param shutdown: ends the process.

        :param ct_host: instead of the one of the setup.
        :param line_interval_s: of the status lines, in seconds of the site; None is the setup's.
        :param say: takes the status lines instead of the log.
        """
        service.MultiService.__init__(self)
        self.simulation = RunningSimulation(setup, reactor, random_for, ct_host)
        self.control = LocalControl(self.simulation, reactor, shutdown)
        self.api = ApiServer(
            self.control,
            self.simulation.power_now,
            self.simulation.status,
            reactor,
            setup.http_host,
            setup.http_port,
        )
        interval_s = setup.log_interval_s if line_interval_s is None else line_interval_s
        lines = StatusLines(self.simulation, reactor, interval_s / setup.speed, say)
        adopt(self, self.api, self.simulation, self.control, lines)


class StatusLines(service.Service):
    """Tells the status, a line at a time, while it runs."""

    _log = Logger(namespace="simulator.runner")

    def __init__(
        self,
        simulation: RunningSimulation,
        reactor: Any,
        interval_s: float,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """:param interval_s: in seconds of the clock."""
        self._simulation = simulation
        self._interval_s = max(SHORTEST_S, interval_s)
        self._say = say or (lambda line: self._log.info("{line}", line=line))
        self._telling = LoopingCall(self._tell)
        self._telling.clock = reactor

    def startService(self) -> None:
        service.Service.startService(self)
        spawn(self._run(), "writing status lines", self._log)

    def stopService(self) -> None:
        service.Service.stopService(self)
        if self._telling.running:
            self._telling.stop()

    async def _run(self) -> None:
        await self._telling.start(self._interval_s, now=False)

    def _tell(self) -> None:
        self._say(status_line(self._simulation.status()))
