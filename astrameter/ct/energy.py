"""Energy counters made of our readings (fields 25..28 of an answer)."""

from __future__ import annotations

from dataclasses import dataclass

from astrameter.reading import Sample

MAX_GAP_S = 30.0
"""A longer silence of the meter is not filled with energy that nobody measured."""

COUNTS_PER_WS = 10 / 3600
"""One count is 0.1 Wh (marstek-devices.md section 1.13)."""

_WRAP = 2**32  # the fields are unsigned 32-bit


@dataclass(slots=True)
class EnergyCounter:
    """Imported and exported energy, integrated over the samples seen.

    :ivar imported_ws: watt-seconds bought.
    :ivar exported_ws: watt-seconds sold.
    """

    imported_ws: float = 0.0
    exported_ws: float = 0.0
    _last: Sample | None = None

    def add(self, sample: Sample) -> None:
        """Integrate up to ``sample``: the previous power held until now."""
        last = self._last
        if last is sample:
            return
        if last is None:
            self._last = sample
            return
        gap_s = sample.measured_at - last.measured_at
        if -MAX_GAP_S <= gap_s < 0:
            return  # came late: its time has been counted already
        self._last = sample
        if not 0 < gap_s <= MAX_GAP_S:
            return
        total_w = last.total
        if total_w > 0:
            self.imported_ws += total_w * gap_s
        else:
            self.exported_ws -= total_w * gap_s

    def counts(self) -> tuple[int, int]:
        """Imported and exported energy as an answer carries it, in 0.1 Wh."""
        return (
            int(self.imported_ws * COUNTS_PER_WS) % _WRAP,
            int(self.exported_ws * COUNTS_PER_WS) % _WRAP,
        )
