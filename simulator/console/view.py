"""The whole screen of the simulator's console, for any size of terminal."""

from __future__ import annotations

from collections.abc import Sequence

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.grid import Marks, bar_scale_w, grid_lines, grid_marks
from astrameter.console.drawing.log import event_lines
from astrameter.console.drawing.panels import Box, Panel, compose
from astrameter.console.drawing.spans import Line, Span, fit, spread, width_of
from astrameter.console.drawing.stack import Band, stack
from astrameter.console.drawing.trend import trend_lines, trend_marks
from astrameter.console.drawing.words import span
from simulator.console.scene import Scene
from simulator.console.sections import (
    SITE_ROWS,
    battery_panel,
    load_panel,
    site_panel,
    sketch,
)
from simulator.control import Status

GRID, SITE, BATTERIES, POWER, LOADS, EVENTS = range(6)
"""The panels."""

LEAST_COLUMNS, LEAST_ROWS = 60, 15
"""Smaller terminals get a sketch without panels."""

WIDE, HIGH = 150, 34
"""From this size on there is a column at the right over the whole height."""

ALL_TRACES_ROWS = 12
"""A lower plot shows the grid alone: the sun would press it flat."""


def draw(scene: Scene, columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """At most ``rows`` lines of ``columns``."""
    title = title_line(scene, columns, glyphs)
    status = scene.status
    if status is None:
        wait = scene.trouble or "waiting for the simulation"
        return [title, [], [("warning" if scene.trouble else "dim", f" {wait}")]]
    if columns < LEAST_COLUMNS or rows < LEAST_ROWS:
        return [title, *sketch(scene, status, columns, rows - 1, glyphs)]
    boxes = lay_out(columns, rows - 1, len(status.batteries), len(status.loads))
    panels = [_panel(which, box, scene, status, glyphs) for which, box in boxes.items()]
    return [title, *compose(panels, columns, rows - 1, glyphs)]


def lay_out(columns: int, rows: int, batteries: int, loads: int) -> dict[int, Box]:
    """The box of each panel that has room."""
    most = max(batteries, 1)
    if columns >= WIDE and rows >= HIGH:
        split = columns * 2 // 3
        left = stack(
            [
                Band((GRID,), SITE_ROWS, SITE_ROWS),
                Band((BATTERIES,), min(most, 3), min(most, rows // 2), 9),
                Band((POWER,), 3, rows, 1),
            ],
            [GRID, BATTERIES, POWER],
            Box(0, 0, split, rows),
        )
        right = stack(
            [
                Band((SITE,), SITE_ROWS, SITE_ROWS),
                Band((LOADS,), min(max(loads, 1), 3), max(loads, 1), 9),
                Band((EVENTS,), 3, rows, 1),
            ],
            [SITE, LOADS, EVENTS],
            Box(split - 1, 0, columns - split + 1, rows),
        )
        return {**left, **right}
    bands = [
        Band((GRID, SITE), SITE_ROWS, SITE_ROWS),
        Band((BATTERIES,), min(most, 3), min(most, max(4, rows // 3)), 4),
        Band((POWER, LOADS), 3, rows, 3),
        Band((EVENTS,), 1, 12, 1),
    ]
    return stack(bands, [GRID, BATTERIES, POWER, EVENTS], Box(0, 0, columns, rows))


def title_line(scene: Scene, columns: int, glyphs: Glyphs) -> Line:
    """What this is, how it runs, and how the connection is."""
    left: list[Span] = [("title", " astra-sim ")]
    status = scene.status
    if status is not None:
        mode = "ON" if status.auto_mode else "OFF"
        left.append(("title", f"{glyphs.dash} Auto mode: {mode} "))
        speed = "" if status.speed == 1 else f"{glyphs.times}{status.speed:g} "
        left.append(("title dim", f"{glyphs.dot} {span(status.elapsed_s)} {speed}"))
    if scene.trouble is not None:
        text = f" NO CONNECTION for {span(scene.lost_s)} "
        if columns < width_of(left) + len(text):
            text = " NO CONNECTION "
        return spread(left, [("lost", text)], columns, "title")
    right: list[Span] = []
    if status is not None and status.ct_port:
        right = [("title dim", f"CT {status.ct_host}:{status.ct_port} {status.ct_mac} ")]
        if width_of(left) + width_of(right) > columns:
            right = []
    return fit(spread(left, right, columns, "title"), columns, "title")


def _panel(which: int, box: Box, scene: Scene, status: Status, glyphs: Glyphs) -> Panel:
    columns, rows = box.inner_columns, box.inner_rows
    lines: Sequence[Line]
    marks: Marks
    if which == GRID:
        grid = status.grid
        scale_w = bar_scale_w(max(scene.trends.peak_w, abs(grid.total_w)))
        lines = grid_lines((grid.a_w, grid.b_w, grid.c_w), grid.total_w, scale_w, columns, glyphs)
        marks = grid_marks(columns, glyphs)
    elif which == SITE:
        lines, marks = site_panel(status, columns, glyphs)
    elif which == BATTERIES:
        lines, marks = battery_panel(scene, status, columns, rows, glyphs)
    elif which == POWER:
        traces = scene.trends.traces[0 if rows >= ALL_TRACES_ROWS else -1 :]
        lines = trend_lines(traces, columns, rows, glyphs)
        marks = trend_marks(traces, columns, 1.0)
    elif which == LOADS:
        lines, marks = load_panel(scene, status, columns, rows, glyphs)
    else:
        assert which == EVENTS
        lines = event_lines(scene.events, columns, rows, glyphs, seconds=True)
        marks = [(1, [("heading", " Events ")])]
    return Panel(box, lines, marks)
