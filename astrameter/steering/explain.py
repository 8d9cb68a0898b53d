"""Decisions in words that a home owner understands, and in figures for an engineer.

Pure: what is known of a battery goes in, sentences and plain documents come out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from astrameter.steering.families import charges_from_ac
from astrameter.steering.interface import INSPECTION, Mode
from astrameter.steering.trace import Decision, Outcome, outcome

RESTS_W = 10.0
FOLLOWS_W = 30.0
"""How far from what was expected a battery may be and still be said to follow; within this a
battery's own regulation takes a step for done (marstek-devices.md section 1.7)."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a battery when somebody asks.

    :ivar age_s: since its last poll.
    :ivar alive: False: it has been silent for longer than it should.
    :ivar paused: its owner has paused it.
    :ivar steered: False: the CT relays the meter.
    :ivar meter: the section of the meter that serves it; empty: none does.
    :ivar failing: how the daemon answers because that meter fails: ``hold``, ``power`` or
        ``silent``; empty when it works.
    :ivar error: why it fails.
    :ivar failsafe_w: what all batteries together are taken to with ``power``.
    :ivar decisions: the last ones, the oldest first.
    """

    device_type: str
    phase: str
    power_w: float
    age_s: float
    alive: bool
    mode: Mode
    paused: bool
    manual_target_w: float
    weight: float
    steered: bool
    meter: str
    failing: str = ""
    error: str = ""
    failsafe_w: float = 0.0
    decisions: Sequence[Decision] = ()


def sentences(battery: Situation) -> list[str]:
    """Why the battery is told what it is told, the most important first."""
    last = battery.decisions[-1] if battery.decisions else None
    found = [does(battery.power_w)]
    if not battery.alive:
        found.append(f"It has not asked for {battery.age_s:.0f} s, so it is left out.")
    unsteered = _unsteered(battery)
    if unsteered:
        return [*found, unsteered]
    if last is None:
        return [*found, "It has not been answered yet."]
    if battery.mode is Mode.AUTO:
        found += _auto(battery, last)
    else:
        found.append(_by_its_owner(battery))
    found.append(_sent(last))
    if len(battery.decisions) > 1:
        found.append(_became(outcome(battery.decisions[-2], last)))
    if last.held:
        way = "up" if last.held > 0 else "down"
        found.append(f"It has not followed {way} lately; the others make up for it.")
    return found


def does(power_w: float) -> str:
    """What a battery does, as a sentence."""
    if abs(power_w) < RESTS_W:
        return f"It rests ({power_w:.0f} W)."
    return f"It {'discharges' if power_w > 0 else 'charges with'} {abs(power_w):.0f} W."


def _unsteered(battery: Situation) -> str:
    """Why it is not steered; empty when it is."""
    if battery.phase == INSPECTION:
        return (
            "It is finding out its phase and is shown the meter as it is meanwhile; that takes it "
            "some minutes."
        )
    if not battery.meter:
        return "No meter serves it: see NETMASK in the sections of the meters."
    if battery.failing:
        what = {
            "power": f"is taken to its part of {_power(battery.failsafe_w)} (FAILSAFE_POWER)",
            "silent": "is not answered any more, and goes to 0 W by itself within a minute",
        }.get(battery.failing, "is told to stay as it is")
        return f"The meter [{battery.meter}] fails ({battery.error}), so the battery {what}."
    if not battery.steered:
        return (
            "ACTIVE_CONTROL is off: it is shown the meter as it is, and the batteries share the "
            "work among themselves."
        )
    return ""


def _by_its_owner(battery: Situation) -> str:
    if battery.mode is Mode.MANUAL:
        return f"Its owner has set it to {_power(battery.manual_target_w)} (manual mode)."
    if battery.paused:
        return "Its owner has paused it: it is taken to 0 W, and the others do without it."
    return "It asks not to be counted: it is taken to 0 W, and the others do without it."


def _auto(battery: Situation, last: Decision) -> Iterator[str]:
    grid_w = last.sample.total
    yield (
        f"The meter [{battery.meter}] said {_grid(grid_w)} (read {max(0.0, last.sample_age_s):.1f} "
        f"s before it asked, and taken to be {last.delay_s:.2g} s late)."
    )
    if last.load_w is not None:
        yield f"Without batteries, {_house(last.load_w)}."
    if last.share_w is not None:
        yield _share(battery, last, last.share_w)
        yield from _bounds(battery, last, last.share_w)
    if last.stays:
        told = "nothing new, as it is on its way" if _on_its_way(last) else "to stay as it is"
        yield f"It is told {told}: {_split(last.stays)[1]}."
    for limit in last.limits:
        if round(limit.before_w) != round(limit.after_w):
            name, why = _split(limit.name)
            before, after = _power(limit.before_w), _power(limit.after_w)
            because = f" ({why})" if why != name else ""
            yield f"{name.capitalize()}: {before} became {after}{because}."


def _split(name: str) -> tuple[str, str]:
    """Short name and explanation of a limiter; one that has only one of them has it for both."""
    short, _, why = name.partition(": ")
    return short, why or short


def _share(battery: Situation, last: Decision, share_w: float) -> str:
    if last.joining:
        return (
            f"It has just been called to work: {_power(share_w)} will be its part once it has "
            "shown that it delivers."
        )
    if last.pool == 1:
        return f"It is the only one that is steered, so its part is {_power(share_w)}."
    if battery.weight <= 0:
        return f"Its weight is 0, so its part is {_power(share_w)}."
    return (
        f"{last.pool} batteries are steered and are to {_deliver(last.pool_w)} together; with a "
        f"weight of {battery.weight:g}, its part is {_power(share_w)}."
    )


def _bounds(battery: Situation, last: Decision, share_w: float) -> Iterator[str]:
    """The limits that its part has run into."""
    low_w, high_w = last.low_w, last.high_w
    if battery.weight <= 0:
        return
    if last.pool > 1 and low_w == high_w:
        yield "It is at rest, or on its way there: for so small a load, others are enough."
    elif share_w >= high_w and last.pool_w > 0:
        yield (
            f"More than {high_w:.0f} W it could not deliver when it was asked to."
            if high_w >= RESTS_W
            else "It cannot discharge at present: empty, or limited by its settings."
            if charges_from_ac(battery.device_type)
            else "It does not discharge at present: empty, or so little is wanted that it sleeps."
        )
    elif share_w <= low_w and low_w > RESTS_W:
        yield f"Less than {low_w:.0f} W it does not deliver, or is not to."
    elif share_w <= low_w and last.pool_w < 0:
        yield (
            f"With more than {-low_w:.0f} W it could not charge when it was asked to."
            if low_w <= -RESTS_W
            else "It cannot charge at present: full, or limited by its settings."
            if charges_from_ac(battery.device_type)
            else "It cannot be charged from the house, only from its own panels."
        )


def _on_its_way(last: Decision) -> bool:
    return abs(last.setpoint_w - last.power_w) > FOLLOWS_W


def _sent(last: Decision) -> str:
    reading_w = round(last.reading_w)
    if reading_w == 0:
        what = "go on to" if _on_its_way(last) else "stay at"
        return f"Sent: 0 W, which means: {what} {_power(last.setpoint_w)}."
    way = "deliver more or charge less" if reading_w > 0 else "deliver less or charge more"
    if round(last.setpoint_w) == round(last.before_w):
        return (
            f"Sent: {reading_w:+d} W, which means: {way}. It is expected not to act on that yet: "
            "batteries pass over a sudden jump once, and are deaf while they carry out a step."
        )
    return (
        f"Sent: {reading_w:+d} W, which means: {way}. It is expected to go from "
        f"{_signed(last.power_w)} to {_signed(last.setpoint_w)}."
    )


def _became(last: Outcome) -> str:
    follows = abs(last.delivered_w - last.expected_w) <= FOLLOWS_W
    return (
        f"The answer before that was to take it to {_signed(last.expected_w)} by now; it is at "
        f"{_signed(last.delivered_w)}{', so it follows' if follows else ''}."
    )


def _power(power_w: float) -> str:
    if abs(power_w) < 0.5:
        return "0 W"
    return f"{abs(power_w):.0f} W {'of discharge' if power_w > 0 else 'of charge'}"


def _deliver(power_w: float) -> str:
    return f"{'charge with' if power_w < -0.5 else 'deliver'} {abs(power_w):.0f} W"


def _signed(power_w: float) -> str:
    return f"{round(power_w):+d} W" if round(power_w) else "0 W"


def _grid(power_w: float) -> str:
    if abs(power_w) < 0.5:
        return "0 W"
    return f"{abs(power_w):.0f} W {'from' if power_w > 0 else 'into'} the grid"


def _house(load_w: float) -> str:
    if load_w >= 0:
        return f"the house would take {load_w:.0f} W from the grid"
    return f"the house would give {-load_w:.0f} W to the grid"


# ----------------------------------------------------------------------------- for machines


def document(decision: Decision, became: Outcome | None = None) -> dict[str, Any]:
    """A decision as plain JSON values; what is infinite or unknown is None.

    :param became: what became of it, if that is known.
    """
    sample = decision.sample
    return {
        "at": decision.at,
        "grid_w": sample.total,
        "phases_w": list(sample.watts),
        "sample_age_s": decision.sample_age_s,
        "mode": decision.mode.value,
        "power_w": decision.power_w,
        "before_w": decision.before_w,
        "load_w": decision.load_w,
        "noise_w": decision.noise_w,
        "delay_s": decision.delay_s,
        "pool_w": decision.pool_w,
        "pool": decision.pool,
        "share_w": decision.share_w,
        "low_w": _finite(decision.low_w),
        "high_w": _finite(decision.high_w),
        "joining": decision.joining,
        "held": decision.held,
        "intent_w": decision.intent_w,
        "stays": decision.stays,
        "limits": [one._asdict() for one in decision.limits],
        "reading_w": decision.reading_w,
        "setpoint_w": decision.setpoint_w,
        "slew_w_per_s": decision.slew_w_per_s,
        "became": None if became is None else became._asdict(),
    }


def documents(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """All of them in the same order, each with what became of it."""
    following: list[Decision | None] = [*decisions[1:], None][: len(decisions)]
    return [
        document(one, None if then is None else outcome(one, then))
        for one, then in zip(decisions, following, strict=True)
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
