"""What a grid meter shows of the truth: seldom, late and rounded (evaluation.md section 2)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from astrameter.reading import PhaseWatts, Sample

HISTORY_EXTRA_S = 1.0


class GridMeter:
    """Serves a new reading every ``interval_s``, and that one is ``latency_s`` old.

    Two ways to use it, not to be mixed: :meth:`read` for a meter that is asked (it looks at the
    truth each time, and serves what it saw some time ago), :meth:`measure` for a meter that pushes
    by its own clock and delays the delivery itself.

    :ivar interval_s: between two different readings.
    :ivar latency_s: from measuring to showing.
    """

    def __init__(
        self,
        source: Callable[[float], PhaseWatts],
        interval_s: float = 1.0,
        latency_s: float = 0.0,
    ) -> None:
        """:param source: the true grid power at the present time, which it is given.

        :raises ValueError: for negative or endless times.
        """
        if not (0 <= interval_s < math.inf and 0 <= latency_s < math.inf):
            raise ValueError(
                f"a meter's interval and latency are 0 s or more, not {interval_s}, {latency_s}"
            )
        self.interval_s = interval_s
        self.latency_s = latency_s
        self._source = source
        self._keep_s = latency_s + interval_s + HISTORY_EXTRA_S
        self._history: deque[tuple[float, PhaseWatts]] = deque()
        self._shown: Sample | None = None
        self._shown_at = 0.0

    def measure(self, now: float) -> PhaseWatts:
        """The truth at ``now``, rounded to 0.1 W."""
        a, b, c = self._source(now)
        return (round(a, 1), round(b, 1), round(c, 1))

    def read(self, now: float) -> Sample:
        """What the meter shows at ``now``; the same object until the next refresh.

        The sample is dated at the refresh: a meter does not tell its own latency.
        """
        history = self._history
        history.append((now, self._source(now)))
        oldest = now - self._keep_s
        while history[0][0] < oldest:
            history.popleft()
        shown = self._shown
        if shown is None or now - self._shown_at >= self.interval_s:
            a, b, c = self._seen_at(now - self.latency_s)
            shown = self._shown = Sample((round(a, 1), round(b, 1), round(c, 1)), now)
            self._shown_at = now
        return shown

    def _seen_at(self, when: float) -> PhaseWatts:
        """The newest of the history that is not newer than ``when``; else the oldest."""
        for at, watts in reversed(self._history):
            if at <= when:
                return watts
        return self._history[0][1]
