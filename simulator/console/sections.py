"""What each panel of the simulator's console shows: pure functions of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from astrameter.console.drawing.bars import balance, level
from astrameter.console.drawing.batteries import LOW_SOC, power_style, watts
from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.grid import Marks
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
from astrameter.console.drawing.words import age, money
from simulator.console.scene import Scene, fleet_soc, fleet_w
from simulator.control import BatteryStatus, LoadStatus, Status

SITE_ROWS = 4
_STALE_S = 10.0


# -------------------------------------------------------------------------------- batteries


@dataclass(frozen=True, slots=True)
class Row:
    """A battery in the table."""

    one: BatteryStatus
    selected: bool


def battery_panel(
    scene: Scene, status: Status, columns: int, rows: int, glyphs: Glyphs
) -> tuple[list[Line], Marks]:
    """The batteries, one line each, scrolled to the selected one."""
    delayed = any(one.delay_polls for one in status.batteries)
    table = _battery_columns(glyphs, delayed, status)
    widths = widths_for(table, columns - 1)
    marks = table_marks(table, widths, "Batteries")
    if not status.batteries:
        return [[("dim", " no batteries")]], marks
    shown = [Row(one, i == scene.battery) for i, one in enumerate(status.batteries)]
    lines = table_lines(table, widths, shown, rows, scene.battery)
    return lines, marks


def _battery_columns(glyphs: Glyphs, delayed: bool, status: Status) -> list[Column[Row]]:
    types = max((width(one.device_type) for one in status.batteries), default=0)
    columns: list[Column[Row]] = [
        Column("", 1, 0, lambda row, _: [("selected", glyphs.more if row.selected else " ")]),
        Column("", 12, 0, lambda row, wide: [("value", cut(row.one.mac, wide))]),
        Column("", 1, 1, lambda row, _: [("dim", row.one.phase)]),
        Column(
            "",
            11,
            4,
            lambda row, wide: _power_bar(row.one, wide, glyphs),
            most=60,
            sides=power_sides(glyphs),
        ),
        Column("power", 7, 0, lambda row, wide: _power(row.one, wide), right=True),
    ]
    if delayed:
        columns += [
            Column(
                "req",
                7,
                2,
                lambda row, wide: right(watts(row.one.target_w), wide, "dim"),
                right=True,
            ),
            Column(
                "appl",
                7,
                2,
                lambda row, wide: right(watts(row.one.applied_target_w), wide, "dim"),
                right=True,
            ),
        ]
    else:
        columns.append(
            Column(
                "target",
                7,
                2,
                lambda row, wide: right(watts(row.one.target_w), wide, "dim"),
                right=True,
            )
        )
    columns += [
        Column("stored", 8, 5, lambda row, wide: _soc_bar(row.one, wide, glyphs), most=24),
        Column("", 4, 1, lambda row, wide: right(f"{round(row.one.soc * 100)}%", wide), right=True),
        Column("asked", 7, 3, lambda row, wide: _state(row.one, wide, glyphs), right=True),
    ]
    if types:
        columns.append(
            Column("type", types, 7, lambda row, wide: [("dim", cut(row.one.device_type, wide))])
        )
    columns.append(
        Column("limits", 11, 6, lambda row, wide: _limits(row.one, wide, glyphs), right=True)
    )
    if any(one.max_dc_input_w for one in status.batteries):
        columns.append(Column("panels", 7, 8, lambda row, wide: _dc(row.one, wide), right=True))
    return columns


def _power(one: BatteryStatus, columns: int) -> Line:
    return right(watts(one.power_w), columns, power_style(one.power_w))


def _power_bar(one: BatteryStatus, columns: int, glyphs: Glyphs) -> Line:
    largest_w = max(one.max_charge_w, one.max_discharge_w, 1.0)
    return balance(one.power_w, largest_w, columns, glyphs, ("charge", "discharge"))


def _soc_bar(one: BatteryStatus, columns: int, glyphs: Glyphs) -> Line:
    return level(one.soc, columns, glyphs, "soc low" if one.soc < LOW_SOC else "soc")


def _state(one: BatteryStatus, columns: int, glyphs: Glyphs) -> Line:
    """How long ago it was answered, or why that does not matter."""
    if not one.online:
        return right("offline", columns, "bad")
    if not one.participates:
        return right("apart", columns, "warning")
    stale = one.meter_lost or (one.poll_age_s is not None and one.poll_age_s > _STALE_S)
    style = "bad" if stale else "dim"
    return right(age(one.poll_age_s, glyphs.dash), columns, style)


def _limits(one: BatteryStatus, columns: int, glyphs: Glyphs) -> Line:
    text = f"{glyphs.less}{one.max_charge_w:.0f} {one.max_discharge_w:.0f}{glyphs.more}"
    return right(text, columns, "dim")


def _dc(one: BatteryStatus, columns: int) -> Line:
    return right(watts(one.dc_input_w) if one.max_dc_input_w else "", columns, "solar")


# ---------------------------------------------------------------------------- sun and money


def site_panel(status: Status, columns: int, glyphs: Glyphs) -> tuple[list[Line], Marks]:
    """The sun, the fleet, and the books."""
    solar = status.solar
    fraction = solar.current_w / solar.max_w if solar.max_w > 0 else 0.0
    of = f" of {solar.max_w:.0f}"
    bar = max(0, columns - 19 - len(of))
    total_w, soc = fleet_w(status), fleet_soc(status)
    fleet: list[Span] = [("dim", " fleet  "), (power_style(total_w), watts(total_w, 8))]
    if soc is not None:
        fleet.append(("dim", f" {_doing(total_w)}"))
        fleet_right: Line = [("value", f"{soc:.0%}"), ("dim", " full ")]
    else:
        fleet_right = [("dim", "no batteries ")]
    bought, sold = (f"{wh / 1000:.3f}" for wh in (status.import_wh, status.export_wh))
    lines: list[Line] = [
        [
            ("dim", " sun    "),
            ("solar", watts(solar.current_w, 8)),
            ("", "  "),
            *level(fraction, bar, glyphs, "solar"),
            ("dim", of),
        ],
        spread(fleet, fleet_right, columns),
        spread(
            [("dim", " bought "), ("value", f"{bought} kWh")],
            [("dim", "sold "), ("value", f"{sold} kWh ")],
            columns,
        ),
        spread(
            [("strong", " cost   "), ("strong", money(status.cost_ct))],
            [("dim", "so far ")],
            columns,
        ),
    ]
    phases = " ".join(solar.phases)
    marks: Marks = [(1, [("heading", " Site ")])]
    if phases:
        marks.append((8, [("solar", f" {glyphs.sun} "), ("dim", f"on {phases} ")]))
    return lines, marks


def _doing(power_w: float) -> str:
    if abs(power_w) < 0.5:
        return "resting"
    return "discharging" if power_w > 0 else "charging"


# ------------------------------------------------------------------------------------ loads


def load_panel(
    scene: Scene, status: Status, columns: int, rows: int, glyphs: Glyphs
) -> tuple[list[Line], Marks]:
    """The loads with their switches, scrolled to the cursor."""
    loads = status.loads
    marks: Marks = [(1, [("heading", " Loads ")])]
    if not loads:
        return [[("dim", " no loads")]], marks
    on_w = sum(one.power_w for one in loads if one.active)
    text = f" {watts(on_w)} on "
    marks.append((columns - 1 - len(text), [("dim", text)]))
    first = scrolled(len(loads), rows, scene.load)
    if len(loads) > rows:
        marks.append((9, [("dim", f" {first + 1}-{min(first + rows, len(loads))}/{len(loads)} ")]))
    lines = [
        _load_line(number, one, number == scene.load, columns, glyphs)
        for number, one in enumerate(loads[first : first + rows], first)
    ]
    return lines, marks


def _load_line(number: int, one: LoadStatus, selected: bool, columns: int, glyphs: Glyphs) -> Line:
    key = f"{number + 1}" if number < 8 else " "
    style = "load" if one.active else "dim"
    name = cut(one.name, max(0, columns - 20))
    switch = ("good", f"{glyphs.on} on ") if one.active else ("dim", f"{glyphs.off} off")
    left: list[Span] = [
        ("selected", f" {glyphs.more if selected else ' '}"),
        ("key" if number < 8 else "", key),
        ("", " "),
        ("selected" if selected else style, name),
    ]
    after: list[Span] = [
        (style, watts(one.power_w, 7)),
        ("dim", f" {one.phase} "),
        switch,
        ("", " "),
    ]
    return spread(left, after, columns)


# ----------------------------------------------------------------------------------- sketch


def sketch(scene: Scene, status: Status, columns: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """For terminals too small for panels: the sums, the batteries, and what happened last."""
    grid = status.grid
    phases = "  ".join(
        f"{name} {round(value) + 0:d}"
        for name, value in zip("ABC", (grid.a_w, grid.b_w, grid.c_w), strict=True)
    )
    lines: list[Line] = [
        spread([("strong", f"grid {watts(grid.total_w)}")], [("dim", phases)], columns),
        spread(
            [("solar", f"sun {watts(status.solar.current_w)}")],
            [("value", money(status.cost_ct))],
            columns,
        ),
    ]
    room = rows - len(lines) - 1
    shown: Sequence[BatteryStatus] = status.batteries
    first = scrolled(len(shown), room, scene.battery)
    for number, one in enumerate(shown[first : first + max(0, room)], first):
        mark = glyphs.more if number == scene.battery else " "
        lines.append(
            spread(
                [("value", f"{mark}{one.mac[-4:]} {one.phase}")],
                [(power_style(one.power_w), watts(one.power_w, 8)), ("value", f" {one.soc:4.0%}")],
                columns,
            )
        )
    last = scene.events[-1] if scene.events else None
    if last is not None:
        lines.append([(last.style, last.text)])
    if len(lines) < rows:
        lines.append([("dim", "a larger terminal shows more")])
    return lines
