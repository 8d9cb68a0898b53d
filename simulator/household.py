"""What a house draws from the grid when its batteries do nothing (simulator.md section 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from astrameter.reading import PhaseWatts

PHASES = "ABC"

FLIP_CHANCE = 0.3
"""Chance of each load to be switched by one step of the automatic."""


@dataclass(slots=True)
class Load:
    """An appliance.

    :ivar phase: ``A``, ``B`` or ``C``.
    :raises ValueError: for another phase, or a power that is no number.
    """

    name: str
    power_w: float
    phase: str
    active: bool = False

    def __post_init__(self) -> None:
        if len(self.phase) != 1 or self.phase not in PHASES:
            raise ValueError(f"Load {self.name!r}: invalid phase {self.phase!r}; use A, B or C")
        if not math.isfinite(self.power_w):
            raise ValueError(f"Load {self.name!r}: power must be a number, got {self.power_w}")


class Household:
    """Base load with noise, appliances, and solar panels on the AC side.

    :ivar loads: in the order of their numbers; to switch them use the methods.
    :ivar base_noise_w: half-width of the noise.
    :ivar solar_max_w: most that the panels deliver.
    :ivar solar_phases: the phases that share it evenly.
    """

    def __init__(
        self,
        random: Random,
        *,
        base_load_w: Sequence[float] = (100.0, 100.0, 100.0),
        base_noise_w: float = 20.0,
        loads: Sequence[Load] = (),
        solar_max_w: float = 2000.0,
        solar_phases: str = "A",
    ) -> None:
        """:param random: for the noise only, one draw per loaded phase and call.

        :param base_load_w: of A, B, C; missing phases are 0; negative is a standing export.
        :raises ValueError: for phases that do not exist or numbers that are none.
        """
        for phase in solar_phases:
            if phase not in PHASES:
                raise ValueError(f"Invalid solar phase {phase!r}; use A, B or C")
        if not math.isfinite(base_noise_w + solar_max_w + sum(base_load_w)):
            raise ValueError("base load, base noise and solar maximum must be finite numbers")
        self.loads = tuple(loads)
        self.base_noise_w = base_noise_w
        self.solar_max_w = solar_max_w
        self.solar_phases = "".join(dict.fromkeys(solar_phases))
        self._random = random
        self._base_w = [*map(float, base_load_w[:3]), 0.0, 0.0, 0.0][:3]
        self._solar_w = 0.0
        self._load_w = [0.0, 0.0, 0.0]
        self._solar_share_w = [0.0, 0.0, 0.0]
        self._sum_up()

    @property
    def base_load_w(self) -> PhaseWatts:
        """Base load on A, B and C without noise."""
        return (self._base_w[0], self._base_w[1], self._base_w[2])

    @property
    def solar_w(self) -> float:
        """What the panels deliver now."""
        return self._solar_w

    def contribution(self) -> PhaseWatts:
        """Watts that the house takes on A, B and C at this moment; the noise is drawn anew.

        A phase without load and with no positive base has no noise, and takes no draw.
        """
        return (self._on(0), self._on(1), self._on(2))

    def _on(self, phase: int) -> float:
        base_w, load_w = self._base_w[phase], self._load_w[phase]
        if base_w > 0 or load_w > 0:
            noise_w = self.base_noise_w
            base_w += -noise_w + (noise_w + noise_w) * self._random.random()
        return base_w + load_w - self._solar_share_w[phase]

    def set_base_load(self, phase: str, power_w: float) -> None:
        """Change the base load of one phase.

        :raises ValueError: for a phase that does not exist or a power that is no number.
        """
        if phase not in PHASES or not math.isfinite(power_w):
            raise ValueError(f"no base load of {power_w} W on phase {phase!r}")
        self._base_w[PHASES.index(phase)] = power_w

    def switch(self, name: str, active: bool) -> None:
        """Switch all loads of that name; unknown names do nothing."""
        for load in self.loads:
            if load.name == name:
                load.active = active
        self._sum_up()

    def toggle_load(self, number: int) -> Load:
        """Switch the load with that number, counting from 1.

        :raises IndexError: when there is none.
        """
        if not 1 <= number <= len(self.loads):
            raise IndexError(f"Load index out of range: {number}")
        load = self.loads[number - 1]
        load.active = not load.active
        self._sum_up()
        return load

    def set_solar(self, power_w: float) -> None:
        """Set what the panels deliver; brought into 0..``solar_max_w``.

        :raises ValueError: when it is not a number.
        """
        if math.isnan(power_w):
            raise ValueError("solar power must be a number")
        self._solar_w = min(max(power_w, 0.0), self.solar_max_w)
        self._sum_up()

    def auto_step(self, random: Random) -> None:
        """One step of the automatic: perhaps switch each load, then draw the sun anew."""
        for load in self.loads:
            if random.random() < FLIP_CHANCE:
                load.active = not load.active
        self.set_solar(random.uniform(0.0, self.solar_max_w))

    def _sum_up(self) -> None:
        self._load_w = [
            sum(load.power_w for load in self.loads if load.active and load.phase == phase)
            for phase in PHASES
        ]
        share_w = self._solar_w / len(self.solar_phases) if self.solar_phases else 0.0
        self._solar_share_w = [share_w if phase in self.solar_phases else 0.0 for phase in PHASES]
