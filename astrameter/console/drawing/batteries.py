"""A fleet of batteries as a table, one line each, in whatever width there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from astrameter.console.drawing.bars import balance, level
from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.spans import Line, Span, fit, width_of

LOW_SOC = 0.2

_PHASE, _POWER, _TARGET, _SOC, _AGE = 1, 7, 7, 4, 6
_NAME, _LONGEST_NAME = 8, 16
_LEAST_BAR = 7


@dataclass(frozen=True, slots=True)
class BatteryLook:
    """One battery as it is shown.

    :ivar target_w: what it was last told to deliver; None before it was told anything.
    :ivar soc: state of charge 0..1.
    :ivar age_s: seconds since it was answered last; None before the first answer.
    :ivar largest_w: the magnitude that fills one side of its bar.
    """

    name: str
    phase: str
    power_w: float
    target_w: float | None
    soc: float
    age_s: float | None
    largest_w: float


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the columns; 0 leaves one out."""

    name: int
    power_bar: int
    target: int
    soc_bar: int
    age: int


def columns_for(columns: int) -> Columns:
    """What fits into so many columns, most important first."""
    room = columns - (_PHASE + _POWER + _SOC + 5)
    name = min(max(room, 0), _NAME)
    room -= name
    target = _TARGET if room > _TARGET else 0
    room -= target + 1 if target else 0
    power_bar = soc_bar = age = 0
    if room >= _LEAST_BAR + 1:
        power_bar = _LEAST_BAR
        room -= power_bar + 1
    if room >= _AGE + 1:
        age = _AGE
        room -= age + 1
    if room >= _LEAST_BAR + 1:
        soc_bar = _LEAST_BAR
        room -= soc_bar + 1
    longer = min(max(room, 0), _LONGEST_NAME - name)
    name += longer
    room -= longer
    if power_bar and room > 0:
        for_soc = min(room // 3, 24) if soc_bar else 0
        soc_bar += for_soc
        power_bar += room - for_soc
    return Columns(name, power_bar, target, soc_bar, age)


def battery_line(look: BatteryLook, widths: Columns, glyphs: Glyphs) -> Line:
    """One battery, as the widths say."""
    style = power_style(look.power_w)
    parts: list[Line] = [
        fit([("value", look.name)], widths.name),
        [("dim", look.phase)],
    ]
    if widths.power_bar:
        bar = balance(
            look.power_w, look.largest_w, widths.power_bar, glyphs, ("charge", "discharge")
        )
        parts.append(bar)
    parts.append([(style, watts(look.power_w, _POWER))])
    if widths.target:
        target = "" if look.target_w is None else watts(look.target_w, _TARGET)
        parts.append([("dim", f"{target:>{_TARGET}}")])
    soc_style = "soc low" if look.soc < LOW_SOC else "soc"
    if widths.soc_bar:
        parts.append(level(look.soc, widths.soc_bar, glyphs, soc_style))
    parts.append([("value", f"{round(look.soc * 100)}%".rjust(_SOC))])
    if widths.age:
        age = glyphs.dash if look.age_s is None else f"{min(look.age_s, 999.9):.1f} s"
        parts.append([("dim", age.rjust(_AGE))])
    return _joined(parts)


def battery_marks(widths: Columns, glyphs: Glyphs) -> list[tuple[int, Line]]:
    """What stands above the columns, for the upper line of a panel."""
    at = 1 + widths.name + 1 + _PHASE + 1
    marks: list[tuple[int, Line]] = []
    if widths.power_bar:
        centre = at + (widths.power_bar - 1) // 2
        charge, discharge = f"charge {glyphs.less}", f"{glyphs.more} discharge"
        if widths.power_bar > len(discharge) * 2:
            marks.append((centre - len(charge) - 1, [("charge", charge)]))
            marks.append((centre + 2, [("discharge", discharge)]))
        at += widths.power_bar + 1
    marks.append((at + _POWER - 5, [("dim", "power")]))
    at += _POWER + 1
    if widths.target:
        marks.append((at + _TARGET - 6, [("dim", "target")]))
        at += _TARGET + 1
    if widths.soc_bar:
        marks.append((at, [("dim", "stored")]))
        at += widths.soc_bar + 1
    at += _SOC + 1
    if widths.age:
        marks.append((at + _AGE - 5, [("dim", "asked")]))
    return marks


def battery_table(
    looks: Sequence[BatteryLook], columns: int, rows: int, glyphs: Glyphs
) -> list[Line]:
    """As many batteries as there are rows; the last row sums up those that have none."""
    widths = columns_for(columns)
    if len(looks) <= rows:
        return [battery_line(look, widths, glyphs) for look in looks]
    shown = [battery_line(look, widths, glyphs) for look in looks[: max(0, rows - 1)]]
    others = looks[max(0, rows - 1) :]
    power_w = sum(look.power_w for look in others)
    soc = sum(look.soc for look in others) / len(others)
    text = f" {len(others)} more: {watts(power_w).strip()}, {soc:.0%} stored"
    return [*shown, [("dim", text)]][:rows]


def watts(power_w: float, columns: int = 0) -> str:
    """``1234 W``, right-aligned; there is no minus zero."""
    return f"{round(power_w) + 0:d} W".rjust(columns)


def power_style(power_w: float) -> str:
    """The style of a battery's power."""
    if abs(power_w) < 0.5:
        return "even"
    return "discharge" if power_w > 0 else "charge"


def _joined(parts: Sequence[Line]) -> Line:
    spans: list[Span] = []
    for part in parts:
        if width_of(part):
            spans.append(("", " "))
            spans.extend(part)
    return [*spans, ("", " ")]
