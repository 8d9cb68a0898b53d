"""What there is to see of a simulation at one moment, and its JSON (simulator.md section 7)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAX_ENTRIES = 1000
"""More batteries or loads than this are no status document of ours."""


@dataclass(frozen=True, slots=True)
class GridStatus:
    """Grid power on A, B, C and together, W, + import, to 0.1 W."""

    a_w: float
    b_w: float
    c_w: float
    total_w: float


@dataclass(frozen=True, slots=True)
class LoadStatus:
    """An appliance of the household.

    :ivar phase: ``A``, ``B`` or ``C``.
    """

    name: str
    power_w: float
    phase: str
    active: bool


@dataclass(frozen=True, slots=True)
class SolarStatus:
    """The panels on the AC side.

    :ivar phases: those that share the power evenly.
    """

    current_w: float
    max_w: float
    phases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BatteryStatus:
    """One battery; the sign of all powers: + discharge.

    :ivar target_w: what its law wants now.
    :ivar applied_target_w: what has reached the inverter; differs while an update is delayed.
    :ivar delay_polls: polls until a new target reaches the inverter.
    :ivar soc: state of charge 0..1.
    :ivar max_charge_w, max_discharge_w: magnitudes.
    :ivar dc_input_w: solar power wired to the battery itself, at most ``max_dc_input_w``.
    :ivar law: ``field``, ``classic`` or ``unknown``; empty when the other side does not tell.
    :ivar participates: False: it told the steering program to leave it out.
    :ivar online: False: none of its datagrams arrives.
    :ivar meter_lost: it gave up regulating, because nobody answers.
    :ivar poll_age_s: since it was last answered; None before the first answer.
    """

    mac: str
    phase: str
    power_w: int
    target_w: int
    applied_target_w: int
    delay_polls: int
    soc: float
    max_charge_w: float
    max_discharge_w: float
    max_dc_input_w: float = 0
    dc_input_w: int = 0
    device_type: str = ""
    law: str = ""
    participates: bool = True
    online: bool = True
    meter_lost: bool = False
    poll_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything there is to see at one moment (simulator.md section 7, and some more).

    :ivar elapsed_s: seconds the site has lived, in its own time.
    :ivar speed: seconds of the site in a second of the clock.
    :ivar cost_ct: what the grid power has cost so far, eurocent; negative is an earning.
    :ivar import_wh, export_wh: energy bought and sold so far.
    :ivar ct_host, ct_port, ct_mac: where the batteries look for their CT; port 0: not told.
    :ivar pid: of the process that simulates; 0: not told.
    """

    grid: GridStatus
    loads: tuple[LoadStatus, ...]
    solar: SolarStatus
    auto_mode: bool
    batteries: tuple[BatteryStatus, ...]
    elapsed_s: float = 0.0
    speed: float = 1.0
    cost_ct: float = 0.0
    import_wh: float = 0.0
    export_wh: float = 0.0
    ct_host: str = ""
    ct_port: int = 0
    ct_mac: str = ""
    pid: int = 0

    def battery(self, mac: str) -> BatteryStatus | None:
        """The battery with that MAC in any case; None when there is none."""
        return next((one for one in self.batteries if one.mac == mac.upper()), None)

    def to_json(self) -> dict[str, Any]:
        """The document of ``GET /status``; what is not in simulator.md comes last."""
        grid, solar = self.grid, self.solar
        return {
            "grid": {
                "phase_a": grid.a_w,
                "phase_b": grid.b_w,
                "phase_c": grid.c_w,
                "total": grid.total_w,
            },
            "loads": [
                {"name": one.name, "power": one.power_w, "phase": one.phase, "active": one.active}
                for one in self.loads
            ],
            "solar": {
                "current": solar.current_w,
                "max": solar.max_w,
                "phases": list(solar.phases),
            },
            "auto_mode": self.auto_mode,
            "batteries": [_battery_json(one) for one in self.batteries],
            "elapsed_s": self.elapsed_s,
            "speed": self.speed,
            "cost_ct": self.cost_ct,
            "import_wh": self.import_wh,
            "export_wh": self.export_wh,
            "ct": {"host": self.ct_host, "port": self.ct_port, "mac": self.ct_mac},
            "pid": self.pid,
        }

    @classmethod
    def from_json(cls, document: object) -> Status:
        """The status that a document tells; what simulator.md does not have may be missing.

        :raises ValueError: when it is no status document, naming what is wrong with it.
        """
        top = _Reader(document, "status")
        grid, solar, ct = top.inside("grid"), top.inside("solar"), top.inside("ct", {})
        return cls(
            grid=GridStatus(*map(grid.number, ("phase_a", "phase_b", "phase_c", "total"))),
            loads=tuple(
                LoadStatus(
                    one.text("name"), one.number("power"), one.text("phase"), one.flag("active")
                )
                for one in top.each("loads")
            ),
            solar=SolarStatus(solar.number("current"), solar.number("max"), solar.texts("phases")),
            auto_mode=top.flag("auto_mode"),
            batteries=tuple(map(_battery_of, top.each("batteries"))),
            elapsed_s=top.number("elapsed_s", 0.0),
            speed=top.number("speed", 1.0),
            cost_ct=top.number("cost_ct", 0.0),
            import_wh=top.number("import_wh", 0.0),
            export_wh=top.number("export_wh", 0.0),
            ct_host=ct.text("host", ""),
            ct_port=int(ct.number("port", 0)),
            ct_mac=ct.text("mac", ""),
            pid=int(top.number("pid", 0)),
        )


