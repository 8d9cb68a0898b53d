"""What a command says, and whether it may (mqtt.md section 5). No state, no effect."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from astrameter.insights.topics import CommandTopic

MAX_PAYLOAD = 256
"""The longest payload that is looked at; real ones have some 25 bytes."""

MAX_ID = 512
"""The longest id that is looked at; a battery's comes in a datagram of at most so many bytes."""

ACTIVE_CONTROL = "active_control"
FORCE_ROTATION = "force_rotation"

_ON = frozenset({"true", "on", "1"})
_OFF = frozenset({"false", "off", "0"})


@dataclass(frozen=True, slots=True)
class BatteryCommand:
    """Change one setting of one battery.

    :ivar value: as :meth:`astrameter.ct.emulator.EmulatedCt.change_setting` takes it.
    """

    topic: CommandTopic
    value: bool | float


@dataclass(frozen=True, slots=True)
class CtCommand:
    """Do something to a whole CT.

    :ivar active_control: steer or relay; None leaves it.
    :ivar rotate: let another battery take the lead, before that.
    :ivar complaint: what else it asked for and does not get; empty when all is well.
    """

    topic: CommandTopic
    active_control: bool | None = None
    rotate: bool = False
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Cleared:
    """The broker's copy of a command was deleted; what it did stays."""

    topic: CommandTopic


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that cannot be followed.

    :ivar why: what is wanted; empty when it is none of ours.
    """

    topic: CommandTopic
    why: str = ""


Command = BatteryCommand | CtCommand | Cleared | Refused


def parse(topic: CommandTopic, payload: bytes, retained: bool) -> Command:
    """Understand one command.

    :param retained: the broker had kept it from before we connected. That brings settings back,
        but nobody presses a button in the past.
    """
    if max(len(topic.device), len(topic.battery)) > MAX_ID:
        return Refused(topic)
    if topic.battery and topic.field not in FIELDS:
        return Refused(topic)
    try:
        text = _text(payload)
        if not text:
            return Cleared(topic)
        if topic.battery:
            return _battery_command(topic, text)
        return _ct_command(topic, text, retained)
    except ValueError as error:
        return Refused(topic, str(error))


def _text(payload: bytes) -> str:
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a command has at most {MAX_PAYLOAD} bytes, not {len(payload)}")
    try:
        return payload.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("a command is UTF-8 text") from None


def _battery_command(topic: CommandTopic, text: str) -> BatteryCommand:
    if topic.battery != topic.battery.lower():
        raise ValueError("the id of a battery is its MAC in lower case")
    return BatteryCommand(topic, FIELDS[topic.field](text))


def _ct_command(topic: CommandTopic, text: str, retained: bool) -> CtCommand:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError('a command is a JSON object, like {"active_control": true}')
    rotate = document.get(FORCE_ROTATION) is True and not retained
    wanted = document.get(ACTIVE_CONTROL)
    if wanted is None and ACTIVE_CONTROL not in document:
        return CtCommand(topic, rotate=rotate)
    if not isinstance(wanted, bool):
        return CtCommand(topic, rotate=rotate, complaint=f"{ACTIVE_CONTROL} is true or false")
    return CtCommand(topic, wanted, rotate)


def _switch(text: str) -> bool:
    word = text.lower()
    if word not in _ON and word not in _OFF:
        raise ValueError("this is true or false")
    return word in _ON


def _number(low: float, high: float, divisor: float = 1.0) -> Callable[[str], float]:
    def parse_number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"this is a number {low:g}..{high:g}")
        return value / divisor

    return parse_number


FIELDS: dict[str, Callable[[str], bool | float]] = {
    "active": _switch,
    "manual_target": _number(-10000, 10000),
    "auto_target": _switch,
    "distribution_weight": _number(0, 10),
    "efficiency_window_weight": _number(0, 100, 100),
    "min_dc_output": _number(0, 1000),
}
"""The settings of a battery in the order in which they are restored (section 5.3)."""
