"""Finds out now and then whether each meter works (mqtt.md section 4.4).

A meter that batteries read anyway is not read once more; one that nobody reads is. All of them at
the same time, so that a slow one does not delay the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as WaitedTooLong
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.insights.inventory import MeterDevice
from astrameter.reading import MeterError, Sample

RECENT_S = 2.0
"""A reading of this age tells enough."""

PROBE_WITHIN_S = 5.0

Report = Callable[[str, bool, Sequence[float]], None]
"""``(section, online, watts)``; no watts when there is no reading."""


class HealthCheck:
    """Looks at meters and reports how each is, once for every look."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, report: Report) -> None:
        self._clock = clock
        self._report = report
        self._probes: dict[str, Deferred[Any]] = {}

    def look_at(self, meters: Sequence[MeterDevice]) -> None:
        """Find out about each that is not being found out about already."""
        for device in meters:
            if device.section not in self._probes:
                self._look(device)

    def stop(self) -> None:
        """Abandon what is under way; nothing is reported any more."""
        for probe in list(self._probes.values()):
            probe.cancel()

    def _look(self, device: MeterDevice) -> None:
        try:
            streaming = device.meter.online
        except Exception:  # noqa: BLE001  a defect of one meter must not hide the others
            self._log.failure("[{section}] failed unexpectedly", section=device.section)
            self._report(device.section, False, ())
            return
        last = device.chain.last
        if last is not None and self._clock.seconds() - last.at <= RECENT_S:
            watts = () if last.sample is None else last.sample.watts
            self._report(device.section, bool(watts) if streaming is None else streaming, watts)
            return
        probe: Deferred[Any] = maybeDeferred(device.chain.read)
        self._probes[device.section] = probe
        probe.addTimeout(PROBE_WITHIN_S, self._clock)
        probe.addCallbacks(self._values, self._failed, errbackArgs=(device,))
        probe.addCallback(self._probed, device, streaming)
        probe.addErrback(lambda failure: failure.trap(CancelledError) and None)
        probe.addBoth(lambda _: self._probes.pop(device.section, None))

    def _values(self, sample: Sample) -> Sequence[float]:
        return sample.watts

    def _failed(self, failure: Failure, device: MeterDevice) -> Sequence[float] | Failure:
        if failure.check(CancelledError) is not None:
            return failure
        if failure.check(MeterError, WaitedTooLong) is None:
            self._log.failure("[{section}] failed unexpectedly", failure, section=device.section)
        return ()

    def _probed(self, watts: Sequence[float], device: MeterDevice, streaming: bool | None) -> None:
        self._report(device.section, bool(watts) if streaming is None else streaming, watts)
