"""The whole screen of the appliance's console, for any size of terminal."""

from __future__ import annotations

from collections.abc import Sequence

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.grid import Marks, bar_scale_w, grid_lines, grid_marks
from astrameter.console.drawing.log import event_lines
from astrameter.console.drawing.overlay import overlay
from astrameter.console.drawing.panels import Box, Panel, compose
from astrameter.console.drawing.spans import Line, Span, fit, spread, width_of
from astrameter.console.drawing.stack import Band, stack
from astrameter.console.drawing.trend import trend_lines, trend_marks
from astrameter.console.drawing.words import span
from astrameter.console.model import View
from astrameter.console.scene import Scene
from astrameter.console.sections import (
    battery_panel,
    explained,
    meter_panel,
    sketch,
    why_panel,
)

GRID, METERS, BATTERIES, POWER, WHY, EVENTS = range(6)
"""The panels."""

GRID_ROWS = 4

LEAST_COLUMNS, LEAST_ROWS = 60, 15
"""Smaller terminals get a sketch without panels."""

WIDE, HIGH = 150, 34
"""From this size on there is a column at the right over the whole height."""


def draw(scene: Scene, columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """At most ``rows`` lines of ``columns``."""
    title = title_line(scene, columns, glyphs)
    view = scene.view
    if view is None:
        wait = scene.trouble or "waiting for the daemon"
        return [title, [], [("warning" if scene.trouble else "dim", f" {wait}")]]
    if columns < LEAST_COLUMNS or rows < LEAST_ROWS:
        lines = [title, *sketch(scene, view, columns, rows - 1, glyphs)]
    else:
        boxes = lay_out(columns, rows - 1, len(view.batteries), len(view.meters))
        panels = [_panel(which, box, scene, view, glyphs) for which, box in boxes.items()]
        lines = [title, *compose(panels, columns, rows - 1, glyphs)]
    selected = scene.selected
    if scene.explained and selected is not None:
        lines += [[] for _ in range(rows - len(lines))]
        why = explained(scene, columns, rows)
        lines = overlay(lines, f"Why {selected.id}", why, columns, rows, glyphs)
    return lines


def lay_out(columns: int, rows: int, batteries: int, meters: int) -> dict[int, Box]:
    """The box of each panel that has room."""
    most = max(batteries, 1)
    if columns >= WIDE and rows >= HIGH:
        split = columns * 2 // 3
        left = stack(
            [
                Band((GRID,), GRID_ROWS, GRID_ROWS),
                Band((BATTERIES,), min(most, 3), min(most, rows // 2), 9),
                Band((POWER,), 3, rows, 1),
            ],
            [GRID, BATTERIES, POWER],
            Box(0, 0, split, rows),
        )
        high = max(GRID_ROWS, min(meters + 1, rows // 4))
        right = stack(
            [
                Band((METERS,), GRID_ROWS, high, 9),
                Band((WHY,), 6, 20, 2),
                Band((EVENTS,), 3, rows, 1),
            ],
            [METERS, WHY, EVENTS],
            Box(split - 1, 0, columns - split + 1, rows),
        )
        return {**left, **right}
    bands = [
        Band((GRID, METERS), GRID_ROWS, GRID_ROWS),
        Band((BATTERIES,), min(most, 3), min(most, max(4, rows // 3)), 4),
        Band((POWER, WHY), 3, rows, 3),
        Band((EVENTS,), 1, 12, 1),
    ]
    return stack(bands, [GRID, BATTERIES, POWER, EVENTS], Box(0, 0, columns, rows))


def title_line(scene: Scene, columns: int, glyphs: Glyphs) -> Line:
    """What this is, what it does, and how the connection is."""
    left: list[Span] = [("title", " AstraMeter ")]
    view = scene.view
    right: list[Span] = []
    if view is not None:
        steering = [one.active_control for one in view.devices if one.active_control is not None]
        word = "steering" if all(steering) else "relaying the meter"
        left.append(("title", f"{glyphs.dash} {word} " if steering else ""))
        left.append(("title dim", f"{glyphs.dot} up {span(view.uptime_s + scene.since_s)} "))
        devices = ", ".join(f"{one.type}:{one.port}" for one in view.devices)
        right = [("title dim", f"{devices} {glyphs.dot} {view.version} ")]
    if scene.trouble is not None:
        text = f" NO CONNECTION for {span(scene.lost_s)} "
        if columns < width_of(left) + len(text):
            text = " NO CONNECTION "
        return spread(left, [("lost", text)], columns, "title")
    if width_of(left) + width_of(right) > columns:
        right = []
    return fit(spread(left, right, columns, "title"), columns, "title")


def _panel(which: int, box: Box, scene: Scene, view: View, glyphs: Glyphs) -> Panel:
    columns, rows = box.inner_columns, box.inner_rows
    lines: Sequence[Line]
    marks: Marks
    if which == GRID:
        lines, marks = _grid(scene, view, columns, glyphs)
    elif which == METERS:
        lines, marks = meter_panel(scene, view, columns, rows, glyphs)
    elif which == BATTERIES:
        lines, marks = battery_panel(scene, view, columns, rows, glyphs)
    elif which == POWER:
        lines = trend_lines(scene.trends.traces, columns, rows, glyphs)
        marks = trend_marks(scene.trends.traces, columns, 1.0)
    elif which == WHY:
        lines, marks = why_panel(scene, columns, rows, glyphs)
    else:
        assert which == EVENTS
        lines = event_lines(scene.events, columns, rows, glyphs, seconds=True)
        marks = [(1, [("heading", " Events ")])]
    return Panel(box, lines, marks)


def _grid(scene: Scene, view: View, columns: int, glyphs: Glyphs) -> tuple[list[Line], Marks]:
    meter = view.grid
    if meter is None or meter.watts is None:
        return [[("warning", " no meter has a reading")]], grid_marks(columns, glyphs)
    total_w = sum(meter.watts)
    scale_w = bar_scale_w(max(scene.trends.peak_w, abs(total_w)))
    return grid_lines(meter.watts, total_w, scale_w, columns, glyphs), grid_marks(columns, glyphs)
