"""The house of a scenario: load, sun, meter and batteries, moved poll by poll."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from astrameter.reading import PhaseWatts
from simulator.batteries.battery import Battery
from simulator.gridmeter import GridMeter
from simulator.household import Household


class Plant:
    """What the controller acts on.

    :ivar house_w: the household's part of the last grid power that was looked at, summed.
    :ivar grid_w: that grid power, by phase.
    """

    def __init__(
        self,
        household: Household,
        batteries: Sequence[Battery],
        meter_interval_s: float,
        meter_latency_s: float,
    ) -> None:
        self.household = household
        self.batteries = tuple(batteries)
        self.meter = GridMeter(self._grid_at, meter_interval_s, meter_latency_s)
        self.house_w = 0.0
        self.grid_w: PhaseWatts = (0.0, 0.0, 0.0)
        self._sun_w = 0.0
        self._factor = 1.0

    def set_sun(self, *, curve_w: float | None = None, factor: float | None = None) -> None:
        """Change the clear-sky power of the panels, or what clouds leave of it."""
        self._sun_w = self._sun_w if curve_w is None else curve_w
        self._factor = self._factor if factor is None else factor
        self.household.set_solar(self._sun_w * self._factor)

    @property
    def expected_w(self) -> float:
        """What the house takes now, without the noise."""
        house = self.household
        loads_w = sum(load.power_w for load in house.loads if load.active)
        return sum(house.base_load_w) + loads_w - house.solar_w

    def _grid_at(self, _now: float) -> PhaseWatts:
        """The true grid power (evaluation.md section 2, step 8a); the noise is drawn anew."""
        a, b, c = self.household.contribution()
        self.house_w = a + b + c
        for battery in self.batteries:
            phase = battery.wired_phase
            if phase == "A":
                a -= battery.power_w
            elif phase == "B":
                b -= battery.power_w
            else:
                c -= battery.power_w
        self.grid_w = (round(a, 1), round(b, 1), round(c, 1))
        return self.grid_w


def noise(seed: int) -> Random:
    """The random numbers of a run's noise."""
    return Random(seed)
