"""One battery of the file (simulator.md section 4.2, and keys of our own)."""

from __future__ import annotations

from typing import Any

from simulator.batteries.config import LAWS, BatteryConfig
from simulator.batteries.families import family_of
from simulator.batteries.variants import B2500Settings, UnknownLaw
from simulator.configuration.checked import Object, is_number
from simulator.configuration.model import BatterySetup

POLL_INTERVAL_S = 1.0
POLL_JITTER_S = 0.5
"""Half-width of what is added to each interval (simulator.md section 6.3)."""

FIRMWARE = "firmware"
"""For ``poll_interval``: as the firmware does it, which depends on being answered."""

LIKE_WHAT = "HMG-50"
"""What a battery of an unknown type behaves like (simulator.md section 4.2)."""

_NUMBERS = {
    "max_charge_power": "max_charge_w",
    "max_discharge_power": "max_discharge_w",
    "capacity_wh": "capacity_wh",
    "initial_soc": "initial_soc",
    "ramp_rate": "ramp_w_per_s",
    "max_dc_input": "max_dc_input_w",
    "min_soc": "min_soc",
    "efficiency": "efficiency",
    "min_power_threshold": "min_power_w",
    "startup_delay": "startup_delay_s",
    "poll_jitter": "poll_jitter_s",
}
_INTEGERS = {
    "power_update_delay_ticks": "power_update_delay_polls",
    "firmware": "firmware",
    "recharge_mode": "recharge_mode",
    "baseline": "baseline_w",
    "ctrl_ratio": "ctrl_ratio",
    "report_index": "report_index",
    "rest_power": "rest_w",
    "inspection_count": "inspection_polls",
}
_TEXTS = {
    "phase": "phase",
    "meter_dev_type": "device_type",
    "behaves_as": "behaves_as",
    "law": "law",
    "reads": "reads",
    "stepping": "stepping",
    "wired_to": "wired_to",
    "ct_type": "ct_type",
}
_FLAGS = {"participates": "participates", "duplicate_drop": "duplicate_drop"}
_WIDEST = 1 << 31
_NAMELESS = "000000000000"
_VARIANTS: dict[str, tuple[type, dict[str, str]]] = {
    "b2500": (
        B2500Settings,
        {
            "single_output": "single_output",
            "small_inverter": "small_inverter",
            "standby_passes": "standby_passes",
            "channel_wraps": "channel_wraps",
        },
    ),
    "unknown_law": (
        UnknownLaw,
        {"gain": "gain", "deadband": "deadband_w", "up": "up_w", "down": "down_w"},
    ),
}


def read_battery(one: Object, defaults: dict[str, Any]) -> BatterySetup | None:
    """The battery that an object describes; None when it cannot be made.

    :param defaults: what the file says for all batteries.
    """
    reader = _Reader(one)
    reader.read()
    loss = one.number("packet_loss", -1.0, 0.0, 1.0)
    one.unknown()
    config = reader.made(defaults)
    return None if config is None else BatterySetup(config, None if loss < 0 else loss)


