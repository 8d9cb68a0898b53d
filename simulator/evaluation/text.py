"""Rows and comparisons as text for a terminal, and as Markdown for a comment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simulator.evaluation.compare import Comparison
from simulator.evaluation.rows import ADDED, REPORTED, aggregate, rounded

NAME_COLUMNS = 28

_UNITS = (
    ("_per_h", " per h"),
    ("_wh", " Wh"),
    ("_ct", " ct"),
    ("_w", " W"),
    ("_s", " s"),
)

Row = Mapping[str, Any]


def figure(key: str, value: float) -> str:
    """A figure with its unit."""
    for ending, unit in _UNITS:
        if key.endswith(ending):
            return f"{rounded(key, value):g}{' W' if key.endswith('_w_per_h') else ''}{unit}"
    return f"{rounded(key, value):g}"


def block(row: Row) -> list[str]:
    """All that is to be said about one scenario."""
    seeds = f"mean of {row['n_seeds']} seeds" if "n_seeds" in row else f"seed {row['seed']}"
    plant = "" if row["plant"] == "own" else f" on {row['plant']}"
    head = (
        f"== {row['scenario']}{plant} ({seeds}, {row['duration_h']:.1f}h, "
        f"{row['events_measured']:.1f} events)"
    )
    return [head, *figures(row), *events(row), *verdicts(row)]


def events(row: Row) -> list[str]:
    """One line for each event of the first seed: how fast, and how fast it could have been."""
    return [
        f"  {one['at_s']:>8.1f} s {one['label']:<16}{_pace(one)}, "
        f"overshoot {one['overshoot_w']:g} W"
        for one in row.get("events", ())
    ]


def _pace(one: Mapping[str, Any]) -> str:
    found = f"{one['settle_s']:g} s" if one["settled"] else "not settled"
    if one["bound_s"] is None:
        return f"{found}, not possible for the plant"
    ratio = f" x {one['ratio']:.2f}" if one["settled"] and one["ratio"] is not None else ""
    return f"{found}, least possible {one['bound_s']:g} s{ratio}"


def figures(found: Mapping[str, Any]) -> list[str]:
    """One line for each figure."""
    keys = (*REPORTED, "overshoot_worst_w")
    lines = [f"  {key:<24}{figure(key, found[key])}" for key in keys if key in found]
    shown = (key for key in ADDED if key in found and (key not in _RARE or found[key]))
    return lines + [f"  {key:<24}{figure(key, found[key])}" for key in shown]


_RARE = frozenset({"interlocks", "rejected_answers"})


def verdicts(row: Row) -> list[str]:
    """What is wrong, and what is worse than what the predecessor left."""
    lines = [f"  !! {problem}" for problem in row.get("problems", ())]
    for one in row.get("compared", ()):
        word = "worse than" if one["worse"] else "beside"
        lines.append(f"  {one['name']:<24}{one['ours']:g} {word} {one['theirs']:g} of 2.2.3")
    return lines


def table(rows: Sequence[Row]) -> str:
    """Everything, the means first when there are several."""
    blocks = []
    if len(rows) > 1:
        blocks.append([f"== AGGREGATE ({len(rows)} scenarios)", *figures(aggregate(rows))])
    blocks += [block(row) for row in rows]
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def summary(rows: Sequence[Row]) -> list[str]:
    """A few lines on what was judged, not measured."""
    lines = []
    judged = [row for row in rows if row.get("compared")]
    if judged:
        good = sum(not any(one["worse"] for one in row["compared"]) for row in judged)
        lines.append(f"{good} of {len(judged)} recorded courses better than or equal to 2.2.3")
    wrong = [row for row in rows if row.get("problems")]
    if wrong:
        lines.append(f"{len(wrong)} of {len(rows)} scenarios not as they must be:")
        lines += [f"  {row['scenario']}: {row['problems'][0]}" for row in wrong]
    return lines


def markdown(found: Comparison) -> str:
    """The comparison as a comment on a change."""
    lines = ["## Steering evaluation", "", f"**Overall:** {found.overall}", ""]
    lines.append(f"**Priority:** {100 * found.priority:+.1f}% ({_word(found.priority)})")
    harms = found.harms()
    if harms:
        lines.append(f"**Worse where it must not be:** {', '.join(harms)}")
    lines += ["", f"### Mean of {len(found.pairs)} scenarios", "", *_table(found.base, found.head)]
    lines += ["", "<details><summary>What the figures mean</summary>", ""]
    lines += [f"- `{key}`: {meaning}" for key, meaning in REPORTED.items()]
    lines += ["", "</details>"]
    for base, head in found.pairs:
        lines += ["", f"<details><summary>{_headline(head)}</summary>", "", *_table(base, head)]
        lines += ["", "</details>"]
    if found.only_base:
        lines += ["", f"Only in the base: {', '.join(found.only_base)}"]
    return "\n".join(lines) + "\n"


def _headline(row: Row) -> str:
    return (
        f"{row['scenario']} on {row['plant']}: settles in {row['settle_mean_s']:g} s, overshoots "
        f"{row['overshoot_max_w']:g} W, rms {row['grid_rms_w']:g} W"
    )


def _word(change: float) -> str:
    return "better" if change < 0 else "worse" if change > 0 else "the same"


def _table(base: Mapping[str, Any], head: Mapping[str, Any]) -> Iterator[str]:
    yield "| Metric | Base | Head | Δ |"
    yield "|---|---:|---:|---:|"
    for key in REPORTED:
        if key in head:
            before = figure(key, base[key]) if key in base else "—"
            yield f"| {key} | {before} | {figure(key, head[key])} | {change(key, base, head)} |"


def change(key: str, base: Mapping[str, Any], head: Mapping[str, Any]) -> str:
    """Whole percent, or the difference where the base is 0."""
    if key not in base:
        return "—"
    difference = head[key] - base[key]
    if abs(difference) < 1e-9:
        return "="
    if not base[key]:
        return f"{difference:+g}"
    return f"{100 * difference / abs(base[key]):+.0f}%"
