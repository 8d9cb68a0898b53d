"""Samples for the tests of filters: given, and any that a meter may deliver."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from astrameter.filters.applied import Step
from astrameter.reading import MAX_READING_W, Sample

WATTS = st.floats(-MAX_READING_W, MAX_READING_W)
READINGS = st.lists(WATTS, min_size=1, max_size=4)
TIMES = st.floats(0, 1e9)
SAMPLES = st.builds(lambda watts, at: Sample(tuple(watts), at), READINGS, TIMES)
"""In no order: a clock of a meter may jump."""


def totals(step: Step, *values: float, every_s: float = 1.0) -> list[float]:
    """What a filter makes of one-phase readings at regular intervals."""
    return [found[0] for found in phases(step, *((value,) for value in values), every_s=every_s)]


def phases(step: Step, *readings: Sequence[float], every_s: float = 1.0) -> list[list[float]]:
    """What a filter makes of readings at regular intervals."""
    return [
        list(step.step(Sample(tuple(map(float, watts)), index * every_s)).watts)
        for index, watts in enumerate(readings)
    ]
