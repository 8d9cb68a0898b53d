"""What a script says."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.configuration.model import Simulation
from simulator.control import Operation

GRID, SOC, POWER = "grid", "soc", "power"


@dataclass(frozen=True, slots=True)
class SwitchLoad:
    """Switch a load, by its name or its number from 1, on or off."""

    load: str
    active: bool


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is done at a time.

    :ivar at_s: seconds of the site since the beginning.
    """

    at_s: float
    operations: tuple[Operation | SwitchLoad, ...]


@dataclass(frozen=True, slots=True)
class Expectation:
    """Something that is to be so, for a while.

    :ivar at_s: from when on it is looked at.
    :ivar kind: ``grid``, ``soc`` or ``power``.
    :ivar of: ``total``, ``A``, ``B`` or ``C`` for the grid; else a battery's MAC.
    :ivar low, high: W, or a fraction for a state of charge.
    :ivar for_s: it has to hold so long without a break; 0 is one look.
    :ivar before_s: it has to begin to hold so soon after ``at_s``.
    :ivar average_s: what is looked at is the mean over so many seconds.
    """

    at_s: float
    kind: str
    of: str
    low: float = -math.inf
    high: float = math.inf
    for_s: float = 0.0
    before_s: float = 0.0
    average_s: float = 0.0

    @property
    def ends_s(self) -> float:
        """When it is decided at the latest."""
        return self.at_s + self.before_s + self.for_s

    def __str__(self) -> str:
        what = f"{self.kind} {self.of}" if self.of != "total" else self.kind
        text = f"{what} {self._range()}"
        if self.average_s:
            text += f", mean of {self.average_s:g} s"
        if self.for_s:
            text += f", for {self.for_s:g} s"
        if self.before_s:
            text += f", within {self.before_s:g} s"
        return text

    def _range(self) -> str:
        if self.low == -math.inf:
            return f"at most {self.shown(self.high)}"
        if self.high == math.inf:
            return f"at least {self.shown(self.low)}"
        return f"{self.shown(self.low)} to {self.shown(self.high)}"

    def shown(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:.1%}" if self.kind == SOC else f"{value:.0f} W"


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script.

    :ivar name: of the file.
    :ivar simulation: what it plays in; None when it does not say.
    :ivar duration_s: it ends then, or with its last step or expectation when that is later.
    """

    name: str
    title: str
    simulation: Simulation | None
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]
    duration_s: float = 0.0

    @property
    def ends_s(self) -> float:
        times = [self.duration_s, *(one.at_s for one in self.steps)]
        return max(times + [one.ends_s for one in self.expectations])
