"""Read a slow meter no faster than it can answer (filters.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from astrameter.deferreds import sleep
from astrameter.meters.interface import ISource
from astrameter.options import number, option
from astrameter.reading import MeterError, Sample
from astrameter.sharing import SharedRead

KEEP_INTERVALS = 3.0
"""For how many intervals the last good reading stands in for a failing meter.

The predecessor served it for ever (filters.md section 4, FR04), which defeats the hold on meter
failure; a few intervals bridge a lost packet and no more.
"""


@dataclass(frozen=True)
class ThrottleOptions:
    """Options of the throttle filter; ``[GENERAL]`` sets them for all meters."""

    throttle_interval: float = option(
        number(),
        default=0.0,
        unit="s",
        inherited=True,
        help="Read the meter at most this often; polls in between wait for the next reading. "
        "For slow meters. 0 or less is off.",
        example="2",
    )


@implementer(ISource)
class Throttle:
    """Delays a reader until a fresh read is allowed; all who wait share that read."""

    _log = Logger()

    def __init__(
        self, source: ISource, interval_s: float, clock: IReactorTime, section: str
    ) -> None:
        self._source = source
        self._interval_s = interval_s
        self._clock = clock
        self._section = section
        self._read_at: float | None = None
        self._good: Sample | None = None
        self._good_at = 0.0
        self._failing = False
        self._shared = SharedRead(self._delayed_read)

    def read(self) -> Deferred[Sample]:
        return self._shared.read()

    def _delayed_read(self) -> Deferred[Sample]:
        if self._read_at is None:
            return self._read_source(None)
        wait_s = self._read_at + self._interval_s - self._clock.seconds()
        if wait_s <= 0:
            return self._read_source(None)
        return sleep(self._clock, wait_s).addCallback(self._read_source)

    def _read_source(self, _woken: None) -> Deferred[Sample]:
        return self._source.read().addCallbacks(self._succeeded, self._failed)

    def _succeeded(self, sample: Sample) -> Sample:
        self._read_at = self._good_at = self._clock.seconds()
        self._good = sample
        if self._failing:
            self._failing = False
            self._log.info("[{section}] delivers readings again", section=self._section)
        return sample

    def _failed(self, failure: Failure) -> Sample | Failure:
        if failure.check(CancelledError) is not None:
            return failure  # nobody waits any more; the next reader need not pay for it
        now = self._read_at = self._clock.seconds()
        good = self._good
        if now - self._good_at > KEEP_INTERVALS * self._interval_s:
            good = None
        if good is None or failure.check(MeterError) is None:
            return failure
        if not self._failing:
            self._failing = True
            self._log.warn(
                "[{section}] {error}; the last reading stands in for it for a while",
                section=self._section,
                error=failure.getErrorMessage(),
            )
        return good
