"""The report: one page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import Any

from simulator.evaluation.compare import Comparison, Rows, compare, predecessor
from simulator.evaluation.details import scenario
from simulator.evaluation.rows import MEANINGS, aggregate, key_of
from simulator.evaluation.text import figure

MOST_DRAWN = 60
"""Scenarios with charts; with more, those with problems come first."""

COLUMNS: Mapping[str, tuple[str, str]] = {
    "settle_mean_s": ("settles", "s"),
    "settle_ratio": ("pace", "× least"),
    "unsettled_events": ("unsettled", "events"),
    "overshoot_max_w": ("overshoot", "W, worst"),
    "band_crossings_per_h": ("crossings", "/h"),
    "steady_rms_w": ("steady", "W rms"),
    "share_imbalance_w": ("imbalance", "W"),
    "avoidable_import_wh": ("bought in vain", "Wh"),
    "avoidable_export_wh": ("sold in vain", "Wh"),
    "fair_regret_ct": ("regret, fair", "ct"),
    "cost_regret_ct": ("regret", "ct"),
    "battery_travel_w_per_h": ("travel", "W/h"),
}
"""What the summary shows, with heading and unit."""

TILES = (
    "settle_mean_s",
    "settle_ratio",
    "overshoot_max_w",
    "band_crossings_per_h",
    "cost_regret_ct",
    "share_imbalance_w",
    "battery_travel_w_per_h",
)

SIGNIFICANT = 0.05

Row = Mapping[str, Any]


def page(rows: Rows, base: Rows | None = None) -> str:
    """The whole report.

    :param base: rows to compare with; the predecessor's figures are shown in any case.
    """
    comparison = compare(base, rows) if base else None
    old = {key_of(row): row for row in predecessor()}
    before = {key_of(row): row for row in base or ()}
    if before == old:
        before = {}
    body = "".join(
        (
            _head(rows),
            _tiles(rows, comparison if before else None),
            "".join(_notes(rows, comparison, "the base" if before else "AstraMeter 2.2.3")),
            _summary(rows, before, old),
            "".join(_worse(comparison)),
            "".join(_scenarios(rows, before)),
            _meanings(),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Steering evaluation</title><style>{_file('page.css')}</style></head>"
        f"<body><main>{body}</main><script>{_file('page.js')}</script></body></html>\n"
    )


@cache
def _file(name: str) -> str:
    return resources.files("simulator.evaluation").joinpath(name).read_text("utf-8").strip()


def _head(rows: Rows) -> str:
    plants = sorted({str(row["plant"]) for row in rows if row.get("plant") != "own"})
    seeds = sorted({seed for row in rows for seed in row.get("seeds", [row.get("seed")])})
    span = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    on = f" on the {' and '.join(plants)} plant" if plants else ""
    hours = sum(row["duration_h"] * row.get("n_seeds", 1) for row in rows)
    return (
        '<div class="top"><div><h1>Steering evaluation</h1>'
        f'<p class="lead">{_count(len(rows), "scenario")}{escape(on)}, {span}: '
        f"{hours:.0f} hours in simulated time. Less is better in every figure.</p></div>"
        '<button id="theme" hidden>light / dark</button></div>'
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _tiles(rows: Rows, comparison: Comparison | None) -> str:
    means = aggregate(rows)
    old = compare(predecessor(), rows)
    found = []
    for key in TILES:
        if key not in means:
            continue
        heading, unit = COLUMNS[key]
        deltas = ""
        if comparison is not None and key in comparison.base:
            deltas += _delta(key, comparison.base, comparison.head, "base")
        elif _whole(old, rows) and key in old.base:
            deltas += _delta(key, old.base, old.head, "2.2.3")
        found.append(
            f'<div class="tile"><span class="name">{escape(heading)}</span>'
            f"<b>{_plain(key, means[key])}<small>{escape(unit)}</small></b>{deltas}</div>"
        )
    return f'<div class="tiles">{"".join(found)}</div>'


def _whole(old: Comparison, rows: Rows) -> bool:
    """Whether the predecessor's figures are known for all of the rows."""
    return len(old.pairs) == len(rows) and bool(rows)


