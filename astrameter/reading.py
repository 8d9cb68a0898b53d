"""The vocabulary that the whole house shares.

* *Grid power* is in watts per phase, in the order A, B, C (L1, L2, L3):
  positive is import from the grid, negative is export into it.
* *Battery power* is in watts on the AC side: positive is discharge, negative is charge.
* *State of charge* is a fraction 0..1.
* Times called ``*_at`` are seconds on the monotonic clock that was passed in
  (``IReactorTime.seconds``), never wall-clock time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PhaseWatts = tuple[float, float, float]
"""Watts on phases A, B and C."""

NO_POWER: PhaseWatts = (0.0, 0.0, 0.0)

MAX_READING_W = 1e9
"""No house draws a gigawatt; above it sums and products could leave the range of numbers."""


class MeterError(Exception):
    """A meter could not deliver a reading; the text says why, in the owner's words.

    ``kind`` is a short stable word for logs and tests (meters.md section 1.3): ``connect``,
    ``timeout``, ``http_status``, ``invalid_json``, ``missing_field``, ``not_numeric``,
    ``no_data``, ...
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of the grid meter.

    :ivar watts: what the meter said, one entry a phase; normally one or three entries, but
        0, 2 and more than 3 pass through the filters unchanged (filters.md section 1).
    :ivar measured_at: monotonic seconds at which it was measured (the source's own time
        where it has one, else the time of arrival).
    """

    watts: tuple[float, ...]
    measured_at: float

    @property
    def phases(self) -> PhaseWatts:
        """Padded with 0 or cut to three phases (ct-protocol.md section 13)."""
        watts = self.watts
        if len(watts) == 3:
            return (watts[0], watts[1], watts[2])
        padded = (*watts[:3], 0.0, 0.0, 0.0)
        return (padded[0], padded[1], padded[2])

    @property
    def total(self) -> float:
        """Sum over all entries, watts, added from left to right."""
        total = 0.0
        for value in self.watts:
            total += value
        return total


def sample_of(watts: Sequence[float], measured_at: float) -> Sample:
    """Make a sample of a source's numbers, refusing what no controller may see.

    :raises MeterError: when an entry is NaN, infinite (ct-protocol.md section 13.2) or beyond
        :data:`MAX_READING_W`.
    """
    for value in watts:
        if not -MAX_READING_W <= value <= MAX_READING_W:
            shown = repr(value) if isinstance(value, float) else "a huge number"
            raise MeterError("not_numeric", f"the meter delivered {shown}, which is not a power")
    return Sample(tuple(map(float, watts)), measured_at)
