"""Which moment a meter reading belongs to.

A reading is of unknown age, and the batteries move meanwhile. The right age is the one for which
the house load does not move when the batteries do (steering-research-observer.md section 4.1).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from astrameter.steering.history import HISTORY_S, PowerHistory

HELD, MOVING, AHEAD = range(3)
"""How outputs move: by a jump at the poll that reports it; on a ramp; by a jump as soon as they
are answered, which the next poll reports."""

AGES_S = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
AHEAD_AGES_S = (0.0, 0.25, 0.5, 1.0, 1.5)
"""Who jumps at once is as if it were reported late: greater ages are those of HELD."""

LIKELY_AGE_S = 0.75
_PRIOR = 8.0
_STYLE_PRIOR = (0.0, 4.0, 8.0)
_FORGET = 0.985
_TELLING_W = 15.0
_MOST_W = 400.0
_BETTER_BY = 15.0
_PLAUSIBLE_BY = 60.0
_NEAR_S = 0.5


class Aligned(NamedTuple):
    """The house load that a reading stands for.

    :ivar load_w: by the best guess of its age.
    :ivar rate_w: how much it would differ if the age were a little wrong.
    :ivar spread_w: how far apart all plausible ages are.
    """

    load_w: float
    rate_w: float
    spread_w: float


class Alignment:
    """Learns the age of the readings and the batteries' style of moving.

    :ivar age_s: best guess so far.
    :ivar moving: True when outputs move continuously, False when they jump at the polls.
    """

    def __init__(self) -> None:
        self._guesses = [
            *((age_s, style) for style in (HELD, MOVING) for age_s in AGES_S),
            *((age_s, AHEAD) for age_s in AHEAD_AGES_S),
        ]
        self._cost = [
            _PRIOR * abs(age_s - LIKELY_AGE_S) + _STYLE_PRIOR[style]
            for age_s, style in self._guesses
        ]
        self._prior = [_PRIOR * abs(age_s - LIKELY_AGE_S) for age_s, _ in self._guesses]
        self._before: list[float] | None = None
        self._best = self._guesses.index((LIKELY_AGE_S, HELD))

    @property
    def age_s(self) -> float:
        return self._guesses[self._best][0]

    @property
    def moving(self) -> bool:
        return self._guesses[self._best][1] == MOVING

    def shift(self, by_w: float) -> None:
        """A battery joined (or left, negative): its power was part of the house until now."""
        if self._before is not None:
            self._before = [load_w + by_w for load_w in self._before]

    def align(
        self, grid_w: float, measured_at: float, histories: Collection[PowerHistory]
    ) -> Aligned:
        """The house load behind a new reading."""
        since = measured_at - AGES_S[-1] - 2.0
        still = [h for h in histories if h.spread_w(max(since, measured_at - HISTORY_S)) < 1.0]
        lively = [h for h in histories if h not in still] if still else list(histories)
        base_w = grid_w + sum(h.held_at(measured_at) for h in still)
        if not lively:
            self._before = [base_w] * len(self._guesses)
            return Aligned(base_w, 0.0, 0.0)
        loads = []
        for age_s, style in self._guesses:
            when = measured_at - age_s
            total_w = base_w
            for history in lively:
                if style == HELD:
                    total_w += history.held_at(when)
                elif style == MOVING:
                    total_w += history.moving_at(when)
                else:
                    total_w += history.next_at(when)
            loads.append(total_w)
        self._learn(loads)
        self._before = loads
        return self._judged(loads)

    def _learn(self, loads: list[float]) -> None:
        before = self._before
        if before is None or max(loads) - min(loads) <= _TELLING_W:
            return
        cost = self._cost
        for i, load_w in enumerate(loads):
            cost[i] = _FORGET * cost[i] + min(abs(load_w - before[i]), _MOST_W)
        best = min(range(len(cost)), key=lambda i: cost[i] + self._prior[i])
        if cost[best] + self._prior[best] + _BETTER_BY < cost[self._best] + self._prior[self._best]:
            self._best = best

    def _judged(self, loads: list[float]) -> Aligned:
        age_s, best_style = self._guesses[self._best]
        near = [
            load_w
            for load_w, (guess_s, style) in zip(loads, self._guesses, strict=True)
            if style == best_style and abs(guess_s - age_s) <= _NEAR_S
        ]
        limit = self._cost[self._best] + _PLAUSIBLE_BY
        plausible = [w for w, cost in zip(loads, self._cost, strict=True) if cost <= limit]
        return Aligned(
            loads[self._best],
            max(near) - min(near),
            (max(plausible) - min(plausible)) / 2 if plausible else 0.0,
        )
