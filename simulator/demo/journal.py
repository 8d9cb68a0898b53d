"""What happens in the house, told in short lines."""

from __future__ import annotations

from collections.abc import Iterable

from astrameter.console.drawing.batteries import watts
from astrameter.console.drawing.log import Event, new_log
from simulator.dayprofile import Day
from simulator.household import Load

BIG_W = 1000.0
"""Smaller loads are mentioned when they start, and not again for ``QUIET_S``."""

SMALLEST_W = 50.0
QUIET_S = 30.0

CLEAR, CLOUDY, NIGHT = "clear", "cloudy", "night"
_CLOUD_COMES, _CLOUD_GOES = 0.7, 0.9
_NO_CLOUDS = Day((), ())


class Journal:
    """Watches the household, and takes down what others have to say.

    :ivar events: oldest first.
    :ivar sky: ``clear``, ``cloudy`` or ``night``.
    """

    def __init__(self) -> None:
        self.events = new_log()
        self.sky = CLEAR
        self._active: set[str] | None = None
        self._mentioned: dict[str, float] = {}

    def add(self, at_s: float, text: str, style: str = "") -> None:
        self.events.append(Event(at_s, text, style))

    def look(self, loads: Iterable[Load], day: Day, at_s: float, now: float) -> None:
        """Tell what is different from the last look.

        :param at_s: second of the day.
        :param now: of the clock.
        """
        self._look_at_the_sky(day, at_s)
        active = {load.name for load in loads if load.active}
        before, self._active = self._active, active
        if before is None:
            return
        for load in loads:
            if (load.name in active) != (load.name in before):
                self._switched(load, at_s, now)

    def _switched(self, load: Load, at_s: float, now: float) -> None:
        if load.power_w < BIG_W:
            quiet = now - self._mentioned.get(load.name, now - QUIET_S) < QUIET_S
            self._mentioned[load.name] = now
            if quiet or not load.active or load.power_w < SMALLEST_W:
                return
        if load.active:
            self.add(at_s, f"{load.name} on: {watts(load.power_w)} on {load.phase}", "load")
        else:
            self.add(at_s, f"{load.name} off", "dim")

    def _look_at_the_sky(self, day: Day, at_s: float) -> None:
        clear = _NO_CLOUDS.sun(at_s)
        before = self.sky
        through = day.sun(at_s) / clear if clear > 0 else 0.0
        if clear == 0:
            self.sky = NIGHT
        elif through < _CLOUD_COMES:
            self.sky = CLOUDY
        elif through > _CLOUD_GOES or before == NIGHT:
            self.sky = CLEAR
        if self.sky == before:
            return
        if self.sky == NIGHT:
            self.add(at_s, "the sun has set", "dim")
        elif self.sky == CLOUDY:
            self.add(at_s, "a cloud before the sun", "solar")
        else:
            self.add(at_s, "the sun rises" if before == NIGHT else "the sun is back", "solar")
