"""What happens in a scenario: events made from a seed (evaluation.md section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.evaluation.plant import Plant

Action = Callable[["Plant"], None]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at a time.

    :ivar label: names the events that settling is measured from; empty for the others.
    :ivar disturbs: ends the window of the event before, although nothing is measured from it.
    """

    at_s: float
    label: str
    action: Action
    disturbs: bool = False


Script = Callable[[float, Random], Iterator[Event]]
"""The events of a run of so many seconds, with its random numbers."""


def switch(name: str, active: bool) -> Action:
    """Switch an appliance."""
    return lambda plant: plant.household.switch(name, active)


def _on_off(name: str, on_s: float, off_s: float) -> Iterator[Event]:
    yield Event(on_s, f"{name}_on", switch(name, True))
    yield Event(off_s, f"{name}_off", switch(name, False))


def household(duration_s: float, random: Random) -> Iterator[Event]:
    """Kettle, oven and dishwasher at about the same times of every run."""

    def near(at_s: float) -> float:
        return max(1.0, at_s + random.uniform(-20, 20))

    def used(name: str, on_s: float, off_s: float) -> Iterator[Event]:
        on_at = near(on_s)
        return _on_off(name, on_at, near(off_s))

    yield from used("kettle", 600, 780)
    yield from used("kettle", 0.7 * duration_s, 0.7 * duration_s + 180)
    at_s = 0.3 * duration_s
    while at_s + 240 < 0.6 * duration_s:
        yield from used("oven", at_s, at_s + 240)
        at_s += 420
    yield from used("dishwasher", 0.8 * duration_s, 0.8 * duration_s + 600)


def sun(peak_w: float) -> Script:
    """A clear day in the time of the run."""

    def script(duration_s: float, _random: Random) -> Iterator[Event]:
        for at_s in range(0, math.ceil(duration_s), 2):
            curve_w = peak_w * math.sin(math.pi * at_s / duration_s)
            yield Event(at_s, "", _sunlight(curve_w))

    return script


def _sunlight(curve_w: float) -> Action:
    return lambda plant: plant.set_sun(curve_w=curve_w)


def _cloud(factor: float) -> Action:
    return lambda plant: plant.set_sun(factor=factor)


def clouds(duration_s: float, random: Random) -> Iterator[Event]:
    """Two clouds of two minutes."""
    for share in (0.4, 0.55):
        at_s = duration_s * share + random.uniform(-60, 60)
        yield Event(at_s, "cloud_on", _cloud(0.2))
        yield Event(at_s + 120, "cloud_off", _cloud(1.0))


def dc_sun(peak_w: float, battery: int) -> Script:
    """Panels on the DC side of one battery."""

    def script(duration_s: float, _random: Random) -> Iterator[Event]:
        for at_s in range(0, math.ceil(duration_s), 2):
            power_w = peak_w * math.sin(math.pi * at_s / duration_s)
            yield Event(at_s, "", _dc_input(battery, power_w))

    return script


def _dc_input(battery: int, power_w: float) -> Action:
    return lambda plant: plant.batteries[battery].set_dc_input(power_w)


def washer(duration_s: float, random: Random) -> Iterator[Event]:
    """A drum that stops for 3 s every 16 s."""
    yield Event(0.15 * duration_s, "", switch("motor", True))
    at_s = 0.15 * duration_s + 13
    while at_s + 3 < 0.85 * duration_s:
        shift_s = random.uniform(-0.5, 0.5)
        yield Event(at_s + shift_s, "", switch("motor", False))
        yield Event(at_s + 3 + shift_s, "", switch("motor", True))
        at_s += 16
    yield Event(0.85 * duration_s, "", switch("motor", False))


def events(scripts: Sequence[Script], duration_s: float, seed: int) -> list[Event]:
    """All events of a run in order of time; ties stay in the order of the scripts.

    The random numbers are not those of the noise, so that more noise shifts no event.
    """
    random = Random(seed + 1)
    found = [event for script in scripts for event in script(duration_s, random)]
    return sorted(found, key=lambda event: event.at_s)
