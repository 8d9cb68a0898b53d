"""The owner's settings, over a restart (ct-protocol.md section 12).

In 2.x only retained MQTT messages did that. They still do: a command that the broker delivers
after the start is newer than what is stored, and becomes what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.settings import DEFAULTS, SettingError
from astrameter.store.service import Store

BATTERY = "battery/"
CONTROL = "control/"

KNOWN_WITHIN_S = 3.0
"""How long batteries wait for their first answer while Redis is asked for their settings."""

_DEFAULTS = asdict(DEFAULTS)


class Remembered:
    """Gives each emulated CT the settings that were stored, and stores those that change.

    A battery is known by the type of its CT and its own id: ``battery/ct002/aabbccddee01``.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, store: Store) -> None:
        self._clock = clock
        self._store = store
        self._types: dict[EmulatedCt, str] = {}
        self._recalling = False
        store.watch(BATTERY, self._battery_arrived)
        store.watch(CONTROL, self._control_arrived)

    def attach(self, ct_type: str, ct: EmulatedCt) -> None:
        """Restore now, and store what changes from now on; a second time changes nothing."""
        before = self._types.get(ct)
        if before == ct_type:
            return
        self._types[ct] = ct_type
        for key, settings in self._store.under(f"{BATTERY}{ct_type}/"):
            self._restore_battery(ct, key, settings)
        self._restore_control(ct, self._store.get(CONTROL + ct_type))
        if before is None:
            ct.setting_changed.append(partial(self._keep_battery, ct))
            ct.control_switched.append(partial(self._keep_control, ct))

    def detach(self, ct: EmulatedCt) -> None:
        """Care no more: it is not used any longer."""
        self._types.pop(ct, None)

    def hold_polls(self) -> None:
        """Where the settings are not known yet, let the batteries wait for a moment.

        An answer without them could set a battery going that its owner has paused.
        """
        known = self._store.when_known()
        if known.called:
            return
        for ct in self._types:
            ct.answering = False
        known.addTimeout(KNOWN_WITHIN_S, self._clock, lambda *_: None)
        known.addBoth(lambda _: self._release())

    def _release(self) -> None:
        for ct in self._types:
            ct.answering = True

    # ----------------------------------------------------------------------------- storing

    def _keep_battery(self, ct: EmulatedCt, consumer_id: str) -> None:
        ct_type = self._types.get(ct)
        if self._recalling or ct_type is None:
            return
        settings = asdict(ct.fleet.settings_of(consumer_id))
        changed = {name: value for name, value in settings.items() if value != _DEFAULTS[name]}
        self._store.put(f"{BATTERY}{ct_type}/{consumer_id}", changed)

    def _keep_control(self, ct: EmulatedCt) -> None:
        ct_type = self._types.get(ct)
        if not self._recalling and ct_type is not None:
            switched = {"active_control": ct.active_control, "configured": ct.configured_control}
            self._store.put(CONTROL + ct_type, switched)

    # ---------------------------------------------------------------------------- restoring

    def _battery_arrived(self, key: str) -> None:
        ct = self._of_type(key.removeprefix(BATTERY).partition("/")[0])
        if ct is not None:
            self._restore_battery(ct, key, self._store.get(key) or {})

    def _control_arrived(self, key: str) -> None:
        ct = self._of_type(key.removeprefix(CONTROL))
        if ct is not None:
            self._restore_control(ct, self._store.get(key))

    def _of_type(self, ct_type: str) -> EmulatedCt | None:
        return next((ct for ct, known in self._types.items() if known == ct_type), None)

    def _restore_battery(self, ct: EmulatedCt, key: str, settings: Mapping[str, Any]) -> None:
        consumer_id = key.removeprefix(BATTERY).partition("/")[2]
        self._recalling = True
        for name, value in {**_DEFAULTS, **settings}.items():
            try:
                ct.change_setting(consumer_id, name, value)
            except SettingError as error:
                self._log.warn("a part of {key} is ignored: {error}", key=key, error=error)
        self._recalling = False

    def _restore_control(self, ct: EmulatedCt, switched: Mapping[str, Any] | None) -> None:
        """Only while the configuration says what it said when the switch was used: its owner may
        have changed his mind there."""
        if switched is None or switched.get("configured") is not ct.configured_control:
            return
        active = switched.get("active_control")
        if isinstance(active, bool):
            self._recalling = True
            ct.active_control = active
            self._recalling = False
