"""The figures of a run; lower is better in all of them (evaluation.md section 5)."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from simulator.evaluation.recording import Observation, Recording
from simulator.site import EXPORT_CT_PER_KWH, IMPORT_CT_PER_KWH

SETTLED_W = 25.0
SETTLED_FOR_S = 10.0
LONGEST_WINDOW_S = 600.0
CROSSING_W = 20.0
LONGEST_GAP_S = 5.0
STEADY_AFTER_S = 120.0
FULL_SOC = 0.98
EMPTY_SOC = 0.02
AT_LIMIT_W = 5.0
STORED_CT_PER_KWH = 19.0
"""What energy left in the packs is worth: between buying and selling, so that neither emptying
nor filling them at the end of a run pays (evaluation.md section 5.1, defect a)."""


@dataclass(frozen=True, slots=True)
class EventResult:
    """How the grid came to rest after one event.

    :ivar settle_s: until it stayed within the band; until the window's end when it did not.
    :ivar window_s: how long there was until the next event, or until nobody waits any longer.
    :ivar disturbed_w: the grid power that it began with.
    :ivar bound_s: the least that the plant allows; None when it does not allow it at all.
    """

    at_s: float
    label: str
    settled: bool
    settle_s: float
    overshoot_w: float
    bound_s: float | None = 0.0
    disturbed_w: float = 0.0
    window_s: float = LONGEST_WINDOW_S

    @property
    def possible(self) -> bool:
        """Whether the plant, and the time until the next event, allow it to settle."""
        return self.bound_s is not None and self.bound_s + SETTLED_FOR_S <= self.window_s

    @property
    def ratio(self) -> float | None:
        """Settling over the bound; None without a bound or when it is 0."""
        return self.settle_s / self.bound_s if self.bound_s else None


def percentile(values: Sequence[float], share: float) -> float:
    """Linear interpolation at index ``(n - 1) * share``; 0 without values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def event_results(run: Recording, *, every: bool = False) -> list[EventResult]:
    """One result for each labelled event that disturbed the grid.

    :param every: also for those that did not, as ``steering-scenarios.json`` counts.
    """
    times = [o.at_s for o in run.observations]
    marks = run.marks
    found = []
    for number, (at_s, label) in enumerate(marks):
        end_s = min(run.duration_s, at_s + LONGEST_WINDOW_S)
        if number + 1 < len(marks):
            end_s = min(end_s, marks[number + 1][0])
        disturbed = bisect_right(run.disturbed_s, at_s)
        if disturbed < len(run.disturbed_s):
            end_s = min(end_s, run.disturbed_s[disturbed])
        end = bisect_left if run.ends_before_next and end_s < run.duration_s else bisect_right
        window = run.observations[bisect_left(times, at_s) : end(times, end_s)]
        if window and (every or abs(window[0].grid_w) >= SETTLED_W):
            bound_s = run.bounds_s[number] if number < len(run.bounds_s) else 0.0
            found.append(_result(at_s, label, end_s, window, bound_s))
    return found


def _result(
    at_s: float, label: str, end_s: float, window: list[Observation], bound_s: float | None
) -> EventResult:
    first_w = window[0].grid_w
    sign = 1 if first_w > 0 else -1
    window_s = end_s - at_s
    overshoot_w = max(0.0, *(-sign * o.grid_w for o in window))
    calm_since_s: float | None = None
    for one in window:
        if abs(one.grid_w) >= SETTLED_W:
            calm_since_s = None
        elif calm_since_s is None:
            calm_since_s = one.at_s
        elif one.at_s - calm_since_s >= SETTLED_FOR_S:
            settle_s = calm_since_s - at_s
            return EventResult(at_s, label, True, settle_s, overshoot_w, bound_s, first_w, window_s)
    return EventResult(at_s, label, False, window_s, overshoot_w, bound_s, first_w, window_s)


