"""What the owner may change over the control socket, by the rules of the MQTT commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import Logger

from astrameter.controlsocket.wire import ControlError
from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.settings import DEFAULTS, SettingError
from astrameter.insights.commands import BatteryCommand, Refused, parse
from astrameter.insights.inventory import CtDevice
from astrameter.insights.topics import CommandTopic
from astrameter.steering.interface import Mode

FIELDS = (
    "active",
    "manual_target",
    "auto_target",
    "distribution_weight",
    "efficiency_window_weight",
    "min_dc_output",
)
"""The settings of a battery in the order in which they are made: the target before the mode."""

_log = Logger()


def find_battery(cts: Mapping[str, CtDevice], args: Mapping[str, Any]) -> tuple[EmulatedCt, str]:
    """The battery that ``args`` name, and the CT that it polls.

    :raises ControlError: there is none, or several.
    """
    name = args.get("battery")
    if not isinstance(name, str) or not name:
        raise ControlError("bad_request", "battery is the MAC of a battery")
    wanted = name.strip().lower()
    plain = wanted.replace(":", "").replace("-", "")
    found = []
    for device_id, device in cts.items():
        if args.get("device") not in (None, device_id):
            continue
        fleet = device.ct.fleet
        for one in (wanted, plain):
            if fleet.get(one) is not None or fleet.settings_of(one) != DEFAULTS:
                found.append((device.ct, one))
                break
    if not found:
        known = sorted({c.consumer_id for device in cts.values() for c in device.ct.fleet})[:8]
        raise ControlError(
            "unknown_battery",
            f"no battery {name[:64]!r} has asked; known: {', '.join(known) or 'none'}",
        )
    if len(found) > 1:
        raise ControlError("bad_request", f"{name[:64]} asks two CTs: say which device")
    return found[0]


def find_ct(cts: Mapping[str, CtDevice], args: Mapping[str, Any]) -> EmulatedCt:
    """The CT that ``args`` name, or the only one.

    :raises ControlError: there is none, or several.
    """
    device_id = args.get("device")
    if device_id is None and len(cts) == 1:
        return next(iter(cts.values())).ct
    found = cts.get(device_id) if isinstance(device_id, str) else None
    if found is None:
        known = ", ".join(cts) or "none"
        raise ControlError("unknown_device", f"device is the id of an emulated CT: {known}")
    return found.ct


def change_battery(cts: Mapping[str, CtDevice], args: Mapping[str, Any]) -> dict[str, Any]:
    """Make settings of a battery: all that ``args`` name, or when one of them is wrong, none.

    :return: the settings as they are now.
    :raises ControlError: something is wrong with them.
    """
    names = args.keys() - {"battery", "device"}
    if not names or names - set(FIELDS):
        wrong = ", ".join(sorted(names - set(FIELDS))) or "nothing"
        raise ControlError("bad_request", f"settings are {', '.join(FIELDS)}; not {wrong[:64]}")
    ct, battery = find_battery(cts, args)
    values = {name: _value(battery, name, args[name]) for name in FIELDS if name in args}
    for name, value in values.items():
        before = getattr(ct.fleet.settings_of(battery), name)
        try:
            ct.change_setting(battery, name, value)
        except SettingError as error:
            raise ControlError("refused", str(error)) from None
        if before != value:
            _log.info(
                "battery {battery}: {field} is {value}, by the control socket",
                battery=battery,
                field=name,
                value=value,
            )
    settings = ct.fleet.settings_of(battery)
    return {name: getattr(settings, name) for name in FIELDS}


def rotate(cts: Mapping[str, CtDevice], args: Mapping[str, Any]) -> dict[str, Any]:
    """Let another battery take the lead."""
    ct = find_ct(cts, args)
    ct.controller.rotate([c.consumer_id for c in ct.fleet if c.mode is Mode.AUTO])
    return {}


def switch_control(cts: Mapping[str, CtDevice], args: Mapping[str, Any]) -> dict[str, Any]:
    """Steer, or relay the meter."""
    ct = find_ct(cts, args)
    wanted = args.get("on")
    if not isinstance(wanted, bool):
        raise ControlError("bad_request", "on is true (steer) or false (relay the meter)")
    if wanted is not ct.active_control:
        ct.active_control = wanted
        _log.info("active control {how}, by the control socket", how="on" if wanted else "off")
    return {"on": ct.active_control}


ORDERS: Mapping[str, Callable[[Mapping[str, CtDevice], Mapping[str, Any]], dict[str, Any]]] = {
    "set": change_battery,
    "rotate": rotate,
    "active_control": switch_control,
}
"""By their verbs."""


def _value(battery: str, name: str, value: object) -> bool | float | None:
    """The value as the CT takes it, checked by what checks the commands of MQTT."""
    if value is None and name == "min_dc_output":
        return None
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int | float | str):
        text = str(value)
    else:
        text = ""
    command = parse(CommandTopic("", battery, name), text.encode(errors="replace"), False)
    if isinstance(command, BatteryCommand):
        return command.value
    why = command.why if isinstance(command, Refused) else "a value is missing"
    raise ControlError("refused", f"{name}: {why}")
