"""What was measured in the last minutes, bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice


class History:
    """Numbers at a steady interval, the oldest forgotten.

    :ivar noted: how many were noted altogether.
    """

    def __init__(self, length: int) -> None:
        self.noted = 0
        self._values: deque[float] = deque(maxlen=length)

    def note(self, value: float) -> None:
        self._values.append(value)
        self.noted += 1

    def last(self, count: int, each: int = 1) -> list[float]:
        """The means of the newest ``count`` groups of ``each`` values, oldest first.

        Groups keep their members while time goes on, so a plot of them moves but does not flicker;
        the newest group may still be incomplete.
        """
        if each == 1:
            return list(islice(self._values, max(0, len(self._values) - count), None))
        partial = self.noted % each or each
        wanted = partial + (count - 1) * each
        values = list(islice(self._values, max(0, len(self._values) - wanted), None))
        end = len(values) - partial
        start = end % each if end > 0 else 0
        groups = [values[i : i + each] for i in range(start, max(end, 0), each)]
        return [_mean(group) for group in (*groups, values[max(end, 0) :]) if group]

    def extremes(self, count: int) -> tuple[float, float]:
        """Smallest and largest of the newest ``count``; 0 and 0 when there are none."""
        values = self.last(count)
        return (min(values), max(values)) if values else (0.0, 0.0)


def _mean(values: Iterable[float]) -> float:
    kept = list(values)
    return sum(kept) / len(kept)