class _Reader:
    """Checks each value by itself first, so that every wrong one is told at its own place."""

    def __init__(self, one: Object) -> None:
        self._one = one
        self._before = len(one.findings.problems)
        self._mac = ""
        self._given: dict[str, Any] = {}

    def read(self) -> None:
        one = self._one
        self._read_mac()
        if "phase" not in one:
            one.missing("phase", "the phase it is plugged in on: A, B or C, or D for combined")
        for key, name in _TEXTS.items():
            self._take(key, name, one.text(key, ""))
        for key, name in _NUMBERS.items():
            self._take(key, name, one.number(key, 0.0))
        for key, name in _INTEGERS.items():
            self._take(key, name, one.integer(key, 0, -_WIDEST, _WIDEST))
        for key, name in _FLAGS.items():
            self._take(key, name, one.flag(key, True))
        for key in _VARIANTS:
            self._read_variant(key)
        self._read_interval()
        self._read_dc()
        self._read_type()

    def _read_mac(self) -> None:
        one = self._one
        if "mac" not in one:
            one.missing("mac", "12 hexadecimal digits, for example 02B250000001")
        mac = one.text("mac", "")
        if mac and self._check("mac", {"mac": mac}):
            self._mac = mac.upper()

    def _take(self, key: str, name: str, value: object) -> None:
        if key in self._one and value is not None and self._check(key, {name: value}):
            self._given[name] = value

    def _check(self, key: str, given: dict[str, Any]) -> bool:
        """Whether the battery can be made with this value alone; if not, it is complained of."""
        if key == "meter_dev_type":
            return True
        try:
            BatteryConfig(**{"mac": self._mac or _NAMELESS, "max_dc_input_w": 32767.0, **given})
        except ValueError as error:
            self._one.wrong(key, str(error).replace(f"Battery {_NAMELESS}: ", ""))
            return False
        return True

    def _read_variant(self, key: str) -> None:
        kind, names = _VARIANTS[key]
        if key not in self._one:
            self._one.raw(key)
            return
        inside = self._one.inside(key)
        found = {name: inside.raw(given) for given, name in names.items() if given in inside}
        inside.unknown()
        for given, name in names.items():
            wanted = type(getattr(kind(), name))
            value = found.get(name)
            if value is not None and not (
                isinstance(value, bool) if wanted is bool else is_number(value)
            ):
                inside.wrong(given, "true or false is wanted" if wanted is bool else "a number")
                return
        try:
            self._given[key] = kind(**found)
        except ValueError as error:
            self._one.wrong(key, str(error))

    def _read_interval(self) -> None:
        one = self._one
        self._given.setdefault("poll_jitter_s", POLL_JITTER_S)
        self._given["poll_interval_s"] = POLL_INTERVAL_S
        value = one.raw("poll_interval")
        if value == FIRMWARE:
            self._given["poll_interval_s"] = None
            if "poll_jitter" not in one:
                self._given["poll_jitter_s"] = 0.0
        elif "poll_interval" in one:
            if not is_number(value):
                one.wrong("poll_interval", f'seconds are wanted, or "{FIRMWARE}"')
            elif self._check("poll_interval", {"poll_interval_s": value}):
                self._given["poll_interval_s"] = value

    def _read_dc(self) -> None:
        """The solar input belongs together with its maximum."""
        input_w = self._one.number("dc_input_power", 0.0)
        largest_w = self._given.get("max_dc_input_w", 0.0)
        if self._check("dc_input_power", {"dc_input_w": input_w, "max_dc_input_w": largest_w}):
            self._given["dc_input_w"] = input_w

    def _read_type(self) -> None:
        """Types that nobody knows run the law of a Venus, as they did."""
        device_type = self._given.get("device_type", "")
        if device_type and family_of(device_type) is None and "behaves_as" not in self._given:
            self._given["behaves_as"] = LIKE_WHAT
            self._one.findings.warning(
                self._one.at("meter_dev_type"),
                f"no law of this type is known: it behaves as {LIKE_WHAT}; "
                'set "behaves_as" to the type it is to behave as',
                device_type,
            )

    def made(self, defaults: dict[str, Any]) -> BatteryConfig | None:
        """The battery, unless something was wrong with it; what only does not fit together is
        complained of here."""
        if len(self._one.findings.problems) > self._before:
            return None
        given = {**defaults, "mac": self._mac, **self._given}
        try:
            return BatteryConfig(**given)
        except ValueError as error:
            self._one.findings.problem(self._one.path, str(error))
            return None


def read_law(top: Object) -> str:
    """The law of all batteries that do not say another."""
    law = top.text("law", LAWS[0])
    if law not in LAWS:
        top.wrong("law", f"use {' or '.join(LAWS)}")
    return law
