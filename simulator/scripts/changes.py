"""``set``: what a step of a script changes."""

from __future__ import annotations

from simulator.configuration.checked import Object
from simulator.configuration.file import LARGEST_W
from simulator.control import (
    MAX,
    OFF,
    ChangeSoc,
    Operation,
    SetAuto,
    SetBaseLoad,
    SetDc,
    SetMaxPower,
    SetMeterLatency,
    SetOnline,
    SetPacketLoss,
    SetPhase,
    SetSoc,
    SetSolar,
)
from simulator.household import PHASES
from simulator.scripts.model import SwitchLoad
from simulator.scripts.names import Names, time_of


class Changes:
    """Reads the objects under ``set``."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def operations(self, one: Object) -> list[Operation | SwitchLoad]:
        found: list[Operation | SwitchLoad] = []
        loads = one.inside("load")
        for key in loads:
            active = loads.flag(key, False)
            found.append(SwitchLoad(self._names.load(loads, key), active))
        if "solar" in one:
            found.append(self._solar(one))
        if "auto" in one:
            found.append(SetAuto(one.flag("auto", False)))
        if "packet_loss" in one:
            found.append(SetPacketLoss(one.number("packet_loss", 0.0, 0.0, 1.0)))
        if "meter_latency" in one:
            found.append(SetMeterLatency(time_of(one, "meter_latency")))
        base = one.inside("base_load")
        for phase in base:
            watts = base.number(phase, 0.0, -LARGEST_W, LARGEST_W)
            if phase not in tuple(PHASES):
                base.wrong(phase, "a phase is A, B or C")
            found.append(SetBaseLoad(phase, watts))
        found.extend(self._of_batteries(one))
        one.unknown()
        return found

    def _solar(self, one: Object) -> Operation:
        value = one.raw("solar")
        if value in (MAX, OFF):
            return SetSolar(value)
        if value is False:  # YAML reads a bare off so
            return SetSolar(OFF)
        return SetSolar(
            one.number("solar", 0.0, 0.0, LARGEST_W, f'watts are wanted, "{MAX}" or "{OFF}"')
        )

    def _of_batteries(self, one: Object) -> list[Operation]:
        found: list[Operation] = []
        for mac, key, of in self._batteries(one, "soc"):
            found.append(SetSoc(mac, of.number(key, 0.0, 0.0, 1.0)))
        for mac, key, of in self._batteries(one, "change_soc"):
            found.append(ChangeSoc(mac, of.number(key, 0.0, -1.0, 1.0)))
        for mac, key, of in self._batteries(one, "phase"):
            phase = of.text(key, "A")
            if phase not in ("A", "B", "C", "D"):
                of.wrong(key, "a phase is A, B or C, or D for combined")
            found.append(SetPhase(mac, phase))
        for mac, key, of in self._batteries(one, "offline"):
            found.append(SetOnline(mac, not of.flag(key, False)))
        for mac, key, of in self._batteries(one, "dc"):
            found.append(SetDc(mac, of.number(key, 0.0, 0.0, LARGEST_W)))
        for mac, key, of in self._batteries(one, "max_power"):
            limit_w = of.number(key, 0.0, 0.0, 32767.0)
            found.append(SetMaxPower(mac, limit_w, limit_w))
        return found

    def _batteries(self, one: Object, name: str) -> list[tuple[str, str, Object]]:
        """Each battery an object speaks of: its MAC, the key, the object."""
        of = one.inside(name)
        found: list[tuple[str, str, Object]] = []
        for key in of:
            of.raw(key)
            found.append((self._names.mac(of, key), key, of))
        return found
