"""A believable day in a house: who switches what on when, and what the sun does.

Invented, not measured: three phases, a fridge that cycles, water that is boiled, an oven and a hob
with thermostats, a washing machine whose drum turns back and forth, clouds that pass. It is for
demonstrations and long runs; the scenarios of evaluation.md have their own generators.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from simulator.household import Household, Load

DAY_S = 86_400.0
MINUTE_S = 60.0
HOUR_S = 3600.0

SUNRISE_S = 6.0 * HOUR_S
SUNSET_S = 20.5 * HOUR_S

SUN_STEP_S = 5.0
"""How often the driver renews the solar power while the sun is up."""

SHORTEST_WAIT_S = 0.02
"""At high speed everything that falls into this much clock time happens at once."""

CLOUD_EDGE_S = 20.0
"""How long the edge of a cloud takes to pass."""


@dataclass(frozen=True, slots=True)
class Switching:
    """A load is switched.

    :ivar at_s: second of the day.
    """

    at_s: float
    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud before the sun.

    :ivar factor: the fraction of the sun that comes through it.
    :ivar edge_s: how long its edge takes to pass.
    """

    start_s: float
    end_s: float
    factor: float
    edge_s: float = CLOUD_EDGE_S


@dataclass(frozen=True, slots=True)
class Day:
    """The plan of one day.

    :ivar switchings: in the order of time.
    :ivar clouds: in the order of time; they do not overlap.
    """

    switchings: tuple[Switching, ...]
    clouds: tuple[Cloud, ...]

    def sun(self, at_s: float) -> float:
        """Solar power at a second of the day, as a fraction of the peak, 0..1."""
        if not SUNRISE_S < at_s < SUNSET_S:
            return 0.0
        height = math.sin(math.pi * (at_s - SUNRISE_S) / (SUNSET_S - SUNRISE_S))
        index = bisect_right(self.clouds, at_s, key=lambda cloud: cloud.start_s) - 1
        clear = math.pow(height, 1.2)
        return clear if index < 0 else clear * _through(self.clouds[index], at_s)


def house_loads() -> tuple[Load, ...]:
    """The appliances that :func:`plan_day` knows, all off."""
    return (
        Load("Router + NAS", 40, "A"),
        Load("Kettle", 2000, "A"),
        Load("Laptop", 65, "A"),
        Load("Freezer", 70, "A"),
        Load("LED lights", 60, "B"),
        Load("TV + entertainment", 120, "B"),
        Load("Oven", 2200, "B"),
        Load("Microwave", 1100, "B"),
        Load("Dishwasher", 1900, "B"),
        Load("Fridge", 90, "C"),
        Load("Hob", 1800, "C"),
        Load("Washer heater", 2000, "C"),
        Load("Washer drum", 300, "C"),
    )


def plan_day(random: Random, pace: float = 1.0) -> Day:
    """Draw one day; the same random numbers give the same day.

    :param pace: stretches what takes seconds: thermostats, the drum, the edges of clouds. In a day
        that passes so much faster than the clock they keep their rhythm on the clock, which
        is the one that a control sees in a real house.
    """
    switchings = [Switching(0.0, "Router + NAS", True)]
    switchings.extend(_cooling(random))
    switchings.extend(_evening(random))
    switchings.extend(_kitchen(random, pace))
    switchings.extend(_laundry(random, pace))
    switchings.extend(_dishes(random))
    within = [one for one in switchings if 0 <= one.at_s < DAY_S]
    return Day(tuple(sorted(within, key=lambda one: one.at_s)), tuple(_clouds(random, pace)))


