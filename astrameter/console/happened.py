"""What has happened in the daemon, told in short lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from astrameter.console.drawing.batteries import watts
from astrameter.console.model import BatteryView, View

Told = tuple[str, str]
"""A text, and its style."""

_STAGES = {
    "hold": ("batteries at {device} are told to stay: the meter [{section}] fails", "warning"),
    "power": ("batteries at {device} go to FAILSAFE_POWER: [{section}] fails", "bad"),
    "silent": ("batteries at {device} are not answered: [{section}] fails", "bad"),
}


def told_of(name: str, data: Mapping[str, Any]) -> Told | None:
    """A line for an event of the daemon; None for one that needs none."""
    tell = _EVENTS.get(name)
    return None if tell is None else tell(data)


def _meter_changed(data: Mapping[str, Any]) -> Told:
    section, error = data.get("section"), data.get("error")
    if error is None:
        return f"the meter [{section}] works again", "good"
    return f"the meter [{section}] fails: {error}", "bad"


def _meter_switched(data: Mapping[str, Any]) -> Told:
    before, after, why = data.get("before"), data.get("after"), data.get("why")
    return f"[{after}] is used instead of [{before}]{f': {why}' if why else ''}", "warning"


def _meters_disagree(data: Mapping[str, Any]) -> Told:
    by_w = data.get("difference_w")
    by = watts(by_w) if isinstance(by_w, int | float) else "some W"
    return f"[{data.get('other')}] shows {by} more than [{data.get('used')}]", "warning"


def _failsafe_changed(data: Mapping[str, Any]) -> Told:
    section, device, stage = data.get("section"), data.get("device_id"), data.get("stage")
    if stage is None:
        return f"the meter [{section}] is back: {device} steers as usual", "good"
    text, style = _STAGES.get(str(stage), ("{device}: fail-safe for [{section}]", "bad"))
    return text.format(device=device, section=section), style


def _battery_removed(data: Mapping[str, Any]) -> Told:
    who = data.get("consumer_id") or data.get("battery_ip")
    return f"{who} is silent and was left out", "warning"


_EVENTS: Mapping[str, Callable[[Mapping[str, Any]], Told]] = {
    "meter_changed": _meter_changed,
    "meter_switched": _meter_switched,
    "meters_disagree": _meters_disagree,
    "failsafe_changed": _failsafe_changed,
    "battery_removed": _battery_removed,
}


def beginning(view: View) -> str:
    """The first line of the log."""
    kinds = ", ".join(f"{one.type} on port {one.port}" for one in view.devices) or "no device"
    return f"AstraMeter {view.version}: {kinds}; {_count(len(view.meters), 'meter')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def changes(before: View, after: View) -> Iterator[Told]:
    """What was switched or set between two views, by whomever."""
    for old_device, device in zip(before.devices, after.devices, strict=False):
        if old_device.active_control != device.active_control and device.active_control is not None:
            how = "on" if device.active_control else "off: the meter is relayed"
            yield f"{device.type} {device.id}: active control {how}", "strong"
    known = {(one.device, one.id): one for one in before.batteries}
    for battery in after.batteries:
        old = known.get((battery.device, battery.id))
        if old is None:
            where = f" on phase {battery.phase}" if battery.phase else ""
            yield f"{battery.id} ({battery.type or 'a battery'}) asks{where}", "good"
        else:
            yield from _battery(old, battery)


def _battery(old: BatteryView, new: BatteryView) -> Iterator[Told]:
    if old.active != new.active:
        yield f"{new.id} is {'active again' if new.active else 'paused'}", "strong"
    manual = (new.auto, new.manual_target_w if not new.auto else 0.0)
    if (old.auto, old.manual_target_w if not old.auto else 0.0) != manual:
        how = "steered" if new.auto else f"set to {watts(new.manual_target_w)} by hand"
        yield f"{new.id} is {how}", "strong"
    if old.weight != new.weight:
        yield f"{new.id} has the weight {new.weight:g}", "strong"
    if new.phase and old.phase != new.phase:
        yield f"{new.id} is on phase {new.phase}", ""
    if old.alive and not new.alive:
        yield f"{new.id} has not asked for longer than usual", "warning"
