"""A course: a scenario whose meter, batteries and load each go by a clock of their own.

The harness of ``steering-scenarios.json``. Beside :mod:`.bench`, where everything happens at
polls, this one is closer to a house: the meter measures whether or not somebody asks, packets get
lost, meters fail, batteries fall silent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from astrameter.reading import NO_POWER, PhaseWatts
from simulator.batteries.config import BatteryConfig

Profile = Callable[[float], PhaseWatts]
"""Watts by phase at a second of the course."""

METER_FAIL, METER_FREEZE, METER_OK = "meter_fail", "meter_freeze", "meter_ok"
OFFLINE, SILENT, ONLINE = "offline", "silent", "online"
SET_SOC, DC_INPUT = "set_soc", "dc_input"
SETTINGS: Mapping[str, str] = {
    "manual_target": "manual_target",
    "auto": "auto_target",
    "active": "active",
    "weight": "distribution_weight",
    "eff_weight": "efficiency_window_weight",
}
"""Actions that are settings of the owner, and what the fleet calls them."""

ACTIONS = frozenset(
    {METER_FAIL, METER_FREEZE, METER_OK, OFFLINE, SILENT, ONLINE, SET_SOC, DC_INPUT, *SETTINGS}
)

_U32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens at a time.

    :ivar label: names the events that settling is measured from; empty for the others.
    :ivar add_w: what the load grows by from now on.
    :ivar action: one of ACTIONS; empty when only the load changes.
    :ivar battery: number of the battery that is acted on.
    """

    at_s: float
    label: str = ""
    add_w: PhaseWatts = NO_POWER
    action: str = ""
    battery: int = -1
    value: float | bool = 0.0

    def __post_init__(self) -> None:
        if self.action and self.action not in ACTIONS:
            raise ValueError(f"no action {self.action!r}: use one of {', '.join(sorted(ACTIONS))}")


@dataclass(frozen=True, slots=True)
class FreeMeter:
    """A meter that measures by its own clock.

    :ivar quantum_w: what a reading is rounded to.
    :ivar latency_s: from the measurement to when it can be used.
    """

    interval_s: float = 1.0
    latency_s: float = 0.5
    quantum_w: float = 0.1


@dataclass(frozen=True)
class Course:
    """One course.

    :ivar first_polls_s: of each battery; it then polls every ``poll_interval_s`` of its own.
    :ivar noise_w: half-width of the noise, a new value each second.
    :ivar options: controller options that differ from the defaults.
    :ivar steady_s: between these seconds the steady figures are taken.
    :ivar lost_share: of all datagrams, requests and answers, 0..1.
    """

    name: str
    batteries: tuple[BatteryConfig, ...]
    first_polls_s: tuple[float, ...]
    duration_s: float
    base_w: PhaseWatts
    noise_w: float = 5.0
    noise_seed: int = 1
    profiles: tuple[Profile, ...] = ()
    meter: FreeMeter = field(default_factory=FreeMeter)
    options: Mapping[str, Any] = field(default_factory=dict)
    happenings: tuple[Happening, ...] = ()
    steady_s: tuple[float, float] = (0.0, math.inf)
    lost_share: float = 0.0
    stresses: str = ""

    def with_batteries(self, change: Callable[[BatteryConfig], BatteryConfig]) -> Course:
        """The same course with every battery changed."""
        return replace(self, batteries=tuple(map(change, self.batteries)))

    def on_plant(self, plant: str) -> Course:
        """The same course with batteries of another law."""
        drops = plant == "field"
        return self.with_batteries(lambda one: replace(one, law=plant, duplicate_drop=drops))


class Load:
    """What the house of a course takes, without its batteries."""

    def __init__(self, course: Course, seed: int) -> None:
        # Seed 1 is the noise that the recorded results were made with.
        self._noise_seed = course.noise_seed + 1000 * (seed - 1)
        self._noise_w = course.noise_w
        self._noisy = tuple(phase == 0 or course.base_w[phase] != 0 for phase in range(3))
        self._profiles = course.profiles
        self._base_w = list(course.base_w)
        self._second = -1
        self._noise = NO_POWER

    def add(self, watts: PhaseWatts) -> None:
        """From now on it takes so much more."""
        for phase, power_w in enumerate(watts):
            self._base_w[phase] += power_w

    def at(self, at_s: float) -> PhaseWatts:
        """Watts by phase."""
        second = math.floor(at_s)
        if second != self._second:
            self._second = second
            self._noise = self._noise_at(second)
        a, b, c = (base + noise for base, noise in zip(self._base_w, self._noise, strict=True))
        for profile in self._profiles:
            more = profile(at_s)
            a, b, c = a + more[0], b + more[1], c + more[2]
        return (a, b, c)

    def expected_w(self, at_s: float) -> float:
        """The same without the noise, summed."""
        return sum(self._base_w) + sum(sum(profile(at_s)) for profile in self._profiles)

    def _noise_at(self, second: int) -> PhaseWatts:
        a, b, c = (
            self._noise_w * uniform(self._noise_seed, second, phase) if noisy else 0.0
            for phase, noisy in enumerate(self._noisy)
        )
        return (a, b, c)


def uniform(seed: int, second: int, phase: int) -> float:
    """The noise function of ``steering-scenarios.json``, -1..1."""
    x = (seed * 0x9E3779B1 + second * 0x85EBCA6B + phase * 0xC2B2AE35) & _U32
    x ^= x >> 16
    x = x * 0x7FEB352D & _U32
    x ^= x >> 15
    x = x * 0x846CA68B & _U32
    x ^= x >> 16
    return 2 * x / 2**32 - 1


def pulse_train(
    start_s: float, end_s: float, period_s: float, on_s: float, power_w: float, phase: int
) -> Profile:
    """A load that is on for the first ``on_s`` seconds of every period."""

    def profile(at_s: float) -> PhaseWatts:
        on = start_s <= at_s < end_s and (at_s - start_s) % period_s < on_s
        return _on(phase, power_w if on else 0.0)

    return profile


def half_sine_pv(
    start_s: float,
    end_s: float,
    peak_w: float,
    phase: int,
    dips: tuple[tuple[float, float, float], ...] = (),
) -> Profile:
    """Panels on a clear day; in each dip (from, to, factor) clouds leave a factor of it."""

    def profile(at_s: float) -> PhaseWatts:
        if not start_s <= at_s < end_s:
            return NO_POWER
        power_w = peak_w * math.sin(math.pi * (at_s - start_s) / (end_s - start_s))
        for from_s, to_s, factor in dips:
            if from_s <= at_s < to_s:
                power_w *= factor
        return _on(phase, -power_w)

    return profile


def sine(amplitude_w: float, period_s: float, phase: int) -> Profile:
    """A load that swells and falls."""
    return lambda at_s: _on(phase, amplitude_w * math.sin(2 * math.pi * at_s / period_s))


def _on(phase: int, power_w: float) -> PhaseWatts:
    return (
        power_w if phase == 0 else 0.0,
        power_w if phase == 1 else 0.0,
        power_w if phase == 2 else 0.0,
    )
