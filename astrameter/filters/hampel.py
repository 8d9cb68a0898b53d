"""Replace a single absurd reading by the median of the last ones (filters.md section 5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from astrameter.options import integer, number, option
from astrameter.reading import Sample

MAX_WINDOW = 100
"""A real change of the load passes after half the window; nobody can mean more than this."""

SIGMA_OF_MAD = 1.4826
"""Standard deviation of normal noise, over its median absolute deviation (filters.md 5)."""


@dataclass(frozen=True)
class HampelOptions:
    """Options of the Hampel filter; ``[GENERAL]`` sets them for all meters."""

    hampel_window: int = option(
        integer(None, MAX_WINDOW, clamp=True),
        default=0,
        inherited=True,
        help="Replace a reading that lies far outside of the last so many by their median. A real "
        "change of the load passes after half of them. 0 or less is off.",
        example="5",
    )
    hampel_n_sigma: float = option(
        number(),
        default=3.0,
        inherited=True,
        help="How far outside, in standard deviations of the last readings. Fewer reject more.",
    )
    hampel_min_threshold: float = option(
        number(),
        default=0.0,
        unit="W",
        inherited=True,
        help="Never reject what is closer than this to the median. With 0, whatever comes after a "
        "perfectly steady reading passes.",
        example="50",
    )


def check(options: HampelOptions) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, what is wrong)."""
    if options.hampel_window <= 0:
        return
    if options.hampel_n_sigma < 0:
        yield "HAMPEL_N_SIGMA", "must be 0 or more while HAMPEL_WINDOW is on; 3 is usual"
    if options.hampel_min_threshold < 0:
        yield "HAMPEL_MIN_THRESHOLD", "must be 0 or more while HAMPEL_WINDOW is on; 50 is usual"


class Hampel:
    """Rejects totals that the last ones do not make likely.

    The window holds what the meter really said. The predecessor put the median in the place of
    what it rejected, so that a real change of the load was rejected for ever (FH08, FH15, FH17).

    In the place of an outlier stands the reading whose total is the median, with all its phases:
    they have really been like that. (The predecessor scaled the outlier's phases, which gives the
    faulty phase nearly all of the power, FH05.)
    """

    def __init__(self, options: HampelOptions) -> None:
        self._n_sigma = options.hampel_n_sigma
        self._threshold_w = options.hampel_min_threshold
        self._window: deque[tuple[float, tuple[float, ...]]] = deque(maxlen=options.hampel_window)

    def step(self, sample: Sample) -> Sample:
        """Pass the sample, or its stand-in if it is an outlier; while the window fills, pass."""
        window = self._window
        total_w = sample.total
        window.append((total_w, sample.watts))
        if len(window) != window.maxlen:
            return sample
        ranked = sorted(window)
        low, high = ranked[(len(ranked) - 1) // 2], ranked[len(ranked) // 2]
        median_w = (low[0] + high[0]) / 2
        mad_w = _median([abs(total - median_w) for total, _ in ranked])
        threshold_w = max(self._n_sigma * (SIGMA_OF_MAD * mad_w), self._threshold_w)
        if threshold_w <= 0 or abs(total_w - median_w) <= threshold_w:
            return sample
        phases = len(sample.watts)
        if len(low[1]) == len(high[1]) == phases:
            watts = tuple((a + b) / 2 for a, b in zip(low[1], high[1], strict=True))
        else:
            watts = (median_w / phases,) * phases
        return Sample(watts, sample.measured_at)

    def reset(self) -> None:
        """Fill the window anew."""
        self._window.clear()


def _median(values: list[float]) -> float:
    values.sort()
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
