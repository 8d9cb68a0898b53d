"""Courses far from the usual: slow meters, odd batteries, lost packets, laws nobody has seen.

All run on batteries that move continuously, with a load that steps up and down and through zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

from simulator.batteries.config import CLASSIC, FIELD, OWN_PHASE, BatteryConfig
from simulator.batteries.unknown import draw_unknown
from simulator.evaluation.course import Course, FreeMeter, Happening
from simulator.evaluation.metrics import event_results
from simulator.evaluation.oscillation import limit_cycle_w
from simulator.evaluation.recording import Recording
from simulator.evaluation.scenarios import battery

PREFIX = "robust/"
UNKNOWN_LAWS = 200

LATENCIES_S = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
METER_PERIODS_S = (2.0, 5.0, 10.0, 15.0)
POLLS_S = (0.3, 0.5, 1.0, 2.0, 3.0, 5.0)
SIZES = range(1, 10)

PLATEAU_S = 240.0
QUIET_S = 150.0
"""Of each plateau the last so many seconds must be calm."""

STEPS_W = (("up", 1500.0), ("down", -1500.0), ("surplus", -900.0), ("deficit", 900.0))
APART_S = 0.131
LOST_SHARE = 0.05

OVERSHOOT_SHARE = 0.25
"""Of a step, and WORTH_W at least: more is no longer stable."""

WORTH_W = 150.0


def _steps(phase: int = 0, scale: float = 1.0) -> tuple[Happening, ...]:
    found = []
    for number, (label, power_w) in enumerate(STEPS_W):
        watts = [0.0, 0.0, 0.0]
        watts[phase] = power_w * scale
        at_s = 60.0 + PLATEAU_S * number + 0.3
        found.append(Happening(at_s, label, (watts[0], watts[1], watts[2])))
    return tuple(found)


def _course(name: str, *batteries: BatteryConfig, **more: Any) -> Course:
    given: dict[str, Any] = {
        "first_polls_s": tuple(0.5 + APART_S * i for i in range(len(batteries))),
        "duration_s": 60.0 + PLATEAU_S * len(STEPS_W),
        "base_w": (300.0, 0.0, 0.0),
        "happenings": _steps(),
        **more,
    }
    batteries = tuple(replace(one, stepping="continuous") for one in batteries)
    return Course(PREFIX + name, batteries, **given)


def _law(law: str) -> Callable[[BatteryConfig], BatteryConfig]:
    return lambda one: replace(one, law=law, duplicate_drop=law == FIELD)


def _meters(law: str) -> Iterator[Course]:
    of = _law(law)
    one, two = of(battery(0)), of(battery(1, "VNSE3-0", poll_interval_s=0.45))
    for latency_s in LATENCIES_S:
        meter = FreeMeter(1.0, latency_s)
        yield _course(f"{law}/latency-{latency_s:g}s", one, meter=meter)
        yield _course(f"{law}/latency-{latency_s:g}s-two", one, two, meter=meter)
    for period_s in METER_PERIODS_S:
        meter = FreeMeter(period_s, 1.0)
        yield _course(f"{law}/meter-{period_s:g}s", one, meter=meter)
        yield _course(f"{law}/meter-{period_s:g}s-two", one, two, meter=meter)
    worst = FreeMeter(15.0, 5.0)
    yield _course(f"{law}/meter-15s-latency-5s", one, meter=worst)
    yield _course(f"{law}/meter-15s-latency-5s-two", one, two, meter=worst)


def _cadences(law: str) -> Iterator[Course]:
    of = _law(law)
    for poll_s in POLLS_S:
        one = of(battery(0, poll_interval_s=poll_s))
        yield _course(f"{law}/poll-{poll_s:g}s", one)
        other = of(battery(1, "VNSE3-0", poll_interval_s=0.45))
        yield _course(f"{law}/poll-{poll_s:g}s-beside-0.45s", one, other)


def _fleets(law: str) -> Iterator[Course]:
    of = _law(law)
    for size in SIZES:
        fleet = tuple(of(battery(i)) for i in range(size))
        yield _course(f"{law}/fleet-{size}", *fleet)
        if size <= 3:
            yield _course(f"{law}/fleet-{size}-loss-5%", *fleet, lost_share=LOST_SHARE)
    phases = tuple(of(battery(i, phase="ABC"[i])) for i in range(3))
    base_w = (300.0, 200.0, 150.0)
    yield _course(f"{law}/phases", *phases, base_w=base_w)
    yield _course(f"{law}/phases-loss-5%", *phases, base_w=base_w, lost_share=LOST_SHARE)
    yield _course(
        f"{law}/opposite-phases", *phases, base_w=(-900.0, 1100.0, 100.0), happenings=_steps(1)
    )
    if law == CLASSIC:
        own = tuple(replace(one, reads=OWN_PHASE) for one in phases)
        yield _course(f"{law}/own-phase-reading", *own, base_w=base_w)
        yield _course(f"{law}/own-phase-reading-one", own[1], base_w=base_w)
        yield _course(f"{law}/own-phase-beside-sum", own[0], phases[1], base_w=base_w)


def _settings() -> Iterator[Course]:
    """What an owner may have set, and fleets that mix it."""
    for index in (1, 2):
        slow = battery(0, report_index=index, poll_interval_s=0.8 + 1.2 * index)
        fast = battery(1, poll_interval_s=0.8)
        yield _course(f"index-{index}", slow)
        yield _course(f"index-{index}-two", slow, replace(slow, mac=fast.mac))
        yield _course(f"index-{index}-beside-0", slow, fast)
    modes = tuple(battery(i, phase="ABC"[i], recharge_mode=0) for i in range(3))
    base_w = (300.0, 200.0, 150.0)
    yield _course("recharge-0", modes[0])
    yield _course("recharge-0-phases", *modes, base_w=base_w)
    yield _course(
        "recharge-0-opposite-phases", *modes, base_w=(-900.0, 1100.0, 100.0), happenings=_steps(1)
    )
    mixed = (modes[0], replace(modes[1], recharge_mode=1), modes[2])
    yield _course("recharge-mixed", *mixed, base_w=base_w)
    yield _course(
        "recharge-and-index-mixed",
        replace(modes[0], report_index=1, poll_interval_s=2.0),
        battery(1),
        battery(2, "VNSE3-0", poll_interval_s=0.45),
    )
    classic = _law(CLASSIC)
    yield _course("field-beside-classic", battery(0), classic(battery(1)))
    yield _course(
        "field-beside-classic-mixed",
        battery(0, report_index=1, poll_interval_s=2.0),
        classic(battery(1, "VNSD-0")),
        battery(2, "VNSE3-0", poll_interval_s=0.45, recharge_mode=0),
    )


def _unknown() -> Iterator[Course]:
    """Laws drawn at random, alone and beside a Venus, under a new name or a false one."""
    for number in range(UNKNOWN_LAWS):
        random = Random(f"unknown law {number}")
        kind = ("VNSX-0", "HMG-50")[number % 2]
        one = draw_unknown(random, battery(0, kind))
        beside = (battery(1),) if number % 4 >= 2 else ()
        yield _course(f"unknown-{number:03}", one, *beside)


@cache
def robust() -> dict[str, Course]:
    """All of them by name."""
    groups = [_settings(), _unknown()]
    for law in (FIELD, CLASSIC):
        groups += [_meters(law), _cadences(law), _fleets(law)]
    return {one.name: one for group in groups for one in group}


def problems(course: Course, run: Recording) -> list[str]:
    """What went wrong, in words; empty when nothing did."""
    found = []
    for event in event_results(run):
        if not event.settled and event.possible:
            found.append(
                f"{event.label} at {event.at_s:.0f} s: not settled (possible in "
                f"{event.bound_s:.0f} s)"
            )
        step_w = max(abs(event.disturbed_w) * OVERSHOOT_SHARE, WORTH_W)
        if event.overshoot_w > step_w:
            found.append(
                f"{event.label} at {event.at_s:.0f} s: overshoots by {event.overshoot_w:.0f} W"
            )
    starts_s = [0.0, *(at_s for at_s, _ in run.marks)]
    for start_s, end_s in zip(starts_s, [*starts_s[1:], run.duration_s], strict=True):
        quiet = [o for o in run.observations if max(start_s, end_s - QUIET_S) <= o.at_s < end_s]
        if end_s - start_s < QUIET_S:
            continue
        swinging = {"the sum": [sum(o.outputs_w) for o in quiet]}
        for index, unit in enumerate(run.units):
            swinging[unit.label] = [o.outputs_w[index] for o in quiet]
        for who, outputs_w in swinging.items():
            size_w = limit_cycle_w(outputs_w)
            if size_w is not None:
                found.append(
                    f"{who} swings by {size_w:.0f} W between {quiet[0].at_s:.0f} and {end_s:.0f} s"
                )
    if run.conflicts:
        found.append(f"{run.conflicts} answers triggered the interlock of a battery")
    if run.unanswered:
        found.append(f"{run.unanswered} polls were not answered")
    return found
