"""Filters that turn each sample into another one at once, applied to a source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from zope.interface import implementer

from astrameter.meters.interface import ISource
from astrameter.reading import Sample


class Step(Protocol):
    """The core of a filter. It has no clock: what time it is, the sample says."""

    def step(self, sample: Sample) -> Sample:
        """Take in a new sample, which has at least one entry, and give it filtered.

        The number of entries and the time of measurement stay.
        """

    def reset(self) -> None:
        """Forget all samples that came before."""


@implementer(ISource)
class Applied:
    """A source whose samples have gone through ``steps``, one after the other.

    Several batteries may read within one period of the meter. They all get the same sample, and
    it is taken in only once: it is new when its time or a value differs from the last one's. (The
    time alone would not do: a sample of several streams is as old as the oldest of them.) A new
    sample with the values of the last one counts, because a constant reading is no stale one.

    An empty reading measures nothing, and passes by all steps; so does a failure of the source.
    """

    def __init__(self, source: ISource, steps: Sequence[Step]) -> None:
        self._source = source
        self._steps = tuple(steps)
        self._seen: Sample | None = None
        self._result = Sample((), 0.0)

    def read(self) -> Deferred[Sample]:
        return self._source.read().addCallback(self._apply)

    def reset(self) -> None:
        """Treat the next sample as if it were the first."""
        self._seen = None
        for step in self._steps:
            step.reset()

    def _apply(self, sample: Sample) -> Sample:
        seen = self._seen
        if sample is seen or sample == seen:
            return self._result
        if not sample.watts:
            return sample
        result = sample
        for step in self._steps:
            result = step.step(result)
        self._seen, self._result = sample, result
        return result
