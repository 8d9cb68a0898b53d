"""What is counted while polls are answered: a few additions each, whether anybody looks or not."""

from __future__ import annotations

from bisect import bisect_left

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the classes that durations are counted in; the last class has none."""


class Durations:
    """How long something took, by class.

    :ivar counts: one for each of :data:`BOUNDS_S`, and one for what took longer.
    """

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class PollCounts:
    """The polls at one emulated meter.

    :ivar answered: how long batteries waited for their answers.
    :ivar dropped: polls without an answer, by reason; reasons are words of our own.
    """

    __slots__ = ("answered", "dropped")

    def __init__(self) -> None:
        self.answered = Durations()
        self.dropped: dict[str, int] = {}

    def drop(self, reason: str) -> None:
        """Count one that is not answered."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
