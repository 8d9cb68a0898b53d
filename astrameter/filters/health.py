"""Remembers how the last read went; never alters it (filters.md section 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred
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

    :param changed: called when reads begin to fail, with the reason, and with None when they
        work again (and when the first one works).
    :param forget: makes the filters inside forget what they have seen.
    :ivar last: the last read's outcome; None before the first.
    :ivar good: what the last read brought that did not fail; None before the first.
    :ivar reads: how many there were.
    :ivar failures: how many of them failed.
    """

    def __init__(
        self,
        source: ISource,
        clock: IReactorTime,
        changed: Callable[[str | None], None] = lambda _error: None,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._changed = changed
        self._forget = forget
        self.last: Outcome | None = None
        self.good: Sample | None = None
        self.reads = 0
        self.failures = 0

    def read(self) -> Deferred[Sample]:
        return self._source.read().addCallbacks(self._succeeded, self._failed)

    def reset(self) -> None:
        """One battery hands over to another: from the next read on, no average carries what that
        stirs up (filters.md section 2). How the last read went is not forgotten.
        """
        self._forget()

    def _succeeded(self, sample: Sample) -> Sample:
        self.good = sample
        self._record(sample, None)
        return sample

    def _failed(self, failure: Failure) -> Failure:
        # Who asked has gone away or the daemon stops: that says nothing about the meter.
        if failure.check(CancelledError) is None:
            self._record(None, failure.getErrorMessage())
        return failure

    def _record(self, sample: Sample | None, error: str | None) -> None:
        self.reads += 1
        if error is not None:
            self.failures += 1
        last = self.last
        self.last = Outcome(self._clock.seconds(), sample, error)
        if last is None or (last.error is None) != (error is None):
            self._changed(error)
