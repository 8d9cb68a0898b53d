"""What is different between two statuses, told in short lines."""

from __future__ import annotations

from collections.abc import Iterator

from astrameter.console.drawing.batteries import watts
from simulator.control import BatteryStatus, Status

SUN = "the sun: "
"""What lines about the sun begin with: they replace each other while it moves."""

Told = tuple[str, str]
"""A text, and its style."""

_SMALLEST_SUN_W = 1.0


def beginning(status: Status) -> str:
    """The first line of the log."""
    batteries, loads = len(status.batteries), len(status.loads)
    text = f"{batteries} {'battery' if batteries == 1 else 'batteries'}"
    text += f", {loads} {'load' if loads == 1 else 'loads'}"
    if status.ct_port:
        text += f"; the batteries ask {status.ct_host}:{status.ct_port}"
    return text


def changes(before: Status, after: Status) -> Iterator[Told]:
    """Everything that was switched, set or lost."""
    if before.auto_mode != after.auto_mode:
        yield f"auto mode {'on' if after.auto_mode else 'off'}", "strong"
    if abs(before.solar.current_w - after.solar.current_w) >= _SMALLEST_SUN_W:
        yield f"{SUN}{watts(after.solar.current_w)}", "solar"
    if [one.name for one in before.loads] == [one.name for one in after.loads]:
        for old, load in zip(before.loads, after.loads, strict=True):
            if load.active and not old.active:
                yield f"{load.name} on: {watts(load.power_w)} on {load.phase}", "load"
            elif old.active and not load.active:
                yield f"{load.name} off", "dim"
    known = {one.mac: one for one in before.batteries}
    for battery in after.batteries:
        if battery.mac in known:
            yield from _battery(known[battery.mac], battery)


def _battery(old: BatteryStatus, new: BatteryStatus) -> Iterator[Told]:
    name = new.mac
    if old.online != new.online:
        yield (f"{name} is back", "good") if new.online else (f"{name} is offline", "bad")
    if old.meter_lost != new.meter_lost:
        yield (
            (f"{name} gets no answer and gives up", "bad")
            if new.meter_lost
            else (f"{name} is answered again", "good")
        )
    if old.poll_age_s is None and new.poll_age_s is not None:
        yield f"{name} is answered for the first time", "good"
    if old.phase != new.phase:
        yield f"{name} is on phase {new.phase} now", ""
    if new.soc >= 1 > old.soc:
        yield f"{name} is full", "warning"
    elif new.soc <= 0 < old.soc:
        yield f"{name} is empty", "warning"
    limits = (new.max_charge_w, new.max_discharge_w)
    if (old.max_charge_w, old.max_discharge_w) != limits:
        yield f"{name} takes at most {watts(limits[0])}, gives at most {watts(limits[1])}", ""
