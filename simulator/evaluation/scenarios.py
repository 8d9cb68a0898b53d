"""The scenarios (evaluation.md section 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.batteries.config import BatteryConfig
from simulator.evaluation.script import (
    Script,
    clouds,
    dc_sun,
    household,
    sun,
    washer,
)
from simulator.evaluation.stochastic import living, passing_clouds
from simulator.evaluation.stochastic import loads as appliances
from simulator.evaluation.traces import Trace
from simulator.household import Load

EFFICIENT: Mapping[str, Any] = {"min_efficient_power": 150, "efficiency_rotation_interval": 900}


@dataclass(frozen=True)
class Scenario:
    """One situation to be judged in.

    :ivar meter: refresh interval and latency, seconds.
    :ivar tuning: controller options that differ from the defaults.
    """

    name: str
    batteries: tuple[BatteryConfig, ...]
    duration_s: float
    base_w: tuple[float, float, float]
    noise_w: float = 10.0
    meter: tuple[float, float] = (1.0, 0.5)
    scripts: tuple[Script, ...] = ()
    loads: tuple[Load, ...] = ()
    tuning: Mapping[str, Any] = field(default_factory=dict)
    stresses: str = ""


def battery(number: int, device_type: str = "HMG-50", **more: Any) -> BatteryConfig:
    """Battery ``number`` (from 0) of a scenario, with the plant of section 3.1."""
    given: dict[str, Any] = {
        "mac": f"02B250{number + 1:06X}",
        "device_type": device_type,
        "phase": "A",
        "max_charge_w": 2500.0,
        "max_discharge_w": 2500.0,
        "capacity_wh": 5120.0,
        "initial_soc": 0.6,
        "ramp_w_per_s": 400.0,
        "poll_interval_s": 1.0,
        "startup_delay_s": 2.0,
        "min_power_w": 5.0,
        "inspection_polls": 1,
        "report_index": 0,
        **more,
    }
    return BatteryConfig(**given)


def b2500(number: int) -> BatteryConfig:
    """A B2500 with panels of its own."""
    return battery(
        number,
        "HMA-1",
        max_charge_w=0.0,
        max_discharge_w=800.0,
        capacity_wh=2240.0,
        initial_soc=0.5,
        max_dc_input_w=1000.0,
    )


APPLIANCES = (Load("kettle", 2000, "A"), Load("oven", 1500, "A"), Load("dishwasher", 1100, "A"))
ONE_A_PHASE = tuple(replace(load, phase=p) for load, p in zip(APPLIANCES, "ABC", strict=True))
MOTOR = (Load("motor", 120, "A"),)

_C = battery(0)
_D = battery(0, "VNSD-0")


def _steps(name: str, *batteries: BatteryConfig, **more: Any) -> Scenario:
    given: dict[str, Any] = {
        "duration_s": 3600.0,
        "base_w": (300.0, 0.0, 0.0),
        "scripts": (household,),
        "loads": APPLIANCES,
        **more,
    }
    return Scenario(name, batteries, **given)


def _single() -> list[Scenario]:
    low = replace(_C, initial_soc=0.4)
    sunny: dict[str, Any] = {
        "duration_s": 5400.0,
        "base_w": (400.0, 0.0, 0.0),
        "scripts": (sun(1800), clouds),
        "loads": (),
    }
    washing: dict[str, Any] = {
        "duration_s": 1800.0,
        "base_w": (450.0, 0.0, 0.0),
        "meter": (1.0, 1.0),
        "scripts": (washer,),
        "loads": MOTOR,
    }
    full = replace(_C, capacity_wh=2560.0, initial_soc=0.8)
    noisy: dict[str, Any] = {"base_w": (400.0, 0.0, 0.0), "noise_w": 150.0, "scripts": ()}
    return [
        _steps("single_venus_steps", _C, stresses="reaction"),
        _steps("single_venus_steps_slow", _C, meter=(10.0, 1.0), stresses="slow meter"),
        _steps("single_venus_washer", _C, **washing, stresses="sustained hunting"),
        _steps("single_venus_noisy", _C, **noisy, stresses="noise rejection"),
        _steps("single_venus_solar", low, **sunny, stresses="import/export crossing"),
        _steps("single_venus_solar_slow", low, **{**sunny, "meter": (10.0, 1.0)}),
        _steps(
            "single_venus_fill",
            full,
            **{**sunny, "base_w": (300.0, 0.0, 0.0), "scripts": (sun(2200), clouds)},
            stresses="running full",
        ),
        _steps("single_venus_d_steps", _D, stresses="integer law"),
        _steps("single_venus_d_washer", _D, **washing),
        _steps("single_venus_d_solar", replace(_D, initial_soc=0.4), **sunny),
    ]


def _fleets() -> list[Scenario]:
    two = (_C, battery(1))
    noisy: dict[str, Any] = {"base_w": (400.0, 0.0, 0.0), "noise_w": 150.0, "scripts": ()}
    sunny: dict[str, Any] = {
        "duration_s": 5400.0,
        "base_w": (400.0, 0.0, 0.0),
        "scripts": (household, sun(3000), clouds),
    }
    slow_and_fast = (
        battery(0, poll_interval_s=3.1),
        battery(1, "VNSE3-0", poll_interval_s=0.45),
    )
    with_b2500 = (_C, battery(1), b2500(2))
    mixed: dict[str, Any] = {"duration_s": 5400.0, "scripts": (household, dc_sun(700, 2))}
    both: list[tuple[str, tuple[BatteryConfig, ...], dict[str, Any]]] = [
        ("venus_d_plus_c", (_D, battery(1)), {"stresses": "two laws on one phase"}),
        ("two_venus", two, {"stresses": "sharing"}),
        ("two_venus_noisy", two, noisy),
        ("two_venus_solar", two, {**sunny, "stresses": "charge and discharge"}),
        ("mixed_venus_b2500", with_b2500, {**mixed, "stresses": "DC-only unit"}),
        ("mixed_cadence", slow_and_fast, {"stresses": "different poll rates"}),
        ("mixed_cadence_solar", slow_and_fast, sunny),
    ]
    found = []
    for name, batteries, more in both:
        found.append(_steps(f"{name}/fair", *batteries, **more))
        found.append(_steps(f"{name}/eff", *batteries, **more, tuning=EFFICIENT))
    found.append(_steps("two_venus_slow/fair", *two, meter=(10.0, 1.0)))
    return found


def _phases() -> list[Scenario]:
    on_each = tuple(battery(i, phase=phase) for i, phase in enumerate("ABC"))
    nearly_full = (
        battery(0, "VNSE3-0", max_charge_w=0.0, initial_soc=0.95),
        battery(1, "VNSE3-0", phase="B", initial_soc=0.4, initial_power_w=-200.0),
    )
    return [
        _steps(
            "phase_imbalance",
            *on_each,
            base_w=(300.0, 200.0, 150.0),
            loads=ONE_A_PHASE,
            stresses="per-phase distribution",
        ),
        Scenario(
            "full_battery_low_pace",
            nearly_full,
            900.0,
            (-250.0, 0.0, 0.0),
            tuning={
                "balance_gain": 0.4,
                "balance_deadband": 30,
                "max_correction_per_step": 150,
                "pace_base_step": 30,
                "pace_max_step": 200,
                "min_target_for_saturation": 40,
                "saturation_alpha": 0.9,
            },
            stresses="a full unit must be recognised",
        ),
    ]


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for group in (_single, _fleets, _phases)
    for scenario in sorted(group(), key=lambda one: one.name)
}
"""The 27 scenarios that need no recorded traces, by name."""


def _lived_in() -> list[Scenario]:
    """The stochastic household in place of recorded traces."""
    given: dict[str, Any] = {
        "duration_s": 3600.0,
        "base_w": (140.0, 0.0, 0.0),
        "meter": (1.0, 0.8),
        "scripts": (living,),
        "loads": appliances(),
    }
    small = replace(_C, capacity_wh=2560.0, initial_soc=0.35)
    sunny = {"duration_s": 5400.0, "scripts": (living, passing_clouds(1900))}
    one_lives = "correlated load"
    return [
        _steps("single_venus_household", _C, **given, stresses=one_lives),
        _steps(
            "single_venus_household_drain",
            small,
            **{**given, "duration_s": 10800.0},
            stresses="running empty",
        ),
        _steps(
            "single_venus_household_pv",
            replace(_C, initial_soc=0.4),
            **{**given, **sunny},
            stresses="clouds that come and go",
        ),
        _steps("two_venus_household/fair", _C, battery(1), **given, stresses=one_lives),
        _steps(
            "two_venus_household/eff",
            _C,
            battery(1),
            **given,
            tuning={**EFFICIENT, "min_efficient_power": 500},
        ),
    ]


def traced(trace: Trace) -> list[Scenario]:
    """The scenarios that are played with a recorded trace.

    :raises TraceError: when it is too short.
    """
    if trace.sun_w:
        sunny = replace(_C, initial_soc=0.4)
        return [_on_trace("single_venus_pv", trace, 5400.0, (1.0, 0.5), sunny)]
    small = replace(_C, capacity_wh=2560.0, initial_soc=0.35)
    efficient = {**EFFICIENT, "min_efficient_power": 500}
    late = (1.0, 0.8)
    two = (_C, battery(1))
    return [
        _on_trace("single_venus_trace", trace, 3600.0, late, _C),
        _on_trace("single_venus_drain", trace, 10800.0, (1.0, 0.5), small),
        _on_trace("two_venus_trace/fair", trace, 3600.0, late, *two),
        _on_trace("two_venus_trace/eff", trace, 3600.0, late, *two, tuning=efficient),
    ]


def _on_trace(
    name: str,
    trace: Trace,
    duration_s: float,
    meter: tuple[float, float],
    *batteries: BatteryConfig,
    **more: Any,
) -> Scenario:
    return Scenario(
        name,
        batteries,
        duration_s,
        (0.0, 0.0, 0.0),
        meter=meter,
        scripts=(trace.piece(duration_s),),
        stresses=f"recorded load ({trace.name})",
        **more,
    )


LIVED_IN: dict[str, Scenario] = {scenario.name: scenario for scenario in _lived_in()}
"""The scenarios with the stochastic household, by name."""

PLANTS = ("field", "classic")
"""Today's firmware, and what the predecessor simulates."""

Change = Callable[[BatteryConfig], BatteryConfig]


def on_plant(scenario: Scenario, plant: str) -> Scenario:
    """The scenario with batteries of one of PLANTS, moved poll by poll like the predecessor's."""
    if plant not in PLANTS:
        raise ValueError(f"no plant {plant!r}: choose {' or '.join(PLANTS)}")
    drops = plant == "field"
    return with_batteries(
        scenario, lambda one: replace(one, law=plant, stepping="poll", duplicate_drop=drops)
    )


def with_batteries(scenario: Scenario, change: Change) -> Scenario:
    """The same scenario with every battery changed, for example to another law."""
    return replace(scenario, batteries=tuple(map(change, scenario.batteries)))
