"""The simulated grid meter as a meter of the appliance, without a network in between.

The appliance is not changed for it: :func:`simulated_kind` makes a meter kind like any other,
which is registered beside the built-in ones, and the file says ``[SIMULATED]``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.pushed import PushedMeter
from astrameter.options import Section
from astrameter.reading import PhaseWatts
from simulator.gridmeter import GridMeter

SECTION = "SIMULATED"


class SimulatedMeter(PushedMeter):
    """Measures every ``interval_s`` and delivers ``latency_s`` later."""

    def __init__(self, clock: IReactorTime, section: str, meter: GridMeter) -> None:
        """:raises ValueError: for a meter without an interval."""
        if meter.interval_s <= 0:
            raise ValueError("a meter that pushes needs an interval above 0 s")
        super().__init__(clock, section)
        self._meter = meter
        self._next_measurement: IDelayedCall | None = None
        self._under_way: deque[IDelayedCall] = deque()

    def startService(self) -> None:
        Service.startService(self)
        self.connected = True
        self._measure()

    def stopService(self) -> Deferred[None] | None:
        if self._next_measurement is not None:
            self._next_measurement.cancel()
            self._next_measurement = None
        while self._under_way:
            self._under_way.popleft().cancel()
        return super().stopService()

    def _measure(self) -> None:
        meter, clock = self._meter, self._clock
        self._next_measurement = clock.callLater(meter.interval_s, self._measure)
        watts = meter.measure(clock.seconds())
        if meter.latency_s:
            self._under_way.append(clock.callLater(meter.latency_s, self._deliver, watts))
        else:
            self.arrived(watts)

    def _deliver(self, watts: PhaseWatts) -> None:
        self._under_way.popleft()
        self.arrived(watts)


def simulated_kind(meter: GridMeter, *, pushed: bool = True) -> MeterKind[MeterOptions]:
    """A meter kind whose every section shows ``meter``.

    :param pushed: delivers by itself; otherwise it is asked at each poll of a battery, which is
        how the scenarios of evaluation.md section 2 read their meter.
    """

    def push(reactor: Any, section: str, _options: MeterOptions) -> PushedMeter:
        return SimulatedMeter(reactor, section, meter)

    def poll(reactor: Any, section: str, _options: MeterOptions) -> PolledMeter:
        def fetch() -> Deferred[tuple[float, ...]]:
            return succeed(meter.read(reactor.seconds()).watts)

        return PolledMeter(section, reactor, fetch)

    build: Callable[[Any, str, MeterOptions], Any] = push if pushed else poll
    return MeterKind(
        Section(SECTION, MeterOptions, help="The grid meter of the simulated house.", many=True),
        build,
    )
