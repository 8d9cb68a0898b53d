"""What each panel of the appliance's console shows: pure functions of a scene."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from astrameter.console.drawing.bars import balance
from astrameter.console.drawing.batteries import power_style, watts
from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.grid import Marks
from astrameter.console.drawing.log import one_line
from astrameter.console.drawing.spans import Line, Span, cut, spread, width
from astrameter.console.drawing.table import (
    Column,
    power_sides,
    right,
    scrolled,
    table_lines,
    table_marks,
    widths_for,
)
from astrameter.console.drawing.words import age
from astrameter.console.model import BatteryView, DeviceView, MeterView, View
from astrameter.console.scene import Scene

_USUAL_W = 800.0
"""One side of a power bar, unless a battery does more."""

_STALE_S = 15.0
_LONGEST_ID = 24
_MODES = {"auto": ("auto", "dim"), "manual": ("manual", "warning"), "inactive": ("paused", "bad")}


# ----------------------------------------------------------------------------------- meters


def meter_panel(
    scene: Scene, view: View, columns: int, rows: int, glyphs: Glyphs
) -> tuple[list[Line], Marks]:
    """Each meter with its state, what was answered, and what all batteries do together."""
    marks: Marks = [(1, [("heading", " Meters ")])]
    fleet = fleet_line(view, columns)
    room = max(rows - 1, 1)
    shown = view.meters[: room if len(view.meters) <= room else room - 1]
    lines = [_meter_line(one, one is view.grid, scene.since_s, columns, glyphs) for one in shown]
    if len(view.meters) > len(shown):
        bad = sum(one.state == "fails" for one in view.meters[len(shown) :])
        text = f" {len(view.meters) - len(shown)} more, {bad} fail"
        lines.append([("bad" if bad else "dim", text)])
    if not view.meters:
        lines.append([("warning", " no meter is configured")])
    spare = rows - 1 - len(lines)
    lines += [_device_line(one, columns, glyphs) for one in view.devices[: max(0, spare)]]
    lines += [[] for _ in range(rows - 1 - len(lines))]
    return [*lines, fleet], marks


def _device_line(one: DeviceView, columns: int, glyphs: Glyphs) -> Line:
    """What an emulated meter has answered so far."""
    dropped = f" {one.dropped} dropped " if one.dropped else " "
    return spread(
        [("dim", f" {glyphs.more} "), ("value", f"{one.type}:{one.port}")],
        [("dim", f"{one.answered} answered{dropped}")],
        columns,
    )


def fleet_line(view: View, columns: int) -> Line:
    """The batteries together."""
    total_w = view.fleet_w
    return spread(
        [("strong", " batteries "), (power_style(total_w), watts(total_w, 7))],
        [("dim", f"{len(view.batteries)} ask ")],
        columns,
    )


def _meter_line(one: MeterView, used: bool, since_s: float, columns: int, glyphs: Glyphs) -> Line:
    name = [("strong" if used else "value", cut(one.section, max(6, columns - 24)))]
    if one.state == "fails":
        left: list[Span] = [("bad", f" {glyphs.bad} "), *name, ("bad", f" {one.error or 'fails'}")]
        return spread(left, [("", " ")], columns)
    if one.watts is None:
        return spread([("dim", f" {glyphs.off} "), *name], [("dim", "not read yet ")], columns)
    old_s = None if one.age_s is None else one.age_s + since_s
    stale = old_s is not None and old_s > _STALE_S
    after: list[Span] = [
        ("value", watts(sum(one.watts), 8)),
        ("warning" if stale else "dim", f" {age(old_s, glyphs.dash):>6} "),
    ]
    dot = ("warning" if stale else "good", f" {glyphs.good} ")
    return spread([dot, *name], after, columns)


# -------------------------------------------------------------------------------- batteries


@dataclass(frozen=True, slots=True)
class Row:
    """A battery in the table.

    :ivar since_s: seconds since its age was true.
    :ivar largest_w: fills one side of its bar.
    """

    one: BatteryView
    selected: bool
    since_s: float
    largest_w: float


def battery_panel(
    scene: Scene, view: View, columns: int, rows: int, glyphs: Glyphs
) -> tuple[list[Line], Marks]:
    """The batteries, one line each, scrolled to the selected one."""
    longest = max((width(one.id) for one in view.batteries), default=0)
    table = _columns(glyphs, min(longest, _LONGEST_ID))
    widths = widths_for(table, columns - 1)
    marks = table_marks(table, widths, "Batteries")
    if not view.batteries:
        return [[("dim", " no battery has asked yet")]], [(1, [("heading", " Batteries ")])]
    peak_w = max(abs(one.power_w or 0.0) for one in view.batteries)
    largest_w = max(peak_w, _USUAL_W)
    shown = [
        Row(one, i == scene.battery, scene.since_s, largest_w)
        for i, one in enumerate(view.batteries)
    ]
    return table_lines(table, widths, shown, rows, scene.battery), marks


def _columns(glyphs: Glyphs, longest_id: int) -> list[Column[Row]]:
    return [
        Column("", 1, 0, lambda row, _: [("selected", glyphs.more if row.selected else " ")]),
        Column("", 12, 0, lambda row, wide: [("value", cut(row.one.id, wide))], most=longest_id),
        Column("", 1, 1, lambda row, _: [("dim", row.one.phase or "?")]),
        Column("type", 7, 7, lambda row, wide: [("dim", cut(row.one.type, wide))]),
        Column(
            "", 7, 6, lambda row, wide: _bar(row, wide, glyphs), most=60, sides=power_sides(glyphs)
        ),
        Column("power", 7, 0, lambda row, wide: _watts(row.one.power_w, wide, glyphs), right=True),
        Column("target", 7, 2, lambda row, wide: _plain(row.one.target_w, wide), right=True),
        Column("sent", 7, 3, lambda row, wide: _sent(row.one.reading_w, wide), right=True),
        Column("mode", 6, 4, lambda row, wide: _mode(row.one, wide, glyphs)),
        Column("asked", 6, 4, lambda row, wide: _age(row, wide, glyphs), right=True),
        Column("every", 6, 5, lambda row, wide: _every(row.one, wide), right=True),
        Column("weight", 6, 9, lambda row, wide: _weight(row.one, wide), right=True),
        Column("port", 5, 8, lambda row, wide: right(str(row.one.port), wide, "dim"), right=True),
        Column("address", 15, 10, lambda row, wide: [("dim", cut(row.one.ip, wide))]),
        Column("meter", 12, 11, lambda row, wide: [("dim", cut(row.one.meter, wide))], most=20),
    ]


def _bar(row: Row, columns: int, glyphs: Glyphs) -> Line:
    power_w = row.one.power_w or 0.0
    return balance(power_w, row.largest_w, columns, glyphs, ("charge", "discharge"))


def _watts(power_w: float | None, columns: int, glyphs: Glyphs) -> Line:
    if power_w is None:
        return right(glyphs.dash, columns, "dim")
    return right(watts(power_w), columns, power_style(power_w))


def _plain(power_w: float | None, columns: int) -> Line:
    return right("" if power_w is None else watts(power_w), columns, "dim")


def _sent(power_w: float | None, columns: int) -> Line:
    if power_w is None:
        return right("", columns)
    text = f"{round(power_w):+d} W" if round(power_w) else "0 W"
    return right(text, columns, "dim")


def _mode(one: BatteryView, columns: int, glyphs: Glyphs) -> Line:
    word, style = _MODES.get(one.mode, ("", "dim"))
    if one.mode == "inactive" and one.active:
        word = "apart"  # it asks not to be counted; nobody has paused it
    return [(style, cut(word or glyphs.dash, columns))]


def _age(row: Row, columns: int, glyphs: Glyphs) -> Line:
    one = row.one
    old_s = None if one.age_s is None else one.age_s + row.since_s
    return right(age(old_s, glyphs.dash), columns, "dim" if one.alive else "bad")


def _every(one: BatteryView, columns: int) -> Line:
    return right("" if one.interval_s is None else f"{one.interval_s:.1f} s", columns, "dim")


def _weight(one: BatteryView, columns: int) -> Line:
    return right(f"{one.weight:g}" if one.mode else "", columns, "dim")


# ---------------------------------------------------------------------------------- reasons


def why_panel(scene: Scene, columns: int, rows: int, glyphs: Glyphs) -> tuple[list[Line], Marks]:
    """Who the selected battery is, and why it is told what it is told."""
    one = scene.selected
    marks: Marks = [(1, [("heading", " Why ")])]
    if one is None:
        return [[("dim", " no battery is selected")]], marks
    marks.append((7, [("dim", f" {one.id} ")]))
    facts = [one.type] if one.type else []
    facts.append(f"port {one.port}")
    facts += [f"weight {one.weight:g}"] if one.mode else []
    facts += [one.meter] if one.meter else []
    facts += [one.ip] if one.ip and one.ip != one.id else []
    lines: list[Line] = [[("dim", f" {one_line(f' {glyphs.dot} '.join(facts))}")]]
    return [*lines, *_sentences(scene, columns)][:rows], marks


def _sentences(scene: Scene, columns: int) -> list[Line]:
    """Wrapped; the first line of each stands out."""
    found = scene.explanation
    one = scene.selected
    if one is None:
        return []
    if found.battery != one.id:
        text = "asking the daemon" if one.mode else "batteries at a Shelly steer themselves"
        return [[("dim", f" {text}")]]
    lines: list[Line] = []
    for number, sentence in enumerate(found.why):
        for text in textwrap.wrap(one_line(sentence), max(columns - 3, 10)):
            lines.append([("strong" if number == 0 else "value", f" {text}")])
    return lines


_HEADINGS = ("ago", "grid", "house", "part", "it had", "sent", "goes to")
_CELL = 8
_LAST = " the last answers, in W:"


def explained(scene: Scene, columns: int, rows: int) -> list[Line]:
    """Everything about the selected battery: the sentences, and its last answers."""
    room = min(columns - 6, 100)
    lines = _sentences(scene, room)
    found, one = scene.explanation, scene.selected
    head = "".join(f"{text:>{_CELL}}" for text in _HEADINGS)
    count = rows - len(lines) - 6
    if one is None or found.battery != one.id or len(head) > room or count < 1:
        return lines
    if found.decisions:
        lines += [[], [("dim", _LAST)], [("dim", head)]]
        lines += [_decision_line(each, found.now, room) for each in found.decisions[-count:]]
    return lines


def _decision_line(decision: Mapping[str, Any], now: float, columns: int) -> Line:
    at = decision.get("at")
    ago = f"{now - at:.1f} s" if isinstance(at, int | float) else ""
    names = ("grid_w", "load_w", "share_w", "power_w", "reading_w", "setpoint_w")
    cells = [ago, *(_figure(decision.get(name)) for name in names)]
    text = "".join(f"{cell:>{_CELL}}" for cell in cells)
    note = one_line(_note(decision))
    return [("value", text), ("dim", f"  {cut(note, max(0, columns - len(text) - 2))}")]


def _figure(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-"
    return f"{round(value):+d}" if round(value) else "0"


def _note(decision: Mapping[str, Any]) -> str:
    """What acted, in a few words."""
    stays, limits = decision.get("stays"), decision.get("limits")
    words = [f"stays: {str(stays).partition(':')[0]}"] if stays else []
    if isinstance(limits, list):
        acted = [str(one.get("name", "")) for one in limits if isinstance(one, Mapping)]
        words += [name.partition(":")[0] for name in acted]
    return "; ".join(words)


# ----------------------------------------------------------------------------------- sketch


def sketch(scene: Scene, view: View, columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """For terminals too small for panels."""
    grid = view.grid
    lines: list[Line] = []
    if grid is None or grid.watts is None:
        failing = next((one.error for one in view.meters if one.error), "no reading yet")
        lines.append([("bad", one_line(f"no grid power: {failing}"))])
    else:
        phases = " ".join(f"{round(value) + 0:d}" for value in grid.watts)
        total = watts(sum(grid.watts))
        lines.append(spread([("strong", f"grid {total}")], [("dim", phases)], columns))
    lines.append(fleet_line(view, columns))
    room = rows - len(lines) - 1
    first = scrolled(len(view.batteries), room, scene.battery)
    shown: Sequence[BatteryView] = view.batteries[first : first + max(0, room)]
    for number, one in enumerate(shown, first):
        mark = glyphs.more if number == scene.battery else " "
        after: list[Span] = [
            *_watts(one.power_w, 8, glyphs),
            ("dim", f" {age(one.age_s, glyphs.dash):>6}"),
        ]
        lines.append(spread([("value", f"{mark}{one.id} {one.phase}")], after, columns))
    last = scene.events[-1] if scene.events else None
    if last is not None:
        lines.append([(last.style, last.text)])
    if len(lines) < rows:
        lines.append([("dim", "a larger terminal shows more")])
    return lines
