"""What each operation does to a simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import singledispatch
from typing import Any

from simulator.batteries.battery import Battery
from simulator.control import (
    MAX,
    OFF,
    ChangeMaxPower,
    ChangeSoc,
    ChangeSolar,
    Operation,
    OperationRefused,
    Refusal,
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
    ToggleAuto,
    ToggleLoad,
)
from simulator.running.simulation import RunningSimulation


def perform(simulation: RunningSimulation, operation: Operation) -> str:
    """Do it, whatever it is but :class:`~simulator.control.Shutdown`; tells what was done.

    :raises OperationRefused: nothing was done.
    """
    return _do(operation, simulation)


@singledispatch
def _do(operation: Any, _simulation: RunningSimulation) -> str:
    raise OperationRefused(f"there is no operation {type(operation).__name__}")


@_do.register
def _(operation: ToggleLoad, simulation: RunningSimulation) -> str:
    try:
        load = simulation.household.toggle_load(operation.index)
    except IndexError as error:
        raise OperationRefused(str(error)) from None
    return f"{load.name} {'on' if load.active else 'off'}"


@_do.register
def _(operation: SetSolar, simulation: RunningSimulation) -> str:
    household = simulation.household
    if operation.watts == MAX:
        household.set_solar(household.solar_max_w)
    elif operation.watts == OFF:
        household.set_solar(0.0)
    else:
        household.set_solar(_finite(operation.watts, "invalid watts"))
    return f"solar {household.solar_w:.0f} W"


@_do.register
def _(operation: ChangeSolar, simulation: RunningSimulation) -> str:
    household = simulation.household
    household.set_solar(household.solar_w + _finite(operation.delta_w, "invalid change"))
    return f"solar {household.solar_w:.0f} W"


@_do.register
def _(operation: SetSoc, simulation: RunningSimulation) -> str:
    battery = _battery(simulation, operation.mac)
    _refusing(battery.set_soc, _finite(operation.soc, "invalid 'soc'"), message="invalid 'soc'")
    return f"{battery.mac} at {battery.soc:.0%}"


@_do.register
def _(operation: ChangeSoc, simulation: RunningSimulation) -> str:
    battery = _battery(simulation, operation.mac)
    soc = battery.soc + _finite(operation.delta, "invalid change")
    # Steps of a tenth are to end at 0 and 1, not next to them.
    battery.set_soc(min(max(round(soc, 9), 0.0), 1.0))
    return f"{battery.mac} at {battery.soc:.0%}"


@_do.register
def _(operation: SetMaxPower, simulation: RunningSimulation) -> str:
    battery = _battery(simulation, operation.mac)
    charge_w, discharge_w = battery.limits_w
    if operation.charge_w is not None:
        charge_w = _finite(operation.charge_w, "invalid max power")
    if operation.discharge_w is not None:
        discharge_w = _finite(operation.discharge_w, "invalid max power")
    if min(charge_w, discharge_w) < 0:
        raise OperationRefused("max power must be >= 0")
    return _limited(battery, charge_w, discharge_w)


@_do.register
def _(operation: ChangeMaxPower, simulation: RunningSimulation) -> str:
    battery = _battery(simulation, operation.mac)
    delta_w = _finite(operation.delta_w, "invalid change")
    charge_w, discharge_w = (max(0.0, limit_w + delta_w) for limit_w in battery.limits_w)
    return _limited(battery, charge_w, discharge_w)


@_do.register
def _(operation: SetDc, simulation: RunningSimulation) -> str:
    battery = _battery(simulation, operation.mac)
    if not battery.config.max_dc_input_w:
        raise OperationRefused("battery has no DC input capability")
    _refusing(battery.set_dc_input, _finite(operation.watts, "invalid 'watts'"))
    return f"{battery.mac} has {battery.dc_input_w:.0f} W on its DC side"


@_do.register
def _(operation: SetAuto, simulation: RunningSimulation) -> str:
    simulation.auto.enabled = operation.enabled
    return f"auto mode {'on' if operation.enabled else 'off'}"


@_do.register
def _(_operation: ToggleAuto, simulation: RunningSimulation) -> str:
    return _do(SetAuto(not simulation.auto.enabled), simulation)


@_do.register
def _(operation: SetOnline, simulation: RunningSimulation) -> str:
    poller = simulation.poller(operation.mac)
    poller.online = operation.online
    return f"{poller.battery.mac} {'online' if operation.online else 'offline'}"


@_do.register
def _(operation: SetBaseLoad, simulation: RunningSimulation) -> str:
    _refusing(simulation.household.set_base_load, operation.phase, operation.watts)
    return f"base load {operation.watts:.0f} W on {operation.phase}"


@_do.register
def _(operation: SetPhase, simulation: RunningSimulation) -> str:
    simulation.set_phase(operation.mac, operation.phase)
    return f"{operation.mac.upper()} on phase {operation.phase}"


@_do.register
def _(operation: SetPacketLoss, simulation: RunningSimulation) -> str:
    if not 0.0 <= operation.loss <= 1.0:
        raise OperationRefused(f"a packet loss is 0..1, not {operation.loss}", Refusal.BAD_VALUE)
    simulation.packet_loss = operation.loss
    return f"packet loss {operation.loss:.0%}"


@_do.register
def _(operation: SetMeterLatency, simulation: RunningSimulation) -> str:
    simulation.set_meter_latency(operation.seconds)
    return f"meter latency {operation.seconds:g} s"


def _battery(simulation: RunningSimulation, mac: str) -> Battery:
    """The battery, up to date: what changes now changes from now on."""
    battery = simulation.poller(mac).battery
    battery.advance_to(simulation.time.seconds())
    return battery


def _limited(battery: Battery, charge_w: float, discharge_w: float) -> str:
    _refusing(battery.set_limits, charge_w, discharge_w)
    charge_w, discharge_w = battery.limits_w
    return f"{battery.mac} charges up to {charge_w:.0f} W, discharges up to {discharge_w:.0f} W"


def _finite(value: float, message: str) -> float:
    if not math.isfinite(value):
        raise OperationRefused(message)
    return value


def _refusing(change: Callable[..., None], *values: object, message: str = "") -> None:
    try:
        change(*values)
    except ValueError as error:
        raise OperationRefused(message or str(error)) from None
