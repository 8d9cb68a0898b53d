"""Is it better? Two sets of rows against each other (evaluation.md section 6)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from simulator.evaluation.rows import ADDED, REPORTED, aggregate, key_of

TOLERANCE = 0.05

PREDECESSOR = "predecessor"
PREDECESSOR_FILE = "predecessor.json"

WEIGHTS: Mapping[str, float] = {
    "cost_regret_ct": 4.0,
    "avoidable_import_wh": 4.0,
    "overshoot_max_w": 3.0,
    "band_crossings_per_h": 2.0,
    "battery_travel_w_per_h": 2.0,
    "share_imbalance_w": 2.0,
    "grid_p2p_w": 1.5,
    "avoidable_export_wh": 1.0,
    "grid_rms_w": 1.0,
    "overshoot_mean_w": 1.0,
    "mean_abs_grid_w": 1.0,
    "steady_rms_w": 0.5,
    "settle_mean_s": 0.5,
    "unsettled_events": 0.5,
    "settle_p95_s": 0.3,
}

GUARDED = (
    "overshoot_max_w",
    "band_crossings_per_h",
    "grid_p2p_w",
    "avoidable_import_wh",
    "cost_regret_ct",
)
"""What must not become worse, whatever else becomes better."""

_ROUNDING = {"battery_travel_w_per_h": 1.0, "band_crossings_per_h": 0.01, "cost_regret_ct": 0.01}

Rows = Sequence[Mapping[str, Any]]


class CompareError(ValueError):
    """The file to compare with is of no use; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rows that both sides have, and what follows.

    :ivar base: aggregate of the base over those rows; also ``head``.
    :ivar only_base: scenarios that only the base has; also ``only_head``.
    """

    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    base: Mapping[str, float]
    head: Mapping[str, float]
    only_base: Sequence[str]
    only_head: Sequence[str]

    @property
    def overall(self) -> str:
        """Counts of figures that improved and not, and the mean change."""
        changes = self.changes()
        better = sum(change < 0 for change in changes.values())
        worse = sum(change > 0 for change in changes.values())
        mean = _mean([self.relative(key) for key in changes if self.base[key]])
        word = "better" if mean < 0 else "worse" if mean > 0 else "the same"
        return (
            f"{better} improved, {worse} regressed, {len(changes) - better - worse} unchanged "
            f"across {len(changes)} metrics — mean {100 * mean:+.1f}% ({word})"
        )

    @property
    def priority(self) -> float:
        """The change, each figure weighted by what it is worth; less than 0 is better."""
        weighed = [(WEIGHTS[key], self.relative(key)) for key in self.changes() if self.base[key]]
        total = sum(weight for weight, _ in weighed)
        return sum(weight * change for weight, change in weighed) / total if total else 0.0

    def changes(self) -> dict[str, float]:
        """Head less base of every figure that both have."""
        return {
            key: round(self.head[key] - self.base[key], 6)
            for key in REPORTED
            if key in self.base and key in self.head
        }

    def relative(self, key: str) -> float:
        """Change as a fraction of a base that is not 0."""
        return (self.head[key] - self.base[key]) / abs(self.base[key])

    def harms(self) -> list[str]:
        """The guarded figures that became worse by more than the tolerance."""
        found = []
        for key in GUARDED:
            if key in self.base and key in self.head:
                base, head = self.base[key], self.head[key]
                if base == 0 < head:
                    found.append(f"{key} 0→{head:g}")
                elif base and self.relative(key) > TOLERANCE:
                    found.append(f"{key} {100 * self.relative(key):+.0f}%")
        return found

    def worse(self) -> Iterator[tuple[str, str, str, float, float]]:
        """Every figure of every scenario that is more than 5 % worse: scenario, plant, name of the
        figure, base, head. What rounding alone can do does not count."""
        for base, head in self.pairs:
            for key in REPORTED:
                if key in base and key in head:
                    most = base[key] + max(TOLERANCE * abs(base[key]), _ROUNDING.get(key, 0.1))
                    if head[key] > most:
                        yield (*key_of(head), key, base[key], head[key])


def compare(base: Rows, head: Rows) -> Comparison:
    """Two sets of rows by scenario and plant."""
    of_base = {key_of(row): row for row in base}
    of_head = {key_of(row): row for row in head}
    pairs = [(of_base[key], row) for key, row in of_head.items() if key in of_base]
    return Comparison(
        pairs,
        aggregate([row for row, _ in pairs]),
        aggregate([row for _, row in pairs]),
        [" on ".join(key) for key in of_base if key not in of_head],
        [" on ".join(key) for key in of_head if key not in of_base],
    )


@cache
def predecessor() -> Rows:
    """What AstraMeter 2.2.3 measured of itself, as far as it is known."""
    text = resources.files("simulator.evaluation").joinpath(PREDECESSOR_FILE).read_text("utf-8")
    tables = json.loads(text)
    return [
        {"scenario": scenario, "plant": plant, **figures}
        for plant in ("classic", "field")
        for scenario, figures in tables[plant].items()
    ]


def rows_in(text: str, name: str) -> list[dict[str, Any]]:
    """The rows of a file that ``--json`` wrote.

    :raises CompareError: when it holds something else.
    """
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise CompareError(f"{name}: no JSON ({error}); give a file that --json wrote") from None
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("scenario"), str) for row in rows
    ):
        raise CompareError(f"{name}: not a list of rows; give a file that --json wrote")
    for row in rows:
        for key in REPORTED:
            value = row.get(key, 0.0)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise CompareError(f"{name}: {key} of {row['scenario']} is no number")
    return rows


def whole_rows_in(text: str, name: str) -> list[dict[str, Any]]:
    """The same, for a report: files of AstraMeter 2.x are good enough only to compare with.

    :raises CompareError: as above, and when there is nothing to report.
    """
    rows = rows_in(text, name)
    if not rows:
        raise CompareError(f"{name}: no rows")
    needed = {"plant", "duration_h", "duration_s", "events_measured", "events", *REPORTED, *ADDED}
    for row in rows:
        missing = sorted(needed - row.keys())
        if missing:
            raise CompareError(
                f"{name}: {row['scenario']} has no {missing[0]}; it was not written by this "
                "version of --json, and can only be compared with"
            )
    return rows


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
