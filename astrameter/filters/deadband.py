"""A total close to zero is zero, so that batteries do not hunt around it (filters.md section 7)."""

from __future__ import annotations

from dataclasses import dataclass

from astrameter.options import number, option
from astrameter.reading import Sample


@dataclass(frozen=True)
class DeadbandOptions:
    """The option of the deadband filter; ``[GENERAL]`` sets it for all meters."""

    deadband: float = option(
        number(),
        default=0.0,
        unit="W",
        inherited=True,
        help="Show no power at all while the total is closer to zero than this, so that batteries "
        "do not hunt around it. 0 or less is off.",
        example="20",
    )


class Deadband:
    """Zeroes all phases of a sample whose total is strictly inside the band."""

    def __init__(self, options: DeadbandOptions) -> None:
        self._width_w = options.deadband

    def step(self, sample: Sample) -> Sample:
        """The sample itself, or zeros."""
        if abs(sample.total) >= self._width_w:
            return sample
        return Sample((0.0,) * len(sample.watts), sample.measured_at)

    def reset(self) -> None:
        """It remembers nothing."""
