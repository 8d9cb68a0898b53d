"""Calibration of each phase: multiply, then add (filters.md section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from astrameter.meters.interface import ISource
from astrameter.options import numbers, option
from astrameter.reading import Sample, sample_of


@dataclass(frozen=True)
class TransformOptions:
    """Options of the transform filter, in each meter section."""

    power_multiplier: tuple[float, ...] = option(
        numbers(),
        default=(),
        help="Factor for each phase, for a CT ratio, a wrong sign (-1) or to null a phase (0); "
        "a shorter list is repeated. Empty means not set.",
        example="1",
    )
    power_offset: tuple[float, ...] = option(
        numbers(),
        default=(),
        unit="W",
        help="Added to each phase after the factor. A small negative value keeps the house "
        "that much on the import side.",
        example="-20",
    )


def transform(
    watts: Sequence[float], multipliers: Sequence[float], offsets: Sequence[float]
) -> tuple[float, ...]:
    """``y[i] = x[i] * m[i mod len(m)] + o[i mod len(o)]``; an empty list is neutral, watts.

    The predecessor read an empty list as 0, so that the house looked balanced for ever
    (filters.md section 3, FT07); here it means "not set".
    """
    factors = multipliers or (1.0,)
    addends = offsets or (0.0,)
    return tuple(
        value * factors[i % len(factors)] + addends[i % len(addends)]
        for i, value in enumerate(watts)
    )


@implementer(ISource)
class Transform:
    """A source whose every phase is calibrated."""

    _log = Logger()

    def __init__(self, source: ISource, options: TransformOptions, section: str) -> None:
        self._source = source
        self._multipliers = options.power_multiplier
        self._offsets = options.power_offset
        self._section = section
        self._warned = False

    def read(self) -> Deferred[Sample]:
        return self._source.read().addCallback(self._apply)

    def _apply(self, sample: Sample) -> Sample:
        self._warn_on_length(len(sample.watts))
        watts = transform(sample.watts, self._multipliers, self._offsets)
        return sample_of(watts, sample.measured_at)

    def _warn_on_length(self, phases: int) -> None:
        odd = any(len(x) > 1 and len(x) != phases for x in (self._multipliers, self._offsets))
        if odd and not self._warned:
            self._log.warn(
                "[{section}] POWER_MULTIPLIER or POWER_OFFSET does not have one entry for each "
                "of the {phases} phases that the meter delivers",
                section=self._section,
                phases=phases,
            )
        self._warned = odd
