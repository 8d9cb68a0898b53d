"""What each panel of the demo shows: pure functions of a snapshot."""

from __future__ import annotations

from astrameter.console.drawing.bars import level
from astrameter.console.drawing.batteries import battery_marks, battery_table, columns_for, watts
from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.grid import Marks, bar_scale_w, grid_lines
from astrameter.console.drawing.plot import Series, dots_across, plot, scale_for
from astrameter.console.drawing.spans import Line, Span, flow, spread
from astrameter.console.drawing.words import money
from simulator.demo.journal import CLEAR, CLOUDY
from simulator.demo.model import TREND_S, Snapshot

_PEAK_POINTS = 120
_WIDE_PLOT = 110


def _signed(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0:+.{digits}f}"


# ---------------------------------------------------------------------------------- grid


def grid_of(snapshot: Snapshot, columns: int, glyphs: Glyphs) -> list[Line]:
    """Each phase, and the sum of all."""
    return grid_lines(snapshot.grid_w, snapshot.total_w, scale_w(snapshot), columns, glyphs)


def scale_w(snapshot: Snapshot) -> float:
    """The largest power a bar of the grid shows: above all of the last minute."""
    _, peak_w = snapshot.trends.phase_peak_w.extremes(_PEAK_POINTS)
    return bar_scale_w(max(peak_w, abs(snapshot.total_w), *map(abs, snapshot.grid_w)))


# ---------------------------------------------------------------------------------- house


def house_marks(snapshot: Snapshot, glyphs: Glyphs) -> Marks:
    sky = {CLEAR: glyphs.sun, CLOUDY: glyphs.cloud}.get(snapshot.sky, glyphs.night)
    return [(1, [("heading", " House ")]), (9, [("solar", f" {sky} ")])]


def house_lines(snapshot: Snapshot, columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """Load and sun against each other, and what is switched on."""
    largest_w = max(snapshot.load_w, snapshot.solar_w, 1000.0)
    bar = max(0, columns - 17)
    lines: list[Line] = [
        [
            ("dim", f" {name:<6}"),
            ("value", watts(power_w, 7)),
            ("", "  "),
            *level(power_w / largest_w, bar, glyphs, style),
            ("", " "),
        ]
        for name, power_w, style in (
            ("load", snapshot.load_w, "load"),
            ("solar", snapshot.solar_w, "solar"),
        )
    ]
    running = sorted(snapshot.running, key=lambda one: -one.power_w)
    words: list[Line] = [
        [("value" if one.power_w >= 1000 else "", one.name), ("dim", f" {one.power_w:.0f}")]
        for one in running
    ]
    if not words:
        words = [[("dim", "nothing is switched on")]]
    for line in flow(words, columns - 2, rows - 2):
        lines.append([("", " "), *line])
    return lines


# ------------------------------------------------------------------------------- batteries


def fleet_marks(columns: int, glyphs: Glyphs) -> Marks:
    return [(1, [("heading", " Batteries ")]), *battery_marks(columns_for(columns), glyphs)]


def fleet_lines(snapshot: Snapshot, columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """The batteries, one line each."""
    return battery_table(snapshot.batteries, columns, rows, glyphs)


# ---------------------------------------------------------------------------------- power


def power_marks(columns: int, glyphs: Glyphs) -> Marks:
    """The legend, and how much time the plot shows."""
    marks: Marks = [(1, [("heading", " Power ")])]
    at = 9
    for swatch, name in (
        ([("import", glyphs.grid), ("export", glyphs.grid)], "grid"),
        ([("load", glyphs.load * 2)], "load"),
        ([("solar", glyphs.solar * 2)], "solar"),
    ):
        text = f" {name} "
        marks.append((at, [("", " "), *swatch, ("dim", text)]))
        at += len(text) + 4
    shown_s = dots_across(columns) * _each(columns) * TREND_S
    text = f" W, last {shown_s / 60:.0f} min " if shown_s >= 120 else f" W, last {shown_s:.0f} s "
    marks.append((columns - 1 - len(text), [("dim", text)]))
    return marks


def power_lines(snapshot: Snapshot, columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """The grid as an area, load and sun as lines."""
    trends = snapshot.trends
    dots, each = dots_across(columns - 1), _each(columns)
    grid, load, solar = (
        history.last(dots, each) for history in (trends.grid_w, trends.load_w, trends.solar_w)
    )
    scale = scale_for(min(grid, default=0.0), max((*grid, *load, *solar), default=1000.0), rows)
    series = [
        Series(load, "load", "load", glyphs.load),
        Series(solar, "solar", "solar", glyphs.solar),
        Series(grid, "import", "export", glyphs.grid, filled=True),
    ]
    return plot(series, columns - 1, scale, glyphs)


def _each(columns: int) -> int:
    """Points of the trends in one column of dots."""
    return 1 if columns >= _WIDE_PLOT else 2


# ---------------------------------------------------------------------------------- money


def money_lines(snapshot: Snapshot, columns: int) -> list[Line]:
    """The bill, the bill without batteries, and the difference."""
    look = snapshot.money
    saved = "good" if look.saved_ct >= 0 else "bad"
    rows: list[tuple[str, float, str, str]] = [
        ("grid bill", look.cost_ct, "value", ""),
        ("without batteries", look.without_ct, "value", ""),
        ("stored", look.stored_ct, "value", f"{_signed(look.stored_wh / 1000, 2)} kWh"),
        ("saved", look.saved_ct, saved, f"now {_signed(look.saving_ct_per_h, 1)} ct/h"),
    ]
    lines: list[Line] = []
    for name, cents, style, remark in rows:
        left: list[Span] = [("strong" if name == "saved" else "dim", f" {name}")]
        if remark:
            left.append(("dim", f" {remark}"))
        right: list[Span] = [(style, money(cents)), ("", " ")]
        lines.append(spread(left, right, columns))
    return lines
