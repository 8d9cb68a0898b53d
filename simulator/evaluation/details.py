"""One scenario of the report: charts, events, phases, and why the controller did what it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from simulator.evaluation.charts import Band, Line, chart, clock, legend
from simulator.evaluation.metrics import SETTLED_W
from simulator.evaluation.rows import MEANINGS
from simulator.evaluation.text import change, figure

Row = Mapping[str, Any]

_COLORS = 9
_MOST_KEYS = 4

_HINT = "drag to zoom, point to read"


def scenario(row: Row, base: Row | None, anchor: str, *, is_open: bool) -> str:
    """A collapsible section."""
    facts = [
        f"settles in {row['settle_mean_s']:g} s" if row["events_measured"] else "",
        f"overshoots {row['overshoot_max_w']:g} W" if row["events_measured"] else "",
        f"grid {row['grid_rms_w']:g} W rms",
    ]
    about = f'<span class="hint">{escape(row["about"])}</span>' if row.get("about") else ""
    bad = '<span class="bad-mark">!</span> ' if row.get("problems") else ""
    inside = "".join(
        (
            _problems(row),
            _charts(row),
            "".join(_events(row)),
            "".join(_compared(row)),
            _figures(row, base),
            "".join(_account(row)),
        )
    )
    return (
        f'<details class="scenario" id="{anchor}"{" open" if is_open else ""}><summary>{bad}<b>'
        f"{escape(row['scenario'])}</b>{about}"
        f'<span class="facts">{" · ".join(fact for fact in facts if fact)}</span></summary>'
        f'<div class="inside">{inside}</div></details>'
    )


def _problems(row: Row) -> str:
    items = "".join(f"<li>{escape(one)}</li>" for one in row.get("problems", ()))
    return f'<div class="note bad"><ul>{items}</ul></div>' if items else ""


def _charts(row: Row) -> str:
    duration_s, marks = row["duration_s"], [(at_s, label) for at_s, label in row["marks"]]
    labels = row["battery_labels"]
    grid = [
        Line("house", row["consumption_trace"], "house"),
        Line("grid", row["grid_trace"], "grid"),
    ]
    power = [
        Line(label, values, _color(i))
        for i, (label, values) in enumerate(zip(labels, row["battery_traces"], strict=True))
    ]
    power += [
        Line(f"{label} wanted", values, f"target {_color(i)}")
        for i, (label, values) in enumerate(zip(labels, row["target_traces"], strict=True))
    ]
    charge = [
        Line(label, [100 * soc for soc in values], _color(i))
        for i, (label, values) in enumerate(zip(labels, row["soc_traces"], strict=True))
    ]
    band = Band(-SETTLED_W, SETTLED_W)
    keys = len(power) if len(power) <= _MOST_KEYS else len(labels)
    drawn = (
        _chart("Grid and house", grid, 2, duration_s, "W", marks=marks, band=band, height=210),
        _chart("Batteries (dashed: wanted)", power, keys, duration_s, "W", marks=marks, height=190),
        _chart(
            "State of charge",
            charge,
            len(charge),
            duration_s,
            "%",
            marks=marks,
            height=110,
            last=True,
        ),
    )
    return (
        f'<div class="charts">{"".join(drawn)}<p class="hint when" data-hint="{_HINT}">{_HINT}'
        "</p></div>"
    )


def _chart(
    title: str, lines: Sequence[Line], keys: int, duration_s: float, unit: str, **more: Any
) -> str:
    """:param keys: so many of the lines are in the legend; the script reads values into them."""
    heading = f"<h3>{title}, {unit}</h3>"
    return heading + legend(lines[:keys]) + chart(lines, duration_s, unit, **more)


def _color(battery: int) -> str:
    return f"b{battery % _COLORS + 1}"


def _events(row: Row) -> Iterator[str]:
    events = row["events"]
    if not events:
        return
    longest = max(1.0, *(event["settle_s"] for event in events))
    lines = "".join(_event(event, longest) for event in events)
    yield (
        '<h3>Events</h3><div class="wide"><table><thead><tr><th>event</th><th>at</th>'
        "<th>settled in<small>s</small></th><th>least possible<small>s, by the plant</small></th>"
        "<th>ratio</th><th></th><th>overshoot<small>W</small></th></tr></thead>"
        f"<tbody>{lines}</tbody></table></div>"
    )


def _event(event: Mapping[str, Any], longest: float) -> str:
    settled = f"{event['settle_s']:g}" if event["settled"] else '<span class="worse">never</span>'
    bound_s, ratio = event["bound_s"], event["ratio"]
    least = "not possible" if bound_s is None else f"{bound_s:g}"
    share = 100 * event["settle_s"] / longest
    of_least = f'<i class="least" style="width:{100 * (bound_s or 0) / longest:.1f}%"></i>'
    bar = f'<span class="pace"><i style="width:{share:.1f}%"></i>{of_least}</span>'
    button = f'<button data-at="{event["at_s"]:g}" title="show it">{clock(event["at_s"])}</button>'
    shown = f"{ratio:g}" if ratio is not None and event["settled"] else ""
    return (
        f"<tr><td>{escape(event['label'])}</td><td>{button}</td><td>{settled}</td>"
        f"<td>{least}</td><td>{shown}</td><td>{bar}</td><td>{event['overshoot_w']:g}</td></tr>"
    )


def _compared(row: Row) -> Iterator[str]:
    """Beside what AstraMeter 2.2.3 left of this course."""
    if not row.get("compared"):
        return
    lines = "".join(
        f'<tr><td>{escape(one["name"])}</td><td class="{"is-worse" if one["worse"] else ""}">'
        f"{one['ours']:g}</td><td>{one['theirs']:g}</td></tr>"
        for one in row["compared"]
    )
    yield (
        '<h3>Beside AstraMeter 2.2.3</h3><div class="wide"><table><thead><tr><th>figure</th>'
        f"<th>now</th><th>2.2.3</th></tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _figures(row: Row, base: Row | None) -> str:
    lines = "".join(
        f"<tr><td>{escape(key)}</td><td>{escape(figure(key, row[key]))}</td>"
        + (
            f"<td>{escape(_base(key, base))}</td><td>{escape(change(key, base, row))}</td>"
            if base
            else ""
        )
        + f'<td class="text">{escape(text)}</td></tr>'
        for key, text in MEANINGS.items()
        if key in row
    )
    heads = "<th>base</th><th>change</th>" if base else ""
    phases = "".join(
        f"<tr><td>phase {phase.upper()}</td><td>{row.get(f'import_{phase}_wh', 0):g}</td>"
        f"<td>{row.get(f'export_{phase}_wh', 0):g}</td></tr>"
        for phase in "abc"
    )
    return (
        '<details class="more"><summary>All figures</summary><div class="wide"><table><thead><tr>'
        f"<th>figure</th><th>now</th>{heads}<th></th></tr></thead><tbody>{lines}</tbody></table>"
        '</div><div class="wide"><table><thead><tr><th>by phase</th><th>import Wh</th>'
        f"<th>export Wh</th></tr></thead><tbody>{phases}</tbody></table></div></details>"
    )


def _base(key: str, base: Row) -> str:
    return figure(key, base[key]) if key in base else "—"


def _account(row: Row) -> Iterator[str]:
    """What the controller said about its decisions."""
    explained = [event for event in row.get("explained", ()) if event["made"]]
    if not explained:
        return
    yield '<details class="more"><summary>Why: decisions after each event</summary>'
    for event in explained:
        lines = "".join(map(_decision, event["made"]))
        yield (
            f'<h3>{escape(event["label"])} at {clock(event["at_s"])}</h3><div class="wide"><table>'
            "<thead><tr><th>at<small>s</small></th><th>battery</th><th>meter<small>W</small></th>"
            "<th>age, late<small>s</small></th><th>house<small>W</small></th>"
            "<th>its part<small>W</small></th><th>reports<small>W</small></th>"
            "<th>wanted<small>W</small></th><th>sent<small>W</small></th>"
            "<th>expected<small>W</small></th><th>became<small>W</small></th>"
            f"<th>why</th></tr></thead><tbody>{lines}</tbody></table></div>"
        )
    yield "</details>"


def _decision(made: Mapping[str, Any]) -> str:
    cells = (
        f"B{made['battery']}",
        _or_dash(made["grid_w"]),
        f"{made['age_s']:g}, {made['delay_s']:g}",
        *(_or_dash(made[key]) for key in ("load_w", "share_w", "power_w", "intent_w")),
        f"<b>{made['reading_w']:+d}</b>" if made["reading_w"] else "0",
        _or_dash(made["expected_w"]),
        _or_dash(made["delivered_w"]),
    )
    return (
        f"<tr><td>{made['at_s']:g}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}"
        f'<td class="text">{escape(made["why"])}</td></tr>'
    )


def _or_dash(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
