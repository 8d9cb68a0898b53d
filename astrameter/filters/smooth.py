"""Smooth the total: exponential average with a slew limit (filters.md section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from astrameter.options import Kind, number, option
from astrameter.reading import Sample

MIN_ALPHA = 0.01
CATCH_UP = 4.0
"""By how much the average follows faster while the total has the other sign (filters.md 6)."""

MAX_CATCH_UP_ALPHA = 0.5
"""Catching up never makes a reading count for more than this (filters.md 6)."""


def _alpha() -> Kind[float]:
    any_number = number()

    def clamp(value: float) -> float:
        return min(max(value, MIN_ALPHA), 1.0) if value > 0 else value

    wanted = f"number {MIN_ALPHA:g}..1, or 0 for off"
    return Kind(any_number.parse, wanted, any_number.render, clamp=clamp)


@dataclass(frozen=True)
class SmoothOptions:
    """Options of the smoothing filter; ``[GENERAL]`` sets them for all meters."""

    smooth_target_alpha: float = option(
        _alpha(),
        default=0.0,
        inherited=True,
        help="Smooth the reading: how much of it a new one counts for, the rest being what came "
        "before. Smaller is smoother and slower. 0 or less is off.",
        example="0.3",
    )
    max_smooth_step: float = option(
        number(),
        default=0.0,
        unit="W",
        inherited=True,
        help="With SMOOTH_TARGET_ALPHA: the most that the smoothed total changes from one reading "
        "to the next. 0 or less is no limit.",
        example="300",
    )


def shifted(watts: Sequence[float], by_w: float) -> tuple[float, ...]:
    """``watts`` with a total that is ``by_w`` more, each phase by a share as large as its power.

    Phases of one sign keep their ratio, as in the predecessor. With both signs, it multiplied
    all of them by the ratio of the totals, which is without bounds near a total of zero (FE08);
    here no phase ever changes by more than ``by_w``. Phases without power do not get any, except
    where none has: then all get the same.
    """
    weight = sum(map(abs, watts))
    if weight <= 0:
        return tuple(value + by_w / len(watts) for value in watts)
    return tuple(value + by_w * (abs(value) / weight) for value in watts)


class Smooth:
    """Replaces the total by its exponential average over the samples.

    Every sample counts, also one with the values of the last (the predecessor stood still then,
    FE02), and one whose total is zero is smoothed like any other (it passed as it was, FE07).
    """

    def __init__(self, options: SmoothOptions) -> None:
        """:param options: with an alpha above 0."""
        self._alpha = options.smooth_target_alpha
        self._max_step_w = options.max_smooth_step
        self._smoothed_w: float | None = None

    def step(self, sample: Sample) -> Sample:
        """The sample with the smoothed total; the first one passes as it is."""
        total_w = sample.total
        smoothed_w = self._smoothed_w
        smoothed_w = (
            total_w if smoothed_w is None else smoothed_w + self._step_w(total_w, smoothed_w)
        )
        self._smoothed_w = smoothed_w
        return Sample(shifted(sample.watts, smoothed_w - total_w), sample.measured_at)

    def _step_w(self, total_w: float, smoothed_w: float) -> float:
        alpha = self._alpha
        if (total_w > 0) != (smoothed_w > 0):
            # Where import has become export, or the reverse, the battery works in the wrong
            # direction for as long as the average keeps the old sign.
            alpha = max(alpha, min(MAX_CATCH_UP_ALPHA, CATCH_UP * alpha))
        step_w = alpha * (total_w - smoothed_w)
        limit_w = self._max_step_w
        return min(max(step_w, -limit_w), limit_w) if limit_w > 0 else step_w

    def reset(self) -> None:
        """Start again with the next sample."""
        self._smoothed_w = None
