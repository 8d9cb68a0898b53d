"""The house load behind the grid reading.

The meter shows ``load - batteries`` as of some time ago, while the batteries' reports are fresh.
Adding the two as of different times makes every step of a battery look like a step of the load.
So the batteries' output is remembered and added as of the time of the sample.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable

from astrameter.reading import Sample
from astrameter.steering.interface import Battery

METER_DELAY_S = 0.5
"""How old a reading is assumed to be when it arrives, seconds (steering.md section 1: transport
delays of 0.3..3 s; most meters refresh once a second)."""

FROZEN_AFTER_S = 1.5
"""A meter that says exactly the same for longer, while the batteries may have moved, is taken
for frozen: adding their new output to its old reading would wind them up (steering.md section
3.2, invariant 2). Not at once: when a quiet house says it for the first time, the batteries may
not have reported yet what made it so."""

HISTORY_S = 20.0
_MAX_REPORTS = 64


class PowerHistory:
    """What one battery reported lately."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MAX_REPORTS)
        self._powers: deque[int] = deque(maxlen=_MAX_REPORTS)

    def add(self, at: float, power_w: int) -> None:
        """Remember a report; reports must come in order of time."""
        self._times.append(at)
        self._powers.append(power_w)
        while self._times[0] < at - HISTORY_S:
            self._times.popleft()
            self._powers.popleft()

    def at(self, time: float) -> float:
        """Watts at ``time``, interpolated between reports; the nearest one outside of them."""
        times, powers = self._times, self._powers
        if time >= times[-1]:
            return powers[-1]
        if time <= times[0]:
            return powers[0]
        after = bisect_right(times, time)
        start, end = times[after - 1], times[after]
        share = (time - start) / (end - start)
        return powers[after - 1] + share * (powers[after] - powers[after - 1])


class LoadEstimate:
    """House load minus generation, watts, at the time of the newest sample."""

    def __init__(self) -> None:
        self._histories: dict[str, PowerHistory] = {}
        self._sample: Sample | None = None
        self._same_since = 0.0
        self._repeats = 0
        self._load_w = 0.0
        self._counted: set[str] = set()

    def report(self, consumer_id: str, power_w: int, at: float) -> None:
        """Note what a battery says it delivers."""
        history = self._histories.get(consumer_id)
        if history is None:
            history = self._histories[consumer_id] = PowerHistory()
        history.add(at, power_w)

    def forget(self, consumer_id: str) -> None:
        self._histories.pop(consumer_id, None)

    def update(self, sample: Sample, batteries: Iterable[Battery]) -> float:
        """The load behind ``sample``, with ``batteries`` at work.

        Each battery is counted once a sample: what it does later must not look like load.
        """
        if self._is_news(sample):
            self._sample = sample
            self._load_w = sample.total
            self._counted.clear()
        measured_at = (self._sample or sample).measured_at - METER_DELAY_S
        for one in batteries:
            if one.consumer_id not in self._counted:
                self._counted.add(one.consumer_id)
                history = self._histories.get(one.consumer_id)
                self._load_w += one.power_w if history is None else history.at(measured_at)
        return self._load_w

    def _is_news(self, sample: Sample) -> bool:
        last = self._sample
        if last is None or sample.watts != last.watts:
            self._same_since = sample.measured_at
            self._repeats = 0
            return True
        if sample.measured_at <= last.measured_at:
            return False
        self._repeats += 1
        return self._repeats == 1 or sample.measured_at <= self._same_since + FROZEN_AFTER_S
