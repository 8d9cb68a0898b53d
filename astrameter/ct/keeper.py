"""Keeps the energy counters, and what the steering has learned, over a restart.

Both change all the time and are worth no more than a look now and then: a counter must not run
backwards, and a battery need not be found out about again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application import service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.energy import EnergyCounter
from astrameter.steering.interface import Learner
from astrameter.store.service import Store

SAVE_EVERY_S = 180.0
"""A real meter's counters advance about as often (marstek-devices.md section 1.13)."""

_MOST_WS = 1e15  # some hundred thousand MWh

ENERGY = "energy/"
LEARNED = "learned/"


class Keeper(service.Service):
    """Restores at start, saves now and then and at the end.

    :param cts: the emulated CTs by type (``ct002``), as they are at the time of the call.
    """

    def __init__(
        self, clock: IReactorTime, store: Store, cts: Callable[[], Mapping[str, EmulatedCt]]
    ) -> None:
        self._clock = clock
        self._store = store
        self._cts = cts
        self._restored: dict[str, EmulatedCt] = {}
        self._known: Deferred[None] | None = None
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        service.Service.startService(self)
        # Saving before it is known what there was would replace it.
        self._known = self._store.when_known().addCallback(lambda _: self._begin())

    def stopService(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
            self.save()
        if self._known is not None:
            self._known.addErrback(lambda _cancelled: None).cancel()
        service.Service.stopService(self)

    def restore(self, ct_type: str, ct: EmulatedCt) -> None:
        """Give back what was kept, on top of what has been counted since; once for each CT."""
        if self._restored.get(ct_type) is ct:
            return
        self._restored[ct_type] = ct
        for section, kept in _counters(self._store.get(ENERGY + ct_type)).items():
            counter = ct.energies.setdefault(section, EnergyCounter())
            counter.imported_ws += kept.imported_ws
            counter.exported_ws += kept.exported_ws
        learned = self._store.get(LEARNED + ct_type)
        if learned is not None and isinstance(ct.controller, Learner):
            ct.controller.recall(learned, self._clock.seconds())

    def save(self) -> None:
        """Hand over what there is to the store."""
        for ct_type, ct in self._cts().items():
            self.restore(ct_type, ct)
            counted = {
                section: [counter.imported_ws, counter.exported_ws]
                for section, counter in ct.energies.items()
            }
            if counted:
                kept = self._store.get(ENERGY + ct_type) or {}
                self._store.put(ENERGY + ct_type, {**kept, **counted})
            if isinstance(ct.controller, Learner):
                self._store.put(LEARNED + ct_type, ct.controller.learned())

    def _begin(self) -> None:
        for ct_type, ct in self._cts().items():
            self.restore(ct_type, ct)
        self._call = self._clock.callLater(SAVE_EVERY_S, self._save_regularly)

    def _save_regularly(self) -> None:
        self._call = self._clock.callLater(SAVE_EVERY_S, self._save_regularly)
        self.save()


def _counters(saved: Mapping[str, Any] | None) -> dict[str, EnergyCounter]:
    """The counters of one device; what is no counter is left out."""
    found = {}
    for section, pair in (saved or {}).items():
        if isinstance(pair, list) and len(pair) == 2 and all(map(_is_energy, pair)):
            found[section] = EnergyCounter(float(pair[0]), float(pair[1]))
    return found


def _is_energy(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value < _MOST_WS