def _battery_json(one: BatteryStatus) -> dict[str, Any]:
    return {
        "mac": one.mac,
        "phase": one.phase,
        "power": one.power_w,
        "target": one.target_w,
        "applied_target": one.applied_target_w,
        "power_update_delay_ticks": one.delay_polls,
        "soc": one.soc,
        "max_charge": one.max_charge_w,
        "max_discharge": one.max_discharge_w,
        "max_dc_input": one.max_dc_input_w,
        "dc_input": one.dc_input_w,
        "device_type": one.device_type,
        "law": one.law,
        "participates": one.participates,
        "online": one.online,
        "meter_lost": one.meter_lost,
        "poll_age_s": one.poll_age_s,
    }


def _battery_of(one: _Reader) -> BatteryStatus:
    age_s = one.number("poll_age_s", math.nan)
    target_w = int(one.number("target"))
    return BatteryStatus(
        mac=one.text("mac").upper(),
        phase=one.text("phase"),
        power_w=int(one.number("power")),
        target_w=target_w,
        applied_target_w=int(one.number("applied_target", target_w)),
        delay_polls=int(one.number("power_update_delay_ticks", 0)),
        soc=one.number("soc"),
        max_charge_w=one.number("max_charge"),
        max_discharge_w=one.number("max_discharge"),
        max_dc_input_w=one.number("max_dc_input", 0),
        dc_input_w=int(one.number("dc_input", 0)),
        device_type=one.text("device_type", ""),
        law=one.text("law", ""),
        participates=one.flag("participates", True),
        online=one.flag("online", True),
        meter_lost=one.flag("meter_lost", False),
        poll_age_s=None if math.isnan(age_s) else age_s,
    )


class _Reader:
    """Takes one JSON object apart; every complaint names the key."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where}: an object is wanted, got {type(value).__name__}")
        self._value = value
        self._where = where

    def _get(self, key: str, default: object) -> object:
        value = self._value.get(key)
        if value is None and default is None:
            raise ValueError(f"{self._where}: {key!r} is missing")
        return default if value is None else value

    def _wrong(self, key: str, wanted: str) -> ValueError:
        return ValueError(f"{self._where}: {key!r} is to be {wanted}")

    def number(self, key: str, default: float | None = None) -> float:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(key, "a number")
        if not math.isfinite(value) and value is not default:
            raise self._wrong(key, "a finite number")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, "text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._get(key, None)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(key, "a list of texts")
        return tuple(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def inside(self, key: str, default: object = None) -> _Reader:
        return _Reader(self._get(key, default), f"{self._where}.{key}")

    def each(self, key: str) -> list[_Reader]:
        value = self._get(key, None)
        if not isinstance(value, list) or len(value) > _MAX_ENTRIES:
            raise self._wrong(key, f"a list of at most {_MAX_ENTRIES}")
        return [_Reader(one, f"{self._where}.{key}[{i}]") for i, one in enumerate(value)]