def _plain(key: str, value: float) -> str:
    if key == "settle_ratio" and not value:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 1000 else figure(key, value).split(" ")[0]
    return text.replace("-", "−").replace(",", "\u202f")


def _delta(key: str, base: Row, head: Row, against: str) -> str:
    change = _change(key, base, head)
    if change is None:
        return f'<small class="hint">= {escape(against)}</small>'
    text, kind = change
    return f'<small class="{kind}">{text} <span class="hint">{escape(against)}</span></small>'


def _change(key: str, base: Row, head: Row) -> tuple[str, str] | None:
    """Text and kind of a change; None when it is not worth a word."""
    difference = head[key] - base[key]
    if not base[key]:
        if abs(difference) < 0.05:
            return None
        return (f"{difference:+g}".replace("-", "−"), "worse" if difference > 0 else "better")
    share = difference / abs(base[key])
    if abs(share) < 0.005:
        return None
    kind = "worse" if share > SIGNIFICANT else "better" if share < -SIGNIFICANT else ""
    return (f"{100 * share:+.0f} %".replace("-", "−"), kind)


def _notes(rows: Rows, comparison: Comparison | None, against: str) -> Iterator[str]:
    if comparison is not None:
        harms = comparison.harms()
        kind = "bad" if harms else "good"
        worse = f"<p>Worse where it must not be: {escape(', '.join(harms))}</p>" if harms else ""
        yield (
            f'<div class="note {kind}"><p><b>Against {against}:</b> {escape(comparison.overall)}; '
            f"weighted by what matters {100 * comparison.priority:+.1f} %.</p>{worse}</div>"
        )
    judged = [row for row in rows if row.get("compared")]
    if judged:
        good = sum(not any(one["worse"] for one in row["compared"]) for row in judged)
        yield (
            f'<div class="note {"good" if good == len(judged) else ""}"><p><b>{good} of '
            f"{len(judged)}</b> recorded courses are better than or equal to AstraMeter 2.2.3 in "
            "settling, overshoot and steady rms.</p></div>"
        )
    wrong = [row for row in rows if row.get("problems")]
    if wrong:
        items = "".join(
            f'<li><a href="#{_anchor(row)}">{escape(row["scenario"])}</a>: '
            f"{escape(row['problems'][0])}</li>"
            for row in wrong[:40]
        )
        more = f"<li>… and {len(wrong) - 40} more</li>" if len(wrong) > 40 else ""
        yield (
            f'<div class="note bad"><p><b>{_count(len(wrong), "scenario")}</b> not as '
            f"they must be:</p><ul>{items}{more}</ul></div>"
        )


def _anchor(row: Row) -> str:
    return escape(f"{row['scenario']}@{row.get('plant', '')}".replace(" ", "_"), quote=True)


