"""A run as a row of plain values: what is merged, compared, written to files and drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.evaluation.account import Account
from simulator.evaluation.cases import Case, Judged
from simulator.evaluation.metrics import event_results, metrics
from simulator.evaluation.recording import Observation, Recording

BUCKETS = 1800
"""Points of a chart over a run."""

REPORTED: Mapping[str, str] = {
    "settle_mean_s": "seconds until the grid rested within 25 W after an event, mean",
    "settle_p95_s": "the same, 95th percentile",
    "unsettled_events": "events after which it never rested",
    "overshoot_mean_w": "how far the grid swung to the other side after an event, mean",
    "overshoot_max_w": "the same, worst of a run",
    "band_crossings_per_h": "changes from 20 W import to 20 W export and back",
    "grid_p2p_w": "5th to 95th percentile of the grid power",
    "grid_rms_w": "rms of the grid power",
    "steady_rms_w": "the same, without the two minutes after each event",
    "mean_abs_grid_w": "mean of the grid power without its sign",
    "share_imbalance_w": "distance of the outputs on a phase from their mean, summed",
    "avoidable_import_wh": "bought while a battery could have given more",
    "avoidable_export_wh": "sold while a battery could have stored more",
    "cost_regret_ct": "paid more than a perfect battery would, energy left over not counted",
    "battery_travel_w_per_h": "how far the outputs moved, up and down, per hour",
}
"""The figures of evaluation.md, with what they mean; less is better in all of them."""

ADDED: Mapping[str, str] = {
    "fair_regret_ct": "paid more than a perfect battery, with what is left in the pack priced",
    "bound_mean_s": "least settling time that the plant allows, mean",
    "settle_ratio": "settling time over that bound, mean of the events that settled",
    "unsettled_avoidable": "unsettled events that the plant would have allowed to settle",
    "phase_import_wh": "import summed by phase, before the phases are netted",
    "phase_export_wh": "export summed by phase",
    "mean_sample_age_s": "age of the readings that answers were made of, mean",
    "oldest_sample_s": "the same, worst",
    "interlocks": "answers that made a battery stop for 10 s because others worked against it",
    "rejected_answers": "answers that a battery did not take",
}
"""What we add to them."""

MEANINGS: Mapping[str, str] = {**REPORTED, **ADDED}

_DECIMALS = {
    "band_crossings_per_h": 2,
    "battery_travel_w_per_h": 0,
    "soc_min": 3,
    "soc_max": 3,
    "settle_ratio": 2,
    "mean_sample_age_s": 2,
    "duration_h": 3,
}


def rounded(key: str, value: float) -> float:
    """A figure with the decimals that it is worth."""
    return round(value, _DECIMALS.get(key, 2 if key.endswith("_ct") else 1))


def row_of(
    case: Case, seed: int, run: Recording, judged: Judged, account: Account | None = None
) -> dict[str, Any]:
    """One run.

    :param account: what the controller said; when it is given, the row has all that is needed to
        draw the run.
    """
    row: dict[str, Any] = {
        "scenario": case.name,
        "plant": case.plant,
        "group": case.group,
        "about": case.about,
        "seed": seed,
        "duration_h": round(case.duration_s / 3600, 3),
        "duration_s": case.duration_s,
        "samples": len(run.observations),
        **metrics(run),
        "problems": list(judged.problems),
        "compared": [
            {"name": one.name, "ours": one.ours, "theirs": one.theirs, "worse": one.worse}
            for one in judged.compared
        ],
        "events": [
            {
                "at_s": round(event.at_s, 1),
                "label": event.label,
                "settled": event.settled,
                "settle_s": round(event.settle_s, 1),
                "bound_s": None if event.bound_s is None else round(event.bound_s, 1),
                "ratio": None if event.ratio is None else round(event.ratio, 2),
                "overshoot_w": round(event.overshoot_w, 1),
            }
            for event in event_results(run)
        ],
    }
    return row if account is None else row | _charts(run, account)


def _charts(run: Recording, account: Account) -> dict[str, Any]:
    bucketed = Buckets(run)
    units = range(len(run.units))
    return {
        "battery_labels": [unit.label for unit in run.units],
        "marks": [[round(at_s, 1), label] for at_s, label in run.marks],
        "grid_trace": bucketed.of(lambda o: o.grid_w),
        "consumption_trace": bucketed.of(lambda o: o.house_w),
        "battery_traces": [bucketed.of_unit(_output, i) for i in units],
        "target_traces": [bucketed.of_unit(_target, i) for i in units],
        "soc_traces": [bucketed.of_unit(_soc, i, 4) for i in units],
        "explained": account.after_events(run),
    }


def _output(one: Observation, battery: int) -> float:
    return one.outputs_w[battery]


def _soc(one: Observation, battery: int) -> float:
    return one.socs[battery]


def _target(one: Observation, battery: int) -> float:
    """What is wanted of a battery; until that is said, that it stays."""
    found = one.targets_w[battery] if one.targets_w else None
    return one.outputs_w[battery] if found is None else found


class Buckets:
    """Means over equal pieces of a run."""

    def __init__(self, run: Recording) -> None:
        self._count = min(BUCKETS, max(1, len(run.observations)))
        width_s = run.duration_s / self._count
        self._places = [min(self._count - 1, int(o.at_s / width_s)) for o in run.observations]
        self._observations = run.observations

    def of_unit(
        self, value: Callable[[Observation, int], float], unit: int, decimals: int = 1
    ) -> list[float]:
        """The same of one battery."""
        return self.of(lambda one: value(one, unit), decimals)

    def of(self, value: Callable[[Observation], float], decimals: int = 1) -> list[float]:
        """An empty piece repeats the one before; leading ones are 0."""
        sums, counts = [0.0] * self._count, [0] * self._count
        for place, one in zip(self._places, self._observations, strict=True):
            sums[place] += value(one)
            counts[place] += 1
        found, last = [], 0.0
        for total, count in zip(sums, counts, strict=True):
            last = round(total / count, decimals) if count else last
            found.append(last)
        return found


def merged(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The runs of one scenario with several seeds: means of all figures, the charts and events of
    the first seed. A single one is passed unchanged."""
    first = dict(rows[0])
    if len(rows) == 1:
        return first
    for key, value in first.items():
        if type(value) in (int, float) and key != "seed" and key in rows[-1]:
            first[key] = rounded(key, sum(row[key] for row in rows) / len(rows))
    first["seeds"] = [row["seed"] for row in rows]
    first["n_seeds"] = len(rows)
    first["overshoot_worst_w"] = max(row["overshoot_max_w"] for row in rows)
    first["problems"] = [
        f"seed {row['seed']}: {problem}" for row in rows for problem in row["problems"]
    ]
    first["per_seed"] = {key: [row[key] for row in rows] for key in (*REPORTED, *ADDED)}
    del first["seed"]
    return first


def aggregate(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Plain means over scenarios of every figure that all of them have.

    Where nothing happens settling and overshoot count as 0, as they always did.
    """
    found = {}
    for key in (*REPORTED, *ADDED):
        values = [row[key] for row in rows if key in row]
        if values and len(values) == len(rows):
            if key == "settle_ratio":  # there is none where nothing happens
                values = [value for value in values if value] or [0.0]
            found[key] = rounded(key, sum(values) / len(values))
    return found


def key_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """What makes rows of two files comparable; files of the predecessor tell no plant."""
    return (str(row["scenario"]), str(row.get("plant", "classic")))
