"""What the house pays for its energy, and what it would pay without batteries.

The prices are those of evaluation.md section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.batteries.battery import Battery
from simulator.site import EXPORT_CT_PER_KWH, IMPORT_CT_PER_KWH, Ledger


@dataclass(frozen=True, slots=True)
class MoneyLook:
    """Eurocents and watt-hours since the beginning.

    :ivar cost_ct: paid for the grid so far; negative is an earning.
    :ivar without_ct: the same if the house had no batteries.
    :ivar stored_wh: what the batteries hold more than at the beginning.
    :ivar stored_ct: what that will be worth when it replaces bought energy.
    :ivar saving_ct_per_h: how fast the saving grows at this moment.
    """

    cost_ct: float = 0.0
    without_ct: float = 0.0
    stored_wh: float = 0.0
    stored_ct: float = 0.0
    import_wh: float = 0.0
    export_wh: float = 0.0
    saving_ct_per_h: float = 0.0

    @property
    def saved_ct(self) -> float:
        """What the batteries have brought in, with what is still in them."""
        return self.without_ct - self.cost_ct + self.stored_ct


class Money:
    """The books of the house, and of the same house without batteries, in the house's time.

    Stored energy counts at the retail price less the loss on the way out, because that is what it
    replaces. Without it a battery that fills in the sun would seem to lose money.
    """

    def __init__(self, batteries: Sequence[Battery]) -> None:
        self._batteries = tuple(batteries)
        self._soc = [battery.soc for battery in batteries]
        self._with, self._without = Ledger(), Ledger()
        self._saving_ct_per_h = 0.0

    def note(self, grid_w: float, house_w: float, powers_w: Sequence[float], at_s: float) -> None:
        """From ``at_s`` on the house takes ``house_w`` and the grid gives ``grid_w`` of it.

        :param powers_w: of the batteries, + discharge.
        :param at_s: seconds of the house's time, which may pass faster than the clock.
        """
        self._with.note(grid_w, at_s)
        self._without.note(house_w, at_s)
        self._saving_ct_per_h = _ct_per_h(house_w) - _ct_per_h(grid_w)
        for battery, power_w in zip(self._batteries, powers_w, strict=True):
            out = battery.config.efficiency
            cells_w = power_w / out if power_w > 0 else power_w * out
            self._saving_ct_per_h -= cells_w * out * IMPORT_CT_PER_KWH / 1000

    def look(self) -> MoneyLook:
        """The books as they stand."""
        stored_wh = stored_ct = 0.0
        for battery, soc in zip(self._batteries, self._soc, strict=True):
            more_wh = (battery.soc - soc) * battery.config.capacity_wh
            stored_wh += more_wh
            stored_ct += more_wh * battery.config.efficiency * IMPORT_CT_PER_KWH / 1000
        return MoneyLook(
            cost_ct=self._with.cost_ct,
            without_ct=self._without.cost_ct,
            stored_wh=stored_wh,
            stored_ct=stored_ct,
            import_wh=self._with.import_wh,
            export_wh=self._with.export_wh,
            saving_ct_per_h=self._saving_ct_per_h,
        )


def _ct_per_h(power_w: float) -> float:
    return power_w * (IMPORT_CT_PER_KWH if power_w > 0 else EXPORT_CT_PER_KWH) / 1000