def metrics(run: Recording) -> dict[str, float]:
    """All figures of a run, rounded as in section 5."""
    pairs = _pairs(run.observations)
    hours = run.duration_s / 3600
    results = event_results(run)
    settles = [r.settle_s for r in results]
    overshoots = [r.overshoot_w for r in results]
    energy = _energy(run, pairs)
    powers = [o.grid_w for o in run.observations]
    weight = sum(gap_s for _, gap_s in pairs)
    found: dict[str, float] = {
        "events_measured": len(results),
        "settle_mean_s": round(_mean(settles), 1),
        "settle_p95_s": round(percentile(settles, 0.95), 1),
        "unsettled_events": sum(not r.settled for r in results),
        "overshoot_mean_w": round(_mean(overshoots), 1),
        "overshoot_max_w": round(max(overshoots, default=0.0), 1),
        "band_crossings_per_h": round(_crossings(powers) / hours, 2),
        "grid_p2p_w": round(percentile(powers, 0.95) - percentile(powers, 0.05), 1),
        "grid_rms_w": round(_rms(pairs, weight), 1),
        "steady_rms_w": round(_steady_rms(run), 1),
        "mean_abs_grid_w": round(_weighted(pairs, weight), 1),
        "share_imbalance_w": round(_imbalance(run, pairs, weight), 1),
        "battery_travel_w_per_h": round(_travel(run.observations) / hours),
    }
    return found | energy | _extras(run)


def _extras(run: Recording) -> dict[str, float]:
    """What the predecessor's evaluation lacks: stored energy, phases, age of samples."""
    socs = [soc for o in run.observations for soc in o.socs]
    results = event_results(run)
    ratios = [r.ratio for r in results if r.ratio is not None and r.settled]
    bounds = [r.bound_s for r in results if r.bound_s is not None]
    return {
        "bound_mean_s": round(_mean(bounds), 1),
        "settle_ratio": round(_mean(ratios), 2),
        "unsettled_avoidable": sum(not r.settled and r.possible for r in results),
        "soc_min": round(min(socs, default=0.0), 3),
        "soc_max": round(max(socs, default=0.0), 3),
        "phase_import_wh": round(sum(run.imports_wh), 1),
        "phase_export_wh": round(sum(run.exports_wh), 1),
        **{
            f"{way}_{phase}_wh": round(energy_wh, 1)
            for way, energies in (("import", run.imports_wh), ("export", run.exports_wh))
            for phase, energy_wh in zip("abc", energies, strict=True)
        },
        "oldest_sample_s": round(run.oldest_sample_s, 1),
        "mean_sample_age_s": round(run.age_sum_s / run.polls, 2) if run.polls else 0.0,
        "unanswered_polls": run.unanswered,
        "rejected_answers": run.rejected,
        "interlocks": run.conflicts,
    }


Pairs = list[tuple[Observation, float]]


def _pairs(observations: Sequence[Observation]) -> Pairs:
    """Each observation with the time until the next, at most 5 s."""
    found = []
    for one, after in pairwise(observations):
        gap_s = min(after.at_s - one.at_s, LONGEST_GAP_S)
        if gap_s > 0:
            found.append((one, gap_s))
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _crossings(powers: Sequence[float]) -> int:
    side = crossings = 0
    for power_w in powers:
        now = (power_w > CROSSING_W) - (power_w < -CROSSING_W)
        if now and now != side:
            crossings += side != 0
            side = now
    return crossings


def _rms(pairs: Pairs, weight: float) -> float:
    return math.sqrt(sum(o.grid_w**2 * gap_s for o, gap_s in pairs) / weight) if weight else 0.0


def _weighted(pairs: Pairs, weight: float) -> float:
    return sum(abs(o.grid_w) * gap_s for o, gap_s in pairs) / weight if weight else 0.0


def _steady_rms(run: Recording) -> float:
    starts = [at_s for at_s, _ in run.marks]
    squares = []
    for one in run.observations:
        before = bisect_right(starts, one.at_s)
        if not before or one.at_s >= starts[before - 1] + STEADY_AFTER_S:
            squares.append(one.grid_w**2)
    return math.sqrt(_mean(squares))


