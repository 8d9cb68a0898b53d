"""The whole screen of the demo, drawn from a snapshot for any size of terminal."""

from __future__ import annotations

from astrameter.console.drawing.batteries import watts
from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.grid import Marks, grid_marks
from astrameter.console.drawing.log import event_lines
from astrameter.console.drawing.panels import Box, Panel, compose
from astrameter.console.drawing.spans import Line, Span, fit, spread, width_of
from astrameter.console.drawing.words import clock
from simulator.demo.layout import BATTERIES, EVENTS, GRID, HOUSE, MONEY, POWER, lay_out
from simulator.demo.model import Snapshot
from simulator.demo.sections import (
    fleet_lines,
    fleet_marks,
    grid_of,
    house_lines,
    house_marks,
    money_lines,
    power_lines,
    power_marks,
)

KEYS = (
    ("k", "kettle"),
    ("s", "cloud"),
    ("+-", "panels"),
    ("f", "faster"),
    ("space", "pause"),
    ("q", "quit"),
)
"""What a visitor can press, and what it does."""

_LEAST_COLUMNS, _LEAST_ROWS = 24, 8


def draw(snapshot: Snapshot, columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """Exactly ``rows`` lines of ``columns``; a terminal that is too small has only the sum."""
    if columns < _LEAST_COLUMNS or rows < _LEAST_ROWS:
        lines: list[Line] = [[("strong", f"grid {watts(snapshot.total_w)}")]]
        return [fit(line, columns) for line in (lines + [[]] * rows)[:rows]]
    boxes = lay_out(columns, rows - 2, len(snapshot.batteries))
    panels = [_panel(which, box, snapshot, glyphs) for which, box in boxes.items()]
    return [
        title_line(snapshot, columns, glyphs),
        *compose(panels, columns, rows - 2, glyphs),
        footer_line(snapshot, columns),
    ]


def title_line(snapshot: Snapshot, columns: int, glyphs: Glyphs) -> Line:
    """What this is, the time in the house, and where the status page is."""
    speed = f"{glyphs.times}{snapshot.speed:g}" if snapshot.speed else "paused"
    left: list[Span] = [
        ("title", " AstraMeter "),
        ("title dim", f"{glyphs.dot} simulated house {glyphs.dot} "),
        ("title", f"{clock(snapshot.second_of_day)} "),
        ("title dim", f"{speed} "),
    ]
    right: list[Span] = [("title dim", f"{snapshot.link} ")]
    if snapshot.speed not in (0.0, 1.0) and width_of(left) + width_of(right) + 50 <= columns:
        text = f"{glyphs.dot} the day is hurried, control runs in real time"
        left.append(("title dim", text))
    if width_of(left) + width_of(right) > columns:
        right = []
    return spread(left, right, columns, "title")


def footer_line(snapshot: Snapshot, columns: int) -> Line:
    """The keys, and how the appliance is doing."""
    keys: list[Span] = []
    for key, what in KEYS:
        keys += [("", " "), ("key", key), ("dim", f" {what} ")]
    speed = f"{snapshot.answers_per_s:.1f} polls/s"
    if snapshot.latency_s is not None:
        speed += f" {snapshot.latency_s * 1000:.0f} ms"
    right: list[Span] = [("dim", f"{speed} ")]
    if width_of(keys) + width_of(right) > columns:
        right = []
    return spread(keys, right, columns)


def _panel(which: int, box: Box, snapshot: Snapshot, glyphs: Glyphs) -> Panel:
    columns, rows = box.inner_columns, box.inner_rows
    lines: list[Line]
    marks: Marks
    if which == GRID:
        lines, marks = grid_of(snapshot, columns, glyphs), grid_marks(columns, glyphs)
    elif which == HOUSE:
        lines = house_lines(snapshot, columns, rows, glyphs)
        marks = house_marks(snapshot, glyphs)
    elif which == BATTERIES:
        lines = fleet_lines(snapshot, columns, rows, glyphs)
        marks = fleet_marks(columns, glyphs)
    elif which == POWER:
        lines = power_lines(snapshot, columns, rows, glyphs)
        marks = power_marks(columns, glyphs)
    elif which == MONEY:
        lines, marks = money_lines(snapshot, columns), [(1, [("heading", " Money ")])]
    else:
        assert which == EVENTS
        lines = event_lines(snapshot.events, columns, rows, glyphs)
        marks = [(1, [("heading", " Events ")])]
    return Panel(box, lines, marks)
