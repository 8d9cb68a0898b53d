"""What each panel of the demo shows: pure functions of a snapshot."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.demo.journal import CLEAR, CLOUDY, Event
from simulator.demo.model import TREND_S, Snapshot
from simulator.screen.bars import balance, level
from simulator.screen.batteries import battery_marks, battery_table, columns_for, watts
from simulator.screen.glyphs import Glyphs
from simulator.screen.plot import Series, dots_across, plot, scale_for
from simulator.screen.spans import Line, Span, cut, fit, flow, spread, width

Marks = list[tuple[int, Line]]

EVEN_W = 75.0
"""Grid power that counts as balanced."""

_PEAK_POINTS = 120
_BAR_SCALES_W = (500.0, 1000.0, 2000.0, 3000.0, 5000.0, 10_000.0)
_LABEL = 6
_WIDE_PLOT = 110


def clock(second_of_day: float, *, seconds: bool = False) -> str:
    """``10:42``, or ``10:42:07``."""
    at_s = int(second_of_day) % 86_400
    text = f"{at_s // 3600:02d}:{at_s // 60 % 60:02d}"
    return f"{text}:{at_s % 60:02d}" if seconds else text


def money(cents: float, digits: int = 2) -> str:
    """``-1.23 ct``, or ``1.23 EUR`` for larger sums; there is no minus zero."""
    if abs(cents) >= 1000:
        return f"{cents / 100:.2f} EUR"
    return f"{round(cents, digits) + 0:.{digits}f} ct"


def _signed(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0:+.{digits}f}"


# ---------------------------------------------------------------------------------- grid


def grid_marks(columns: int, glyphs: Glyphs) -> Marks:
    """The legend of the bars, at their centre."""
    marks: Marks = [(1, [("heading", " Grid ")])]
    before, bar = _grid_columns(columns)
    if bar >= 24:
        centre = before + (bar - 1) // 2
        marks.append((centre - 9, [("export", f"export {glyphs.less}")]))
        marks.append((centre + 2, [("import", f"{glyphs.more} import")]))
    return marks


def grid_lines(snapshot: Snapshot, columns: int, glyphs: Glyphs) -> list[Line]:
    """Each phase, and the sum of all."""
    _, bar = _grid_columns(columns)
    largest = bar_scale_w(snapshot)
    rows = [*zip("ABC", snapshot.grid_w, strict=True), ("sum", snapshot.total_w)]
    lines: list[Line] = []
    for name, power_w in rows:
        total = name == "sum"
        style = grid_style(power_w) if total else "value"
        lines.append(
            [
                ("strong" if total else "dim", f" {name:<4}"),
                (style, watts(power_w, 8)),
                ("", " "),
                *balance(power_w, largest, bar, glyphs, ("export", "import"), thick=total),
                ("", " "),
            ]
        )
    return lines


def bar_scale_w(snapshot: Snapshot) -> float:
    """The largest power a bar of the grid shows: round, and above all of the last minute."""
    _, peak_w = snapshot.trends.phase_peak_w.extremes(_PEAK_POINTS)
    peak_w = max(peak_w, abs(snapshot.total_w), *map(abs, snapshot.grid_w))
    return next((scale for scale in _BAR_SCALES_W if peak_w <= scale), _BAR_SCALES_W[-1])


def grid_style(power_w: float) -> str:
    """Green when it earns or is balanced, red when it costs."""
    if abs(power_w) <= EVEN_W:
        return "good"
    return "bad" if power_w > 0 else "export"


def _grid_columns(columns: int) -> tuple[int, int]:
    """Columns before the bar, and of the bar."""
    return 14, max(0, columns - 15)


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


# --------------------------------------------------------------------------------- events


def event_lines(events: Sequence[Event], columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """The newest events, newest last."""
    newest = list(events)[-rows:] if rows > 0 else []
    lines: list[Line] = []
    for event in newest:
        room = columns - _LABEL - 2
        text = event.text
        if width(text) > room:
            text = cut(text, max(0, room - 1)) + glyphs.ellipsis
        lines.append(
            fit([("dim", f" {clock(event.at_s)} "), (event.style, text)], columns),
        )
    return lines
