"""The steering evaluation in short: means over a few scenarios on both plants, one seed."""

from __future__ import annotations

import time

from bench.load import report
from simulator.evaluation.cases import cases, select
from simulator.evaluation.rows import aggregate
from simulator.evaluation.runner import jobs_of, play_all

NAMES = (
    "single_venus_steps",
    "single_venus_washer",
    "two_venus/fair",
    "mixed_venus_b2500/fair",
    "mixed_cadence/fair",
    "phase_imbalance",
)
SHOWN = (
    "settle_mean_s",
    "settle_ratio",
    "unsettled_events",
    "overshoot_max_w",
    "band_crossings_per_h",
    "share_imbalance_w",
    "cost_regret_ct",
    "battery_travel_w_per_h",
)


def main() -> None:
    """One line; ``make bench`` is compared over time, so it always runs the same."""
    figures: dict[str, float] = {}
    started = time.process_time()
    for plant in ("field", "classic"):
        rows = play_all(jobs_of(select(NAMES, cases(plant)), [1], made_with=(plant,)), 1)
        means = aggregate(rows)
        figures |= {f"{plant}_{key}": means[key] for key in SHOWN}
    report(bench="evaluation", seconds=round(time.process_time() - started, 1), **figures)


if __name__ == "__main__":
    main()