class DayDriver(Service):
    """Lets a household live through one day after another while it runs.

    :ivar day: the plan of the present day.
    """

    def __init__(
        self,
        household: Household,
        clock: IReactorTime,
        random: Random,
        *,
        solar_peak_w: float = 2000.0,
        start_s: float = 0.0,
        speed: float = 1.0,
        pace: float = 1.0,
    ) -> None:
        """:param household: with the loads of :func:`house_loads`; others are left alone.

        :param solar_peak_w: of the panels at noon; the household's own maximum limits it.
        :param start_s: second of the day at which it starts.
        :param speed: seconds of the day that pass in a second of the clock.
        :param pace: for :func:`plan_day`.
        :raises ValueError: for a start outside the day or a speed that is not positive.
        """
        if not 0 <= start_s < DAY_S:
            raise ValueError(f"a day has seconds 0..{DAY_S:.0f}, not {start_s}")
        if not 0 < speed < math.inf:
            raise ValueError(f"the speed of a day is above 0, not {speed}")
        self._household = household
        self._clock = clock
        self._random = random
        self._solar_peak_w = solar_peak_w
        self._speed = speed
        self._pace = pace
        self._anchor_s = start_s
        self._anchored_at = 0.0
        self._done = 0
        self._next: IDelayedCall | None = None
        self.day = Day((), ())

    @property
    def second_of_day(self) -> float:
        """The time of day in the house, seconds since midnight; it stands while stopped."""
        if not self.running:
            return self._anchor_s
        passed_s = max(0.0, self._clock.seconds() - self._anchored_at)
        return self._anchor_s + passed_s * self._speed

    @property
    def speed(self) -> float:
        """Seconds of the day that pass in a second of the clock."""
        return self._speed

    @property
    def solar_peak_w(self) -> float:
        """What the panels deliver at noon without clouds."""
        return self._solar_peak_w

    def set_speed(self, speed: float) -> None:
        """Let the day pass faster or slower from now on; at 0 it stands still.

        :raises ValueError: when it is negative or endless.
        """
        if not 0 <= speed < math.inf:
            raise ValueError(f"the speed of a day is 0 or more, not {speed}")
        self._anchor_s = self.second_of_day
        self._anchored_at = self._clock.seconds()
        self._speed = speed
        if self.running:
            self._cancel()
            self._live()

    def set_solar_peak(self, power_w: float) -> None:
        """Change the panels; the household's own maximum limits them."""
        self._solar_peak_w = power_w
        if self.running:
            self._shine(self.second_of_day)

    def startService(self) -> None:
        Service.startService(self)
        self._anchored_at = self._clock.seconds()
        self._begin_day()
        self._live()

    def stopService(self) -> None:
        self._anchor_s = self.second_of_day % DAY_S
        Service.stopService(self)
        self._cancel()

    def _cancel(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _begin_day(self) -> None:
        self.day = plan_day(self._random, self._pace)
        self._done = 0
        for name in {one.name for one in self.day.switchings}:
            self._household.switch(name, False)

    def _live(self) -> None:
        days, now_s = divmod(self.second_of_day, DAY_S)
        if days:
            self._anchor_s -= days * DAY_S
            self._begin_day()
        switchings = self.day.switchings
        while self._done < len(switchings) and switchings[self._done].at_s <= now_s:
            one = switchings[self._done]
            self._household.switch(one.name, one.active)
            self._done += 1
        self._shine(now_s)
        self._next = None
        if self._speed > 0:
            wait_s = (self._next_at(now_s) - now_s) / self._speed
            self._next = self._clock.callLater(max(wait_s, SHORTEST_WAIT_S), self._live)

    def _shine(self, now_s: float) -> None:
        self._household.set_solar(self._solar_peak_w * self.day.sun(now_s))

    def _next_at(self, now_s: float) -> float:
        """The next second of the day at which something changes."""
        switchings = self.day.switchings
        next_s = switchings[self._done].at_s if self._done < len(switchings) else DAY_S
        if now_s < SUNRISE_S:
            return min(next_s, SUNRISE_S)
        return min(next_s, now_s + SUN_STEP_S) if now_s < SUNSET_S else next_s


# ---------------------------------------------------------------------------------- the parts


def _through(cloud: Cloud, at_s: float) -> float:
    """What comes through a cloud whose edges are soft."""
    inside_s = min(at_s - cloud.start_s, cloud.end_s - at_s)
    if inside_s <= 0:
        return 1.0
    return 1.0 - (1.0 - cloud.factor) * min(1.0, inside_s / cloud.edge_s)


def _clouds(random: Random, pace: float) -> Iterator[Cloud]:
    at_s = SUNRISE_S
    while at_s < SUNSET_S:
        at_s += random.uniform(8, 45) * MINUTE_S
        length_s = random.uniform(1, 12) * MINUTE_S
        yield Cloud(at_s, at_s + length_s, random.uniform(0.15, 0.7), CLOUD_EDGE_S * pace)
        at_s += length_s


def _on(name: str, at_s: float, length_s: float) -> tuple[Switching, Switching]:
    return Switching(at_s, name, True), Switching(at_s + length_s, name, False)


def _cycles(
    name: str, start_s: float, length_s: float, on_s: float, off_s: float, random: Random
) -> Iterator[Switching]:
    """A thermostat, or a drum: on and off, each time a quarter more or less."""
    at_s, end_s = start_s, start_s + length_s
    while at_s < end_s:
        active_s = min(on_s * random.uniform(0.75, 1.25), end_s - at_s)
        yield from _on(name, at_s, active_s)
        at_s += active_s + off_s * random.uniform(0.75, 1.25)


def _quick(on_s: float, off_s: float, pace: float) -> tuple[float, float]:
    return on_s * pace, off_s * pace


def _around(random: Random, hour: float, minutes: float = 15.0) -> float:
    """A second of the day near ``hour``."""
    return hour * HOUR_S + random.uniform(-minutes, minutes) * MINUTE_S


def _cooling(random: Random) -> Iterator[Switching]:
    for name, on_min, off_min in (("Fridge", 14, 28), ("Freezer", 18, 40)):
        first_s = random.uniform(0, off_min) * MINUTE_S
        on_s, off_s = on_min * MINUTE_S, off_min * MINUTE_S
        yield from _cycles(name, first_s, DAY_S - first_s, on_s, off_s, random)


def _evening(random: Random) -> Iterator[Switching]:
    yield from _on("LED lights", _around(random, 6.25), 1.6 * HOUR_S)
    yield from _on("LED lights", _around(random, 18.0, 20), 4.5 * HOUR_S)
    yield from _on("TV + entertainment", _around(random, 19.0), 3.5 * HOUR_S)
    yield from _on("Laptop", _around(random, 9.0), 3.3 * HOUR_S)
    yield from _on("Laptop", _around(random, 13.5), 3.2 * HOUR_S)


def _kitchen(random: Random, pace: float) -> Iterator[Switching]:
    for hour in (6.75, 9.9, 15.5, 20.3):
        if random.random() < 0.9:
            yield from _on("Kettle", _around(random, hour), random.uniform(100, 230))
    yield from _on("Microwave", _around(random, 12.7, 10), random.uniform(90, 280))
    if random.random() < 0.5:
        lunch_s = _around(random, 12.2, 10)
        yield from _cycles("Hob", lunch_s, 20 * MINUTE_S, *_quick(40, 25, pace), random)
    baking_s = _around(random, 17.9)
    yield from _on("Oven", baking_s, 9 * MINUTE_S)
    pulse_s = _quick(75, 75, pace)
    yield from _cycles("Oven", baking_s + 10 * MINUTE_S, 35 * MINUTE_S, *pulse_s, random)
    dinner_s = _around(random, 18.4, 10)
    yield from _cycles("Hob", dinner_s, 30 * MINUTE_S, *_quick(40, 25, pace), random)


def _laundry(random: Random, pace: float) -> Iterator[Switching]:
    start_s = _around(random, 10.5, 60)
    yield from _on("Washer heater", start_s + 3 * MINUTE_S, random.uniform(12, 17) * MINUTE_S)
    yield from _cycles("Washer drum", start_s, 62 * MINUTE_S, *_quick(12, 6, pace), random)
    yield from _on("Washer drum", start_s + 64 * MINUTE_S, 6 * MINUTE_S)


def _dishes(random: Random) -> Iterator[Switching]:
    start_s = _around(random, 20.6)
    yield from _on("Dishwasher", start_s, random.uniform(10, 13) * MINUTE_S)
    yield from _on("Dishwasher", start_s + 48 * MINUTE_S, random.uniform(12, 16) * MINUTE_S)