def _summary(
    rows: Rows,
    before: Mapping[tuple[str, str], Row],
    old: Mapping[tuple[str, str], Row],
) -> str:
    keys = [key for key in COLUMNS if any(key in row for row in rows)]
    heads = "".join(
        f'<th title="{escape(MEANINGS[key])}">{escape(COLUMNS[key][0])}'
        f"<small>{escape(COLUMNS[key][1])}</small></th>"
        for key in keys
    )
    lines = []
    if len(rows) > 1:
        means = aggregate(rows)
        cells = "".join(
            f"<td>{_plain(key, means[key])}</td>" if key in means else "<td></td>" for key in keys
        )
        lines.append(f'<tr class="sum"><td>mean of {len(rows)}</td>{cells}</tr>')
        lines += _sums(keys, rows, before, "base")
        lines += _sums(keys, rows, old, "2.2.3")
    group = ""
    for row in rows:
        if row.get("group", "") != group:
            group = row.get("group", "")
            lines.append(
                f'<tr class="group"><td colspan="{len(keys) + 1}">{escape(group)}</td></tr>'
            )
        mark = ' <span class="bad-mark" title="not as it must be">!</span>'
        name = (
            f'<td><a href="#{_anchor(row)}">{escape(row["scenario"])}</a>'
            f"{mark if row.get('problems') else ''}</td>"
        )
        bases = [("base", before.get(key_of(row))), ("2.2.3", old.get(key_of(row)))]
        lines.append(f"<tr>{name}{''.join(_cell(key, row, bases) for key in keys)}</tr>")
    sides = (("the base", before), ("AstraMeter 2.2.3", old))
    known = [name for name, side in sides if any(key_of(row) in side for row in rows)]
    compared = f"Small print: change against {' and '.join(known)}." if known else ""
    return (
        f'<h2>Summary</h2><p class="hint">{compared}</p><div class="wide"><table><thead><tr>'
        f"<th>scenario</th>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _sums(
    keys: Sequence[str], rows: Rows, base: Mapping[tuple[str, str], Row], against: str
) -> Iterator[str]:
    """The change of the means, over the scenarios that both sides have."""
    found = compare(list(base.values()), rows)
    if found.pairs:
        cells = "".join(
            f"<td>{_delta(key, found.base, found.head, '')}</td>"
            if key in found.base
            else "<td></td>"
            for key in keys
        )
        yield f'<tr class="sum"><td>against {against} ({len(found.pairs)})</td>{cells}</tr>'


def _cell(key: str, row: Row, bases: Sequence[tuple[str, Row | None]]) -> str:
    if key not in row:
        return "<td></td>"
    deltas, kind = "", ""
    both = all(base is not None for _, base in bases)
    for against, base in bases:
        if base is not None and key in base:
            deltas += _delta(key, base, row, against if both else "")
            change = _change(key, base, row)
            kind = kind or (change[1] if change else "")
    per_seed = row.get("per_seed", {}).get(key)
    title = f' title="by seed: {", ".join(f"{one:g}" for one in per_seed)}"' if per_seed else ""
    shade = f' class="is-{kind}"' if kind else ""
    return f"<td{shade}{title}>{_plain(key, row[key])}{deltas}</td>"


def _worse(comparison: Comparison | None) -> Iterator[str]:
    """Every figure that became worse, for whoever has to say why."""
    found = list(comparison.worse()) if comparison is not None else []
    if not found:
        return
    lines = "".join(
        f"<tr><td>{escape(name)} on {escape(plant)}</td><td>{escape(key)}</td>"
        f"<td>{_plain(key, base)}</td><td>{_plain(key, head)}</td></tr>"
        for name, plant, key, base, head in found
    )
    yield (
        f'<details class="more"><summary>{_count(len(found), "figure")} more than 5 % worse than '
        'the base</summary><div class="wide"><table><thead><tr><th>scenario</th><th>figure</th>'
        f"<th>base</th><th>now</th></tr></thead><tbody>{lines}</tbody></table></div></details>"
    )


def _scenarios(rows: Rows, before: Mapping[tuple[str, str], Row]) -> Iterator[str]:
    drawn = [row for row in rows if "grid_trace" in row]
    if not drawn:
        return
    if len(drawn) > MOST_DRAWN:
        drawn = sorted(drawn, key=lambda row: not row.get("problems"))[:MOST_DRAWN]
    left_out = sum("grid_trace" in row for row in rows) - len(drawn)
    yield "<h2>Scenarios</h2>"
    yield '<p class="hint">Charts show the first seed. Drag to zoom, double click to see all.'
    yield f" {left_out} more without problems are not drawn.</p>" if left_out else "</p>"
    for number, row in enumerate(drawn):
        yield scenario(row, before.get(key_of(row)), _anchor(row), is_open=number == 0)


def _meanings() -> str:
    items = "".join(
        f"<tr><td>{escape(key)}</td><td class='text'>{escape(text)}</td></tr>"
        for key, text in MEANINGS.items()
    )
    return (
        '<details class="more"><summary>What the figures mean</summary><div class="wide"><table>'
        f"<tbody>{items}</tbody></table></div></details>"
        "<footer>Made by <code>astra-sim evaluate</code>: same seeds, same figures.</footer>"
    )
