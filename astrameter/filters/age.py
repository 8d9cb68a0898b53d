"""A reading that is too old is no reading.

Constant is not stale: what counts is when the source last said something, not whether it said
something new.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred
from zope.interface import implementer

from astrameter.deferreds import Clock
from astrameter.meters.interface import ISource
from astrameter.options import number, option, optional
from astrameter.reading import MeterError, Sample


@dataclass(frozen=True)
class AgeOptions:
    """Options of the age limit, in each meter section."""

    max_age: float | None = option(
        optional(number(0)),
        unit="s",
        help="A reading that is older has failed. Not set: what suits the kind of meter. 0: a "
        "reading is good until the next one.",
        example="120",
    )


@implementer(ISource)
class AgeLimit:
    """Refuses readings that were measured too long ago."""

    def __init__(self, source: ISource, max_age_s: float, clock: Clock) -> None:
        self._source = source
        self._max_age_s = max_age_s
        self._clock = clock

    def read(self) -> Deferred[Sample]:
        return self._source.read().addCallback(self._judge)

    def _judge(self, sample: Sample) -> Sample:
        age_s = self._clock.seconds() - sample.measured_at
        if age_s > self._max_age_s:
            raise MeterError(
                "stale",
                f"the last reading is {age_s:.0f} s old, and MAX_AGE is {self._max_age_s:g} s",
            )
        return sample