def _imbalance(run: Recording, pairs: Pairs, weight: float) -> float:
    groups = [
        [i for i, unit in enumerate(run.units) if unit.phase == phase]
        for phase in sorted({unit.phase for unit in run.units})
    ]
    groups = [group for group in groups if len(group) >= 2]
    if not groups or not weight:
        return 0.0
    total = 0.0
    for one, gap_s in pairs:
        for group in groups:
            mean_w = sum(one.outputs_w[i] for i in group) / len(group)
            total += gap_s * sum(abs(one.outputs_w[i] - mean_w) for i in group)
    return total / weight


def _travel(observations: Sequence[Observation]) -> float:
    return sum(
        abs(now_w - then_w)
        for one, after in pairwise(observations)
        if after.at_s > one.at_s
        for then_w, now_w in zip(one.outputs_w, after.outputs_w, strict=True)
    )


def _energy(run: Recording, pairs: Pairs) -> dict[str, float]:
    import_wh = export_wh = avoidable_import_wh = avoidable_export_wh = 0.0
    for one, gap_s in pairs:
        energy_wh = one.grid_w * gap_s / 3600
        if energy_wh > 0:
            import_wh += energy_wh
            avoidable_import_wh += energy_wh * _could_discharge(run, one)
        else:
            export_wh -= energy_wh
            avoidable_export_wh -= energy_wh * _could_charge(run, one)
    cost_ct = (IMPORT_CT_PER_KWH * import_wh - EXPORT_CT_PER_KWH * export_wh) / 1000
    oracle_ct, oracle_wh = _oracle(run, pairs)
    stored_wh = _stored(run, run.observations[-1]) - run.given_wh if run.observations else 0.0
    left_ct = STORED_CT_PER_KWH * (oracle_wh - stored_wh) / 1000
    return {
        "import_wh": round(import_wh, 1),
        "export_wh": round(export_wh, 1),
        "avoidable_import_wh": round(avoidable_import_wh, 1),
        "avoidable_export_wh": round(avoidable_export_wh, 1),
        "grid_cost_ct": round(cost_ct, 2),
        "oracle_cost_ct": round(oracle_ct, 2),
        "cost_regret_ct": round(max(0.0, cost_ct - oracle_ct), 2),
        "fair_regret_ct": round(cost_ct - oracle_ct + left_ct, 2),
    }


def _could_discharge(run: Recording, one: Observation) -> bool:
    return any(
        soc > EMPTY_SOC and power_w < unit.max_discharge_w - AT_LIMIT_W
        for unit, soc, power_w in zip(run.units, one.socs, one.outputs_w, strict=True)
    )


def _could_charge(run: Recording, one: Observation) -> bool:
    return any(
        unit.charges_from_ac and soc < FULL_SOC and power_w > -unit.max_charge_w + AT_LIMIT_W
        for unit, soc, power_w in zip(run.units, one.socs, one.outputs_w, strict=True)
    )


def _stored(run: Recording, one: Observation) -> float:
    return sum(u.capacity_wh * soc for u, soc in zip(run.units, one.socs, strict=True))


def _oracle(run: Recording, pairs: Pairs) -> tuple[float, float]:
    """Cost and final energy of one ideal lossless battery (section 5.1)."""
    capacity_wh = sum(u.capacity_wh for u in run.units)
    charge_w = sum(u.max_charge_w for u in run.units)
    discharge_w = sum(u.max_discharge_w for u in run.units)
    energy_wh = sum(u.capacity_wh * u.initial_soc for u in run.units)
    import_wh = export_wh = 0.0
    for one, gap_s in pairs:
        hours = gap_s / 3600
        high_w = min(discharge_w, one.dc_w + energy_wh / hours)
        low_w = min(high_w, max(-charge_w, one.dc_w - (capacity_wh - energy_wh) / hours))
        power_w = min(max(one.house_w, low_w), high_w)
        energy_wh = min(max(energy_wh + (one.dc_w - power_w) * hours, 0.0), capacity_wh)
        rest_wh = (one.house_w - power_w) * hours
        import_wh += max(0.0, rest_wh)
        export_wh += max(0.0, -rest_wh)
    return (IMPORT_CT_PER_KWH * import_wh - EXPORT_CT_PER_KWH * export_wh) / 1000, energy_wh
