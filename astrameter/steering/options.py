"""The steering keys of ``[CT002]`` and ``[CT003]`` (steering.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from astrameter.options import boolean, integer, number, option

_TUNING = "the controller needs no tuning"


def _tuning(kind: Any, default: float, unit: str = "", why: str = _TUNING) -> Any:
    return option(
        kind, default=default, unit=unit, no_effect=why, help="Accepted from AstraMeter 2.x files."
    )


@dataclass(frozen=True)
class SteeringOptions:
    """Options of the controller. Out-of-range numbers are clamped, as in AstraMeter 2.x."""

    active_control: bool = option(
        boolean(),
        default=True,
        help="Steer each battery with a reading of its own. Off: relay the meter unchanged, and "
        "the batteries share the work among themselves.",
    )
    fair_distribution: bool = option(
        boolean(),
        default=True,
        help="Bring the batteries to shares in proportion to their weights. Off: split each "
        "correction equally and leave existing differences alone.",
    )
    min_dc_output: float = option(
        number(0, clamp=True),
        default=0.0,
        unit="W",
        help="Smallest output asked of a battery without an inverter of its own (B2500), so that "
        "the external inverter does not fall asleep. 0 is off.",
    )
    balance_gain: float = _tuning(number(0, 1, clamp=True), 0.2)
    balance_deadband: int = _tuning(integer(0, clamp=True), 25, "W")
    error_boost_threshold: int = _tuning(integer(0, clamp=True), 150, "W")
    error_boost_max: float = _tuning(number(0, clamp=True), 0.5)
    error_reduce_threshold: int = _tuning(integer(0, clamp=True), 20, "W")
    max_correction_per_step: int = _tuning(integer(0, clamp=True), 80, "W")
    max_target_step: int = _tuning(integer(0, clamp=True), 0, "W")
    pace_base_step: int = _tuning(integer(0, clamp=True), 30, "W")
    pace_max_step: int = _tuning(integer(0, clamp=True), 100, "W/s")
    osc_damp_max: float = _tuning(number(0, 1, clamp=True), 0.95)
    osc_damp_alpha: float = _tuning(number(0, 1, clamp=True), 0.3)
    osc_damp_decay: float = _tuning(number(0, 1, clamp=True), 0.05)
    osc_damp_threshold: float = _tuning(number(0, clamp=True), 300.0, "W")
    grid_predict_trust: float = _tuning(number(0, 1, clamp=True), 0.5)
    concentrate_deadband: float = _tuning(number(0, clamp=True), 60.0, "W")
    import_trim_w: float = _tuning(number(0, clamp=True), 15.0, "W")
    saturation_detection: bool = option(
        boolean(),
        default=True,
        help="Notice a battery that cannot deliver more (full, empty, limited) and give its "
        "share to the others.",
    )
    saturation_alpha: float = _tuning(number(0.01, 1, clamp=True), 0.15)
    min_target_for_saturation: int = option(
        integer(1, clamp=True),
        default=20,
        unit="W",
        help="Efficiency mode: a battery that is known to be unable to deliver this is not called "
        "to work.",
    )
    saturation_decay_factor: float = _tuning(number(0, 1, clamp=True), 0.995)
    saturation_grace_seconds: float = option(
        number(0, clamp=True),
        default=90.0,
        unit="s",
        help="Efficiency mode: how long a battery that was called to work may take to prove that "
        "it does; another one is called then.",
    )
    saturation_stall_timeout_seconds: float = _tuning(number(0, clamp=True), 60.0, "s")
    min_efficient_power: int = option(
        integer(0, clamp=True),
        default=0,
        unit="W",
        help="Efficiency mode: only so many batteries work as the load gives each of them this "
        "power; the others rest at 0 W, and they take turns. 0 is off: all work all the time.",
    )
    probe_min_power: int = option(
        integer(0, clamp=True),
        default=80,
        unit="W",
        help="Efficiency mode: what a battery that was called to work and does not start is asked "
        "for, at least.",
    )
    efficiency_rotation_interval: int = option(
        integer(1, clamp=True),
        default=900,
        unit="s",
        help="Efficiency mode: how long a battery stays at the head of the order, times its "
        "efficiency window weight.",
    )
    efficiency_fade_alpha: float = _tuning(number(0.01, 1, clamp=True), 0.15)
    efficiency_saturation_threshold: float = _tuning(number(0, 1, clamp=True), 0.4)
    efficiency_demand_alpha: float = option(
        number(0.01, 1, clamp=True),
        default=0.1,
        help="Efficiency mode: how much of the demand is new after a second, when it is decided "
        "how many batteries are needed; 1: all of it, so that short changes count, too.",
    )
