"""The simulation of this process as a console sees it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from simulator.control import Operation, OperationRefused, Shutdown, Status
from simulator.running.operations import perform
from simulator.running.simulation import RunningSimulation

REFRESH_S = 1.0


class Listeners:
    """Who wants to be told of changes. One that raises is told no more.

    Shared by both kinds of control.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._listeners: dict[int, Callable[[], None]] = {}
        self._next = 0

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Add one; calling what is returned takes it away."""
        number, self._next = self._next, self._next + 1
        self._listeners[number] = listener
        return lambda: self._listeners.pop(number, None) and None

    def tell(self) -> None:
        """Call each of them."""
        for number, listener in list(self._listeners.items()):
            if number not in self._listeners:
                continue
            try:
                listener()
            except Exception:  # noqa: BLE001  one broken observer must not stop the others
                self._listeners.pop(number, None)
                self._log.failure("an observer of the simulation failed and is told no more")


class LocalControl(Service):
    """A :class:`~simulator.control.SiteControl`; while it runs it looks once a second."""

    _log = Logger()
    trouble: str | None = None

    def __init__(
        self, simulation: RunningSimulation, clock: IReactorTime, shutdown: Callable[[], None]
    ) -> None:
        """:param shutdown: ends the process; called soon after it was asked for."""
        self.status: Status | None = None
        self._simulation = simulation
        self._clock = clock
        self._shutdown = shutdown
        self._listeners = Listeners()
        self._next: IDelayedCall | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._refresh()

    def stopService(self) -> None:
        Service.stopService(self)
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        return self._listeners.subscribe(listener)

    def perform(self, operation: Operation) -> Deferred[Status]:
        if isinstance(operation, Shutdown):
            self._log.info("shutting down, as asked")
            self._clock.callLater(0, self._shutdown)
        else:
            try:
                done = perform(self._simulation, operation)
            except OperationRefused as refusal:
                return fail(refusal)
            self._log.info("{done}", done=done)
        return succeed(self.look())

    def look(self) -> Status:
        """Look now, and tell everybody."""
        status = self.status = self._simulation.status()
        self._listeners.tell()
        return status

    def _refresh(self) -> None:
        self._next = self._clock.callLater(REFRESH_S, self._refresh)
        self.look()
