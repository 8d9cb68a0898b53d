"""The least time in which a plant can follow a load, whoever controls it.

A battery moves when it polls, skips jumps, is deaf after a step, starts late, and ramps. So no
controller, however good, is faster than this: all batteries told to go as far as they can, from
the moment of the event on. Found by trying readings on copies of the very batteries; the readings
tried are those that the laws reward, and a better one may exist, so it is an estimate.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import chain, count

from astrameter.ct import answer as answers
from astrameter.ct.request import parse_request
from astrameter.ct.wire import decode, encode
from simulator.batteries.battery import Battery
from simulator.batteries.config import BY_POLL

NEAR_W = 25.0
"""What counts as following, as in the metrics."""

LONGEST_S = 120.0
LOOK_S = 0.25
"""Between polls, the output of a battery that moves continuously is looked at so often."""

_SPIKE_FREE_W = 49
_LARGE_W = 450

Path = list[tuple[float, float]]
"""How far the output has moved in the wanted direction, by seconds since the event."""


def bound_s(
    batteries: Sequence[Battery],
    due_s: Sequence[float],
    intervals_s: Sequence[float],
    house_w: float,
    now: float,
) -> float | None:
    """Seconds until the batteries together can be within NEAR_W of the house; None when they
    cannot within LONGEST_S.

    :param due_s: until the next poll of each.
    :param house_w: what they should deliver together.
    """
    wanted_w = house_w - sum(battery.power_w_at(now) for battery in batteries)
    if abs(wanted_w) < NEAR_W:
        return 0.0
    reaches = [
        _reach(battery, due, interval, wanted_w, now)
        for battery, due, interval in zip(batteries, due_s, intervals_s, strict=True)
    ]
    moved = [0.0] * len(reaches)
    steps = sorted((at_s, i, way_w) for i, path in enumerate(reaches) for at_s, way_w in path)
    for at_s, index, way_w in steps:
        moved[index] = way_w
        if sum(moved) > abs(wanted_w) - NEAR_W:
            return at_s
    return None


def _reach(battery: Battery, due_s: float, interval_s: float, wanted_w: float, now: float) -> Path:
    """The furthest that any way of asking takes one battery, by time."""
    size = abs(wanted_w)
    found: Path = []
    for readings in _ways(round(size)):
        found += _path(battery, due_s, interval_s, readings, wanted_w, now)
    best_w, hull = 0.0, []
    for at_s, way_w in sorted(found):
        if way_w > best_w:
            best_w = way_w
            hull.append((at_s, way_w))
    return hull


def _ways(size_w: int) -> Iterator[Iterator[int]]:
    """Sequences of readings, as magnitudes: what is missing, what makes a ramp accelerate, and
    what is taken for no spike."""
    yield chain((_SPIKE_FREE_W,), count(size_w, 0))
    # A law may crawl when a reading repeats itself: these fall by 1 W from poll to poll.
    yield count(size_w, -1)
    yield count(_LARGE_W, -1)
    yield count(_SPIKE_FREE_W, -1)


def _path(
    battery: Battery,
    due_s: float,
    interval_s: float,
    readings: Iterator[int],
    wanted_w: float,
    now: float,
) -> Path:
    one = copy.deepcopy(battery)
    sign = 1 if wanted_w > 0 else -1
    started_w = one.power_w_at(now)
    continuous = one.config.stepping != BY_POLL
    path: Path = []
    looked_s, at_s = 0.0, due_s
    index = 1
    while at_s <= LONGEST_S:
        while continuous and looked_s < at_s:
            path.append((looked_s, sign * (one.power_w_at(now + looked_s) - started_w)))
            looked_s += LOOK_S
        if continuous:
            one.advance_to(now + at_s)
        request = parse_request(decode(one.poll(now + at_s)))
        assert request is not None, "a battery asks in whole frames"
        way_w = sign * (one.power_w - started_w)
        path.append((at_s, way_w))
        if way_w > abs(wanted_w) - NEAR_W:
            break
        # The index of an answer must not be that of the last one, or it may be dropped.
        index = index % 255 + 1
        fields = answers.steered(
            request, answers.Identity("", "", -50), sign * next(readings), index, (0, 0)
        )
        one.answer(encode(fields), now + at_s)
        at_s += interval_s
    return path
