"""A household that lives: appliances that are switched because people do things.

In place of recorded traces, which are not ours to ship. What a recording has and independent
switching has not is correlation: who gets up boils water, then takes a shower, then toasts; who
cooks has the hob, the oven, the extractor and the light on within minutes, and the dishwasher runs
afterwards. So people do *activities*, at random times (a Poisson process in which one seldom
begins before the last is over), and an activity switches its appliances one after the other.
Thermostats cycle, drums turn, fridges run all the time. Invented, not measured; for a real house
use ``--trace``.

Every seed is another hour of another house.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from simulator.evaluation.script import Action, Event, Script, switch
from simulator.household import Load

MEAN_BREAK_S = 420.0
"""From the end of one activity to the beginning of the next, on average."""

OVERLAP_CHANCE = 0.25
"""An activity begins while the one before is still going on: somebody else is at home."""

WORTH_A_MARK_W = 300.0
CALM_S = 45.0
"""Settling is measured after a switching of so many watts that is followed by so much calm."""

LOADS = (
    Load("fridge", 95, "A"),
    Load("freezer", 130, "A"),
    Load("light", 60, "A"),
    Load("screen", 180, "A"),
    Load("kettle", 2000, "A"),
    Load("toaster", 850, "A"),
    Load("coffee", 1250, "A"),
    Load("microwave", 1150, "A"),
    Load("hob", 1400, "A"),
    Load("oven", 1900, "A"),
    Load("extractor", 130, "A"),
    Load("hairdryer", 1600, "A"),
    Load("vacuum", 700, "A"),
    Load("iron", 1700, "A"),
    Load("heater", 1950, "A"),
    Load("drum", 150, "A"),
    Load("pump", 45, "A"),
)

POWER_W = {load.name: load.power_w for load in LOADS}

On = tuple[float, float, str]
"""From, to, which appliance."""

Activity = Callable[[Random, float], Iterator[On]]
"""What an activity that begins at a time switches."""


def _for(name: str, at_s: float, seconds: float) -> On:
    return (at_s, at_s + seconds, name)


def _thermostat(
    random: Random, name: str, at_s: float, end_s: float, on_s: float, off_s: float
) -> Iterator[On]:
    """Heats up, then cycles."""
    on_until_s = at_s + 2.5 * on_s
    while at_s < end_s:
        yield (at_s, min(on_until_s, end_s), name)
        at_s = on_until_s + off_s * random.uniform(0.8, 1.25)
        on_until_s = at_s + on_s * random.uniform(0.8, 1.25)


def breakfast(random: Random, at_s: float) -> Iterator[On]:
    """Light, water or coffee, then toast, and sometimes a hairdryer from another room."""
    yield _for("light", at_s, random.uniform(600, 1200))
    first = random.choice(("kettle", "coffee"))
    at_s += random.uniform(10, 40)
    yield _for(first, at_s, random.uniform(100, 200))
    if random.random() < 0.7:
        yield _for("toaster", at_s + random.uniform(20, 150), random.uniform(120, 170))
    if random.random() < 0.4:
        yield _for("hairdryer", at_s + random.uniform(60, 400), random.uniform(120, 400))


def snack(random: Random, at_s: float) -> Iterator[On]:
    """Microwave or kettle."""
    if random.random() < 0.5:
        yield _for("microwave", at_s, random.uniform(60, 240))
    else:
        yield _for("kettle", at_s, random.uniform(80, 180))


def cooking(random: Random, at_s: float) -> Iterator[On]:
    """Hob with extractor, often the oven, water from the kettle; later the dishwasher heats."""
    ends_s = at_s + random.uniform(700, 1500)
    yield _for("light", at_s, ends_s - at_s)
    yield _for("extractor", at_s + random.uniform(20, 60), ends_s - at_s)
    if random.random() < 0.6:
        yield _for("kettle", at_s + random.uniform(5, 60), random.uniform(90, 170))
    yield from _thermostat(random, "hob", at_s + random.uniform(10, 90), ends_s, 22, 16)
    if random.random() < 0.55:
        yield from _thermostat(random, "oven", at_s + random.uniform(0, 200), ends_s, 75, 70)
    if random.random() < 0.5:
        dishes_s = ends_s + random.uniform(120, 500)
        yield _for("pump", dishes_s, 900)
        yield _for("heater", dishes_s + random.uniform(40, 80), random.uniform(350, 600))


def washing(random: Random, at_s: float) -> Iterator[On]:
    """Heats, then turns the drum back and forth."""
    heat_s = random.uniform(400, 800)
    yield _for("heater", at_s + 90, heat_s)
    ends_s = at_s + heat_s + random.uniform(800, 1500)
    while at_s < ends_s:
        yield _for("drum", at_s, random.uniform(9, 13))
        at_s += random.uniform(14, 18)


def cleaning(random: Random, at_s: float) -> Iterator[On]:
    """The vacuum cleaner, in bits."""
    for _ in range(random.randint(2, 6)):
        lasts_s = random.uniform(30, 220)
        yield _for("vacuum", at_s, lasts_s)
        at_s += lasts_s + random.uniform(10, 90)


def ironing(random: Random, at_s: float) -> Iterator[On]:
    """With the screen on."""
    ends_s = at_s + random.uniform(600, 1500)
    yield _for("screen", at_s, ends_s - at_s)
    yield from _thermostat(random, "iron", at_s + random.uniform(20, 60), ends_s, 14, 34)


ACTIVITIES: tuple[tuple[Activity, float], ...] = (
    (breakfast, 2.0),
    (snack, 3.0),
    (cooking, 3.0),
    (washing, 1.0),
    (cleaning, 1.0),
    (ironing, 0.7),
)
"""What people do, and how often compared with each other."""


@dataclass(frozen=True, slots=True)
class _Change:
    at_s: float
    name: str
    active: bool


def living(duration_s: float, random: Random) -> Iterator[Event]:
    """A :data:`~simulator.evaluation.script.Script`: the household of one run."""
    changes = _changes(_united([*_running(duration_s, random), *_doing(duration_s, random)]))
    changes = [one for one in changes if one.at_s < duration_s]
    for one, after in zip(changes, [*changes[1:], None], strict=True):
        calm = (duration_s if after is None else after.at_s) - one.at_s >= CALM_S
        worth = POWER_W[one.name] >= WORTH_A_MARK_W
        label = f"{one.name}_{'on' if one.active else 'off'}" if calm and worth else ""
        yield Event(one.at_s, label, switch(one.name, one.active), not label)


def _running(duration_s: float, random: Random) -> Iterator[On]:
    """What runs by itself."""
    for name, on_s, off_s in (("fridge", 700, 1300), ("freezer", 500, 1700)):
        at_s = random.uniform(-on_s, off_s)
        while at_s < duration_s:
            lasts_s = on_s * random.uniform(0.8, 1.3)
            yield (max(1.0, at_s), max(1.0, at_s + lasts_s), name)
            at_s += lasts_s + off_s * random.uniform(0.8, 1.3)


def _doing(duration_s: float, random: Random) -> Iterator[On]:
    activities, weights = zip(*ACTIVITIES, strict=True)
    at_s = random.uniform(20, 120)
    while at_s < duration_s:
        (activity,) = random.choices(activities, weights)
        done = list(activity(random, at_s))
        yield from done
        ends_s = max(end_s for _, end_s, _ in done)
        if random.random() >= OVERLAP_CHANCE:
            at_s = ends_s
        at_s += random.expovariate(1 / MEAN_BREAK_S)


def _united(intervals: list[On]) -> list[On]:
    """An appliance that two activities want is on as long as one of them does."""
    found: list[On] = []
    for name in sorted({name for _, _, name in intervals}):
        until_s = since_s = -1.0
        for start_s, end_s, _ in sorted(one for one in intervals if one[2] == name):
            if start_s > until_s:
                if until_s > since_s >= 0:
                    found.append((since_s, until_s, name))
                since_s, until_s = start_s, end_s
            else:
                until_s = max(until_s, end_s)
        if until_s > since_s >= 0:
            found.append((since_s, until_s, name))
    return found


def _changes(intervals: list[On]) -> list[_Change]:
    found = [_Change(start_s, name, True) for start_s, _, name in intervals]
    found += [_Change(end_s, name, False) for _, end_s, name in intervals]
    return sorted(found, key=lambda one: (one.at_s, one.name, one.active))


def passing_clouds(peak_w: float) -> Script:
    """Panels under a sky with clouds that come in groups, each with its own density."""

    def script(duration_s: float, random: Random) -> Iterator[Event]:
        at_s, factor, cloudy = 0.0, 1.0, False
        changes: list[tuple[float, float]] = []
        while at_s < duration_s:
            at_s += random.expovariate(1 / (50.0 if cloudy else 160.0))
            cloudy = not cloudy
            changes.append((at_s, random.uniform(0.15, 0.7) if cloudy else 1.0))
        step_s, wanted = 2.0, 1.0
        for number in range(int(duration_s / step_s)):
            now_s = number * step_s
            while changes and changes[0][0] <= now_s:
                wanted = changes.pop(0)[1]
            # The edge of a cloud takes some 15 s to pass.
            factor += (wanted - factor) * 0.13
            share = now_s / duration_s
            curve_w = peak_w * 4 * share * (1 - share)
            yield Event(now_s, "", _sun(curve_w * factor))

    return script


def _sun(power_w: float) -> Action:
    return lambda plant: plant.set_sun(curve_w=power_w)


def loads() -> tuple[Load, ...]:
    """All appliances, off."""
    return tuple(replace(load) for load in LOADS)
