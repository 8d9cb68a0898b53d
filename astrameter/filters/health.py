"""Remembers how the last read went; never alters it (filters.md section 9)."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from astrameter.meters.interface import ISource
from astrameter.reading import Sample


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a read went.

    :ivar at: monotonic seconds at which it ended.
    :ivar sample: what it brought; None when it failed.
    :ivar error: why it failed; None when it did not.
    """

    at: float
    sample: Sample | None
    error: str | None


@implementer(ISource)
class Health:
    """The outermost filter: records, passes on.

    :ivar last: the last read's outcome; None before the first.
    """

    def __init__(self, source: ISource, clock: IReactorTime) -> None:
        self._source = source
        self._clock = clock
        self.last: Outcome | None = None

    def read(self) -> Deferred[Sample]:
        return self._source.read().addCallbacks(self._succeeded, self._failed)

    def _succeeded(self, sample: Sample) -> Sample:
        self.last = Outcome(self._clock.seconds(), sample, None)
        return sample

    def _failed(self, failure: Failure) -> Failure:
        self.last = Outcome(self._clock.seconds(), None, failure.getErrorMessage())
        return failure
