"""A law that nobody has described, learned from what a battery does."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

_MEMORY = 6
_LEAST_GAIN = 0.2
_MOST_GAIN = 1.5
_LEAST_STEP_W = 20.0
_FIRST_W = 150.0
_STRETCH = 2.0
_TELLING_W = 30.0
"""Of smaller readings too much is rounding."""

_FAMILIAR = 0.7
_CLIPPED = 0.85
"""A step this much smaller than the gain promises was cut off by a limit."""


@dataclass(slots=True)
class Way:
    """What readings of one sign do.

    :ivar gain: watts of set point for a watt of reading.
    :ivar most_w: the largest step at one reading.
    """

    gain: float = 1.0
    most_w: float = math.inf
    _seen: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_MEMORY))

    @property
    def known_w(self) -> float:
        """The largest reading that it was seen to act on."""
        return max((reading_w for reading_w, _ in self._seen), default=0.0)

    def step_w(self, reading_w: float) -> float:
        """The step after a reading; both are magnitudes."""
        return min(self.gain * reading_w, self.most_w)

    def reading_w(self, step_w: float) -> float:
        """The reading for a step; both are magnitudes.

        Far below all that was seen, a gain below 1 may be that of steps that were cut off.
        """
        reading_w = step_w / self.gain
        least_w = min((reading_w for reading_w, _ in self._seen), default=0.0)
        return min(reading_w, step_w) if reading_w < _FAMILIAR * least_w else reading_w

    def _is_cut(self, reading_w: float, step_w: float) -> bool:
        """The largest step, after a reading that would make a larger one."""
        near = abs(step_w - self.most_w) <= (1 - _CLIPPED) * self.most_w
        return self.most_w < math.inf and near and self.gain * reading_w > self.most_w

    def learn(self, reading_w: float, step_w: float) -> None:
        """``reading_w`` made the set point step by ``step_w``, on the average of some readings."""
        if reading_w <= self.known_w and self._is_cut(reading_w, step_w):
            # That was to be expected, and says nothing of the gain.
            return
        self._seen.append((reading_w, step_w))
        ratios = [step / reading for reading, step in self._seen]
        gain = max(ratios)
        self.gain = min(max(gain, _LEAST_GAIN), _MOST_GAIN)
        cut = [step for reading, step in self._seen if step < _CLIPPED * gain * reading]
        self.most_w = max(_LEAST_STEP_W, *cut) if cut else math.inf


@dataclass(slots=True)
class LearnedLaw:
    """An integrator with a gain and a limit of its steps for each direction.

    :ivar stretched: it was sent a larger reading than any that it was seen to act on.
    """

    setpoint_w: float = 0.0
    up: Way = field(default_factory=Way)
    down: Way = field(default_factory=Way)
    stretched: bool = False

    @property
    def horizon(self) -> int:
        return 2

    @property
    def binding_s(self) -> float:
        return 0.0

    @property
    def least_w(self) -> float:
        return 0.0

    def step(self, reading_w: int, power_w: float, now: float) -> None:
        if reading_w == 0:
            return
        way = self.up if reading_w > 0 else self.down
        size_w = abs(reading_w)
        self.setpoint_w += math.copysign(way.step_w(size_w), reading_w)
        self.stretched = self.stretched or size_w > way.known_w

    def settle(self, power_w: float) -> None:
        self.setpoint_w = power_w

    def candidates(self, wanted_w: float, power_w: float) -> tuple[int, ...]:
        return (0, self._reading(wanted_w))

    def approach(self, target_w: float, power_w: float) -> int:
        return self._reading(target_w - self.setpoint_w)

    def copy(self) -> LearnedLaw:
        return LearnedLaw(self.setpoint_w, self.up, self.down, self.stretched)

    def learn(self, reading_w: float, moved_w: float) -> None:
        """The battery rested, was sent one reading (or several of that mean), and rests again
        after a step of ``moved_w`` for each."""
        self.stretched = False
        if reading_w * moved_w > 0 and abs(reading_w) >= _TELLING_W:
            (self.up if reading_w > 0 else self.down).learn(abs(reading_w), abs(moved_w))

    def _reading(self, wanted_w: float) -> int:
        way = self.up if wanted_w > 0 else self.down
        # No more than it was seen to act on, nor than its largest step takes.
        most_w = max(_FIRST_W, min(_STRETCH * way.known_w, way.most_w / way.gain))
        return round(math.copysign(min(way.reading_w(abs(wanted_w)), most_w), wanted_w))
