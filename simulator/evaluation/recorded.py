"""The 54 courses whose results AstraMeter 2.2.3 has left behind (``steering-scenarios.json``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from astrameter.ct.options import CT002
from astrameter.options import options_of as declared
from simulator.batteries.config import CLASSIC, BatteryConfig
from simulator.evaluation import course as courses
from simulator.evaluation.course import Course, FreeMeter, Happening, Profile

FILE = "steering.json"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A course and what the predecessor made of it.

    :ivar expected: what a good controller does, in words.
    :ivar reference: the predecessor's figures, by the names of the file.
    """

    course: Course
    expected: str
    reference: Mapping[str, Any]


@cache
def recorded() -> Mapping[str, Recorded]:
    """All of them, by name, on the batteries they were recorded with."""
    text = resources.files("simulator.evaluation").joinpath(FILE).read_text("ascii")
    found = map(_recorded, json.loads(text)["scenarios"])
    return {one.course.name: one for one in found}


def _recorded(entry: Mapping[str, Any]) -> Recorded:
    load, meter, fleet = entry["load"], entry["meter"], entry["fleet"]
    numbers = {battery["mac"]: i for i, battery in enumerate(fleet)}
    start_s, end_s = entry["steady_window_s"]
    course = Course(
        name=entry["id"],
        batteries=tuple(map(_battery, fleet)),
        first_polls_s=tuple(float(battery["first_poll_s"]) for battery in fleet),
        duration_s=float(entry["duration_s"]),
        base_w=_watts(load["base"]),
        noise_w=float(load["noise_w"]),
        noise_seed=load["noise_seed"],
        profiles=tuple(map(_profile, load.get("profiles", ()))),
        meter=FreeMeter(
            float(meter["interval_s"]), float(meter["latency_s"]), float(meter["quantum_w"])
        ),
        options=_options(entry["config"]),
        happenings=tuple(_happening(event, numbers) for event in entry["events"]),
        steady_s=(float(start_s), float(end_s)),
        stresses=entry["title"],
    )
    return Recorded(course, entry["expected"], entry["reference_result"])


def _battery(given: Mapping[str, Any]) -> BatteryConfig:
    return BatteryConfig(
        mac=given["mac"],
        device_type=given["device_type"],
        phase=given["phase"],
        wired_to=given["electrical_phase"],
        law=CLASSIC,
        reads=given["reads"],
        duplicate_drop=False,
        stepping="poll",
        report_index=0,
        inspection_polls=given["inspection_polls"],
        participates=given["participate"],
        poll_interval_s=float(given["poll_s"]),
        max_charge_w=float(given["max_charge_w"]),
        max_discharge_w=float(given["max_discharge_w"]),
        capacity_wh=given["capacity_wh"],
        initial_soc=given["soc0"],
        ramp_w_per_s=given["ramp_w_per_s"],
        min_power_w=given["min_power_w"],
        startup_delay_s=float(given["startup_delay_s"]),
        max_dc_input_w=float(given["max_dc_input_w"]),
        dc_input_w=float(given["dc_input_w"]),
        initial_power_w=float(given["initial_power_w"]),
    )


def _watts(given: list[float]) -> tuple[float, float, float]:
    a, b, c = given
    return (float(a), float(b), float(c))


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {option.key: option.attribute for option in declared(CT002.options)}
    return {attributes[key]: value for key, value in given.items()}


def _happening(given: Mapping[str, Any], numbers: Mapping[str, int]) -> Happening:
    return Happening(
        float(given["t"]),
        given.get("label", ""),
        _watts(given.get("add", [0, 0, 0])),
        given.get("action", ""),
        numbers.get(given.get("mac", ""), -1),
        given.get("value", 0.0),
    )


def _profile(given: Mapping[str, Any]) -> Profile:
    kinds: dict[str, Callable[[Mapping[str, Any]], Profile]] = {
        "pulse_train": lambda g: courses.pulse_train(
            g["start"], g["end"], g["period"], g["on"], g["w"], g["phase"]
        ),
        "half_sine_pv": lambda g: courses.half_sine_pv(
            g["start"], g["end"], g["peak"], g["phase"], tuple(map(tuple, g["dips"]))
        ),
        "sine": lambda g: courses.sine(g["amp"], g["period"], g["phase"]),
    }
    return kinds[given["kind"]](given)
