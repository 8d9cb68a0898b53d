"""Keeps the energy counters over a restart: a counter must not run backwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.application import service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.energy import EnergyCounter
from astrameter.statefile import StateError, read_json, write_json

SAVE_EVERY_S = 180.0
"""A real meter's counters advance about as often (marstek-devices.md section 1.13)."""

FILE_NAME = "energy.json"


class EnergyKeeper(service.Service):
    """Loads the counters of all emulated CTs at start, saves them now and then and at the end.

    :param cts: the emulated CTs by device id, as they are at the time of the call.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        directory: Path,
        cts: Callable[[], Mapping[str, EmulatedCt]],
    ) -> None:
        self._clock = clock
        self._path = directory / FILE_NAME
        self._cts = cts
        self._saved: dict[str, Any] = {}
        self._failing = False
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        service.Service.startService(self)
        try:
            self._saved = read_json(self._path)
        except StateError as error:
            self._log.warn("energy counters start at 0: {error}", error=error)
        for device_id, ct in self._cts().items():
            ct.energies.update(_counters(self._saved.get(device_id)))
        self._call = self._clock.callLater(SAVE_EVERY_S, self._save_regularly)

    def stopService(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self.save()
        service.Service.stopService(self)

    def save(self) -> None:
        """Write the counters unless they are as they were."""
        present = {
            device_id: {
                section: [counter.imported_ws, counter.exported_ws]
                for section, counter in ct.energies.items()
            }
            for device_id, ct in self._cts().items()
            if ct.energies
        }
        content = {**self._saved, **present}
        if content == self._saved:
            return
        try:
            write_json(self._path, content)
        except StateError as error:
            if not self._failing:
                self._log.warn("energy counters will not survive a restart: {error}", error=error)
            self._failing = True
        else:
            self._saved = content
            self._failing = False

    def _save_regularly(self) -> None:
        self._call = self._clock.callLater(SAVE_EVERY_S, self._save_regularly)
        self.save()


def _counters(saved: object) -> dict[str, EnergyCounter]:
    """The counters in one device's part of the file; what is no counter is left out."""
    found = {}
    for section, pair in saved.items() if isinstance(saved, dict) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(map(_is_energy, pair)):
            found[section] = EnergyCounter(float(pair[0]), float(pair[1]))
    return found


def _is_energy(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0
