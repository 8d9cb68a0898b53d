"""A house with its batteries behind one grid connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from astrameter.reading import NO_POWER, PhaseWatts
from simulator.household import PHASES, Household

IMPORT_CT_PER_KWH = 30.0
"""Retail price, eurocent (evaluation.md section 5)."""

EXPORT_CT_PER_KWH = 8.0
"""Feed-in tariff, eurocent."""


class Source(Protocol):
    """Something that delivers power on one phase, for example a battery.

    :ivar wired_phase: ``A``, ``B`` or ``C``.
    """

    @property
    def wired_phase(self) -> str: ...

    def power_w_at(self, now: float) -> float:
        """Its output, + delivering; looking must not change anything."""


@dataclass(slots=True)
class Ledger:
    """Energy through the grid connection, summed over the phases as a billing meter does.

    Each power counts until the next one is noted.

    :ivar import_wh: bought.
    :ivar export_wh: sold.
    """

    import_wh: float = 0.0
    export_wh: float = 0.0
    import_ct_per_kwh: float = IMPORT_CT_PER_KWH
    export_ct_per_kwh: float = EXPORT_CT_PER_KWH
    _power_w: float = 0.0
    _noted_at: float | None = None

    @property
    def cost_ct(self) -> float:
        """What it costs altogether, eurocent; negative is an earning."""
        bought = self.import_ct_per_kwh * self.import_wh
        return (bought - self.export_ct_per_kwh * self.export_wh) / 1000

    def note(self, power_w: float, now: float) -> None:
        """From ``now`` on the grid power is ``power_w``."""
        if self._noted_at is not None:
            energy_wh = self._power_w * (now - self._noted_at) / 3600
            if energy_wh > 0:
                self.import_wh += energy_wh
            else:
                self.export_wh -= energy_wh
        self._power_w = power_w
        self._noted_at = now


class Site:
    """Household and batteries together, and the books of what went through the connection.

    Time comes from whoever asks, so it is the same in real and in virtual time.

    :ivar ledger: bought and sold energy since the first look at the grid.
    :ivar grid_w: the last true grid power on A, B, C that :meth:`grid_at` has found.
    :ivar house_w: the household's part of it.
    """

    def __init__(
        self, household: Household, sources: Sequence[Source], ledger: Ledger | None = None
    ) -> None:
        self.household = household
        self.sources = tuple(sources)
        self.ledger = ledger if ledger is not None else Ledger()
        self.grid_w = NO_POWER
        self.house_w = NO_POWER
        self._power_on: list[list[Callable[[float], float]]] = [
            [source.power_w_at for source in self.sources if source.wired_phase == phase]
            for phase in PHASES
        ]

    def grid_at(self, now: float) -> PhaseWatts:
        """The true grid power on A, B, C, + import, to 0.1 W (simulator.md section 5).

        It is entered into the ledger, and the household's noise is drawn: for a display look at
        :attr:`grid_w`, which disturbs nothing.
        """
        house_w = self.household.contribution()
        delivered = self._power_on
        grid_w = self.grid_w = (
            round(house_w[0] - _sum(delivered[0], now), 1),
            round(house_w[1] - _sum(delivered[1], now), 1),
            round(house_w[2] - _sum(delivered[2], now), 1),
        )
        self.house_w = house_w
        self.ledger.note(grid_w[0] + grid_w[1] + grid_w[2], now)
        return grid_w


def _sum(delivered: list[Callable[[float], float]], now: float) -> float:
    total_w = 0.0
    for power_w_at in delivered:
        total_w += power_w_at(now)
    return total_w
