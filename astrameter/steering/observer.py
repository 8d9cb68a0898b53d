"""The house load behind the grid reading, with its noise and its jumps.

The load is what the batteries are to cover, and it does not depend on what they do: steering to
it instead of to the grid error, a late or repeated reading cannot wind anything up
(steering-research-observer.md section 4).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from astrameter.reading import Sample
from astrameter.steering.alignment import Aligned, Alignment
from astrameter.steering.history import PowerHistory

_QUIET_W = 22.0
_JUMP_W = 45.0
_MOTION_W = 40.0
_SLOPE_LIMIT_W = 6.0
_SLOPE_FOR_S = 30.0
_FLICKER_MEMORY_S = 120.0
_FLICKER_S = 4.5
"""What lasts longer is worth following."""

_FROZEN_W = 10.0
_SAME_FOR_S = 3.0
"""In a quiet house a meter may say the same for so long because the batteries have not all
reported yet what made it so."""


@dataclass(slots=True)
class _Flicker:
    """A load that came and went, or a meter that said so."""

    at: float
    size_w: float
    lasted_s: float


class LoadObserver:
    """Estimates house load less generation.

    :ivar load_w: the estimate now; None before the first reading.
    :ivar noise_w: scale of the readings' noise, standard deviation.
    :ivar samples: readings that the estimate effectively averages.
    """

    def __init__(self) -> None:
        self.load_w: float | None = None
        self.noise_w = 6.0
        self.samples = 0.0
        self.alignment = Alignment()
        self._slope_w_per_s = 0.0
        self._jitter_s = 1.0
        self._drift_w = 0.0
        self._last: Sample | None = None
        self._output_w = 0.0
        self._changed_at = -math.inf
        self._last_load_w: float | None = None
        self._advanced_at = 0.0
        self._pending: list[tuple[float, float]] = []
        self._jumps: deque[tuple[float, float]] = deque(maxlen=4)
        self._flickers: deque[_Flicker] = deque(maxlen=8)

    @property
    def dead_zone_w(self) -> float:
        """Errors below this are noise."""
        return max(5.0, 1.6 * self.noise_w / math.sqrt(max(1.0, self.samples)))

    def shift(self, by_w: float) -> None:
        """A battery joined (or left): its output was part of the house until now."""
        if self.load_w is not None:
            self.load_w += by_w
        if self._last_load_w is not None:
            self._last_load_w += by_w
        self._pending = [(at, load_w + by_w) for at, load_w in self._pending]
        self.alignment.shift(by_w)

    def advance(self, now: float) -> None:
        """Let the slope of the load act, unless the meter has been silent for long."""
        gap_s = min(now - self._advanced_at, 5.0)
        self._advanced_at = now
        last = self._last
        if self.load_w is None or last is None or gap_s <= 0:
            return
        if now - last.measured_at < _SLOPE_FOR_S:
            self.load_w += self._slope_w_per_s * gap_s

    def observe(self, sample: Sample, histories: Collection[PowerHistory]) -> None:
        """Take in a reading; one that was seen before carries no information."""
        last = self._last
        if not math.isfinite(sample.total):
            return
        if last is not None and not self._is_news(sample, last, histories):
            return
        self._last = sample
        aligned = self.alignment.align(sample.total, sample.measured_at, histories)
        gap_s = 1.0 if last is None else max(0.1, sample.measured_at - last.measured_at)
        if self.load_w is None:
            self.load_w = aligned.load_w
            self.samples = 1.0
        else:
            self._filter(aligned, self.load_w, sample.measured_at, gap_s)
        self._last_load_w = aligned.load_w

    def _is_news(self, sample: Sample, last: Sample, histories: Collection[PowerHistory]) -> bool:
        """A meter that repeats itself while the batteries move is frozen: adding their new
        output to its old reading would wind them up (steering.md section 3.2, invariant 2)."""
        if sample.measured_at == last.measured_at:
            return False
        output_w = sum(h.latest_w for h in histories)
        if sample.watts != last.watts:
            self._changed_at = sample.measured_at
        if 0 <= sample.measured_at - self._changed_at < _SAME_FOR_S:
            self._output_w = output_w
            return True
        return abs(output_w - self._output_w) <= _FROZEN_W

    def _filter(self, aligned: Aligned, load_w: float, now: float, gap_s: float) -> None:
        doubt_w = self._doubt_w(aligned, load_w)
        error_w = aligned.load_w - load_w
        tolerance_w = max(_QUIET_W, 3.4 * self.noise_w) + doubt_w
        if doubt_w < 8:
            self._learn_noise(aligned.load_w)
        if abs(error_w) <= tolerance_w:
            self._average(error_w, load_w, doubt_w, tolerance_w, now, gap_s)
        else:
            self._consider_jump(error_w, aligned.load_w, doubt_w, tolerance_w, now)

    def _doubt_w(self, aligned: Aligned, load_w: float) -> float:
        """How uncertain the reading is because batteries are moving; 0 when they rest."""
        if aligned.rate_w > _MOTION_W:
            late_s = abs(aligned.load_w - load_w) / aligned.rate_w
            if late_s < 1.6:
                self._jitter_s = max(0.3, min(1.5, 1.25 * late_s), 0.99 * self._jitter_s)
        return min(2000.0, max(aligned.rate_w * self._jitter_s, aligned.spread_w))

    def _average(
        self,
        error_w: float,
        load_w: float,
        doubt_w: float,
        tolerance_w: float,
        now: float,
        gap_s: float,
    ) -> None:
        self._clear_pending(now, load_w, tolerance_w)
        most = min(max((self.noise_w / 4) ** 2, 8.0), 60.0)
        self.samples = min(self.samples + 1, most)
        if doubt_w > _MOTION_W and abs(error_w) > tolerance_w - doubt_w:
            return
        self._drift_w = 0.75 * self._drift_w + 0.25 * error_w
        gain = 1 / self.samples
        if abs(self._drift_w) > max(6.0, 1.1 * self.noise_w):
            gain = max(gain, 0.35)
        self.load_w = load_w + gain * error_w
        if doubt_w < 6:
            change = 0.5 * error_w / (self.samples**2 * gap_s)
            slope = self._slope_w_per_s + min(max(change, -3.0), 3.0)
            self._slope_w_per_s = min(max(slope, -_SLOPE_LIMIT_W), _SLOPE_LIMIT_W)
        elif doubt_w > 10:
            self.samples = min(self.samples, 2.0)

    def _clear_pending(self, now: float, load_w: float, tolerance_w: float) -> None:
        if self._pending:
            began, level_w = self._pending[0]
            size_w = abs(level_w - load_w)
            if size_w > tolerance_w + 15 and now - began < _FLICKER_S:
                self._flickers.append(_Flicker(now, size_w, now - began))
            self._pending.clear()

    def _consider_jump(
        self, error_w: float, level_w: float, doubt_w: float, tolerance_w: float, now: float
    ) -> None:
        pending = self._pending
        if pending and (pending[-1][1] - (self.load_w or 0.0)) * error_w < 0:
            pending.clear()
        if pending and now < pending[-1][0]:
            pending.clear()
        pending.append((now, level_w))
        del pending[1:-2]
        sure_w = tolerance_w + _JUMP_W + (doubt_w if doubt_w > 60 else 0.0)
        if now - pending[0][0] < self._hold_off_s(abs(error_w), now):
            return
        if abs(error_w) > sure_w:
            self._jump(level_w, now)
        elif len(pending) >= 2:
            self._jump((pending[-2][1] + pending[-1][1]) / 2, now)

    def _hold_off_s(self, size_w: float, now: float) -> float:
        """How long to wait for a load of this size to vanish again, as it has done lately."""
        like = [
            f
            for f in self._flickers
            if now - f.at < _FLICKER_MEMORY_S and f.size_w >= (size_w - 10) / 1.5
        ]
        if len(like) < 2:
            return 0.0
        return 1.3 * max(f.lasted_s for f in like) + 0.8

    def _jump(self, level_w: float, now: float) -> None:
        by_w = level_w - (self.load_w or 0.0)
        for at, earlier_w in self._jumps:
            back = by_w * earlier_w < 0 and abs(by_w + earlier_w) < 0.4 * abs(earlier_w) + 20
            if back and now - at < _FLICKER_S:
                self._flickers.append(_Flicker(now, abs(earlier_w), now - at))
        self._jumps.append((now, by_w))
        self.load_w = level_w
        self.samples = 1.0
        self._drift_w = 0.0
        self._slope_w_per_s *= 0.7
        self._pending.clear()

    def _learn_noise(self, load_w: float) -> None:
        if self._last_load_w is not None:
            step_w = min(abs(load_w - self._last_load_w), 4 * self.noise_w + 20)
            self.noise_w = max(1.0, self.noise_w + 0.07 * (0.87 * step_w - self.noise_w))
