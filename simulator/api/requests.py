"""Requests as operations, and operations as requests (simulator.md section 7)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from simulator.control import (
    MAX,
    OFF,
    ChangeMaxPower,
    ChangeSoc,
    ChangeSolar,
    Operation,
    OperationRefused,
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
    Shutdown,
    ToggleAuto,
    ToggleLoad,
)

Body = Mapping[str, Any]

NO_JSON = "invalid or missing JSON"
NO_OBJECT = "the JSON body must be an object, for example {}"

_FLOAT_DIGITS = 400
"""No number of ours is longer; converting longer ones takes its time."""


def body_of(content: bytes) -> Body:
    """The JSON object of a body.

    :raises OperationRefused: when it is none.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise OperationRefused(NO_JSON) from None
    if not isinstance(document, dict):
        raise OperationRefused(NO_OBJECT)
    return document


# ---------------------------------------------------------------------------- to operations


def toggle_load(index: str) -> Operation:
    try:
        if len(index) > 20:
            raise ValueError
        return ToggleLoad(int(index))
    except ValueError:
        raise OperationRefused("invalid index") from None


def solar(body: Body) -> Operation:
    if body.get("watts") is None and "change" in body:
        return ChangeSolar(_number(body["change"], "invalid change"))
    watts = _present(body, "watts")
    if watts in (MAX, OFF):
        return SetSolar(watts)
    if isinstance(watts, str):
        raise OperationRefused("invalid watts")
    return SetSolar(_number(watts, "invalid watts"))


def soc(mac: str, body: Body) -> Operation:
    if body.get("soc") is None and "change" in body:
        return ChangeSoc(mac, _number(body["change"], "invalid change"))
    return SetSoc(mac, _number(_present(body, "soc"), "invalid 'soc'"))


def max_power(mac: str, body: Body) -> Operation:
    if "change" in body:
        return ChangeMaxPower(mac, _number(body["change"], "invalid change"))
    limits = [
        int(_number(body[key], "invalid max power")) if key in body else None
        for key in ("charge", "discharge")
    ]
    return SetMaxPower(mac, *limits)


def dc_input(mac: str, body: Body) -> Operation:
    return SetDc(mac, _number(_present(body, "watts"), "invalid 'watts'"))


def online(mac: str, body: Body) -> Operation:
    return SetOnline(mac, bool(_present(body, "online")))


def phase(mac: str, body: Body) -> Operation:
    value = _present(body, "phase")
    if not isinstance(value, str):
        raise OperationRefused("invalid 'phase'")
    return SetPhase(mac, value)


def auto(body: Body) -> Operation:
    if body.get("toggle"):
        return ToggleAuto()
    return SetAuto(bool(body.get("enabled")))


def base_load(body: Body) -> Operation:
    name = _present(body, "phase")
    if not isinstance(name, str):
        raise OperationRefused("invalid 'phase'")
    return SetBaseLoad(name, _number(_present(body, "watts"), "invalid 'watts'"))


def packet_loss(body: Body) -> Operation:
    return SetPacketLoss(_number(_present(body, "loss"), "invalid 'loss'"))


def meter_latency(body: Body) -> Operation:
    return SetMeterLatency(_number(_present(body, "latency"), "invalid 'latency'"))


BODIED: dict[str, Callable[[Body], Operation]] = {
    "solar": solar,
    "auto": auto,
    "base_load": base_load,
    "packet_loss": packet_loss,
    "meter": meter_latency,
}
"""``POST /NAME`` with a body."""

OF_BATTERY: dict[str, Callable[[str, Body], Operation]] = {
    "soc": soc,
    "max_power": max_power,
    "dc": dc_input,
    "online": online,
    "phase": phase,
}
"""``POST /batteries/MAC/NAME`` with a body."""


def _present(body: Body, key: str) -> Any:
    value = body.get(key)
    if value is None:
        raise OperationRefused(f"missing {key!r}")
    return value


def _number(value: object, message: str) -> float:
    """A finite number, also as text and as true or false, as it always was."""
    if not isinstance(value, (int, float, str)):
        raise OperationRefused(message)
    if isinstance(value, str) and len(value) > _FLOAT_DIGITS:
        raise OperationRefused(message)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise OperationRefused(message) from None
    if number - number != 0:
        raise OperationRefused(message)
    return int(value) if isinstance(value, int) else number


# ---------------------------------------------------------------------------- and back


_Request = tuple[str, dict[str, Any]]

_REQUESTS: dict[type, Callable[[Any], _Request]] = {
    ToggleLoad: lambda one: (f"/loads/{one.index}/toggle", {}),
    SetSolar: lambda one: ("/solar", {"watts": one.watts}),
    ChangeSolar: lambda one: ("/solar", {"change": one.delta_w}),
    SetSoc: lambda one: _to_battery(one.mac, "soc", {"soc": one.soc}),
    ChangeSoc: lambda one: _to_battery(one.mac, "soc", {"change": one.delta}),
    SetMaxPower: lambda one: _to_battery(one.mac, "max_power", _limits(one)),
    ChangeMaxPower: lambda one: _to_battery(one.mac, "max_power", {"change": one.delta_w}),
    SetDc: lambda one: _to_battery(one.mac, "dc", {"watts": one.watts}),
    SetOnline: lambda one: _to_battery(one.mac, "online", {"online": one.online}),
    SetPhase: lambda one: _to_battery(one.mac, "phase", {"phase": one.phase}),
    SetAuto: lambda one: ("/auto", {"enabled": one.enabled}),
    ToggleAuto: lambda _: ("/auto", {"toggle": True}),
    SetBaseLoad: lambda one: ("/base_load", {"phase": one.phase, "watts": one.watts}),
    SetPacketLoss: lambda one: ("/packet_loss", {"loss": one.loss}),
    SetMeterLatency: lambda one: ("/meter", {"latency": one.seconds}),
    Shutdown: lambda _: ("/shutdown", {}),
}


def request_of(operation: Operation) -> _Request:
    """The path to POST to, and the body."""
    return _REQUESTS[type(operation)](operation)


def _to_battery(mac: str, name: str, body: dict[str, Any]) -> _Request:
    return f"/batteries/{quote(mac, safe='')}/{name}", body


def _limits(one: SetMaxPower) -> dict[str, Any]:
    limits = {"charge": one.charge_w, "discharge": one.discharge_w}
    return {key: watts for key, watts in limits.items() if watts is not None}


def segments(path: bytes) -> list[str]:
    """The parts of a request's path."""
    return [unquote(part) for part in path.decode("latin-1").strip("/").split("/")]
