"""The time of the site, which may pass faster than the clock (simulator.md section 6.3)."""

from __future__ import annotations

from astrameter.deferreds import Clock


class SiteTime:
    """Seconds since the simulation was made, times a factor.

    :ivar speed: seconds of the site in a second of the clock.
    """

    __slots__ = ("_began_at", "_clock", "speed")

    def __init__(self, clock: Clock, speed: float = 1.0) -> None:
        self.speed = speed
        self._clock = clock
        self._began_at = clock.seconds()

    def seconds(self) -> float:
        return (self._clock.seconds() - self._began_at) * self.speed
