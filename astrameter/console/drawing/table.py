"""Tables whose columns give way, the least important first, and whose rows scroll."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.grid import Marks
from astrameter.console.drawing.spans import Line, Span, fit, width

T = TypeVar("T")


def power_sides(glyphs: Glyphs) -> Sequence[tuple[str, str]]:
    """The meaning of the bars of batteries."""
    return (
        (f"charge {glyphs.less}", f"{glyphs.more} discharge"),
        (f"in {glyphs.less}", f"{glyphs.more} out"),
    )


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column.

    :ivar draw: a row's cell for so many columns.
    :ivar rank: columns of a high rank are left out first; 0 never is.
    :ivar most: as wide as it may grow; 0: it does not.
    :ivar right: its cells lean to the right, and so does the title.
    :ivar sides: what it means to be left and right of the middle, instead of a title; the first
        pair that has room is shown.
    """

    title: str
    least: int
    rank: int
    draw: Callable[[T, int], Line]
    most: int = 0
    right: bool = False
    sides: Sequence[tuple[str, str]] = ()


def widths_for(columns: Sequence[Column[T]], room: int) -> list[int]:
    """The width of each column, 0 for those that are left out; a gap of one between them."""
    chosen = [0] * len(columns)
    used = 0
    for index in sorted(range(len(columns)), key=lambda index: columns[index].rank):
        column = columns[index]
        if column.rank == 0 or used + column.least + 1 <= room:
            chosen[index] = column.least
            used += column.least + 1
        else:
            break
    spare = room - used
    while spare > 0:
        hungry = [i for i, wide in enumerate(chosen) if wide and wide < columns[i].most]
        if not hungry:
            break
        for index in hungry[:spare]:
            chosen[index] += 1
        spare -= min(len(hungry), spare)
    return chosen


def table_marks(columns: Sequence[Column[T]], widths: Sequence[int], heading: str) -> Marks:
    """The titles, for the upper line of a panel, beside its heading."""
    marks: Marks = [(1, [("heading", f" {heading} ")])]
    at = 1
    for column, wide in zip(columns, widths, strict=True):
        if not wide:
            continue
        if column.sides:
            marks += _side_marks(column.sides, at, wide)
        elif column.title and width(column.title) <= wide:
            offset = wide - width(column.title) if column.right else 0
            marks.append((at + offset, [("dim", column.title)]))
        at += wide + 1
    return [marks[0], *(mark for mark in marks[1:] if mark[0] > len(heading) + 3)]


def _side_marks(sides: Sequence[tuple[str, str]], at: int, wide: int) -> Marks:
    """On either side of the middle of a bar."""
    middle = (wide - 1) // 2
    for before, after in sides:
        if max(width(before), width(after)) < middle:
            left, right = at + middle - 1 - width(before), at + middle + 2
            return [(left, [("charge", before)]), (right, [("discharge", after)])]
    return []


def table_lines(
    columns: Sequence[Column[T]],
    widths: Sequence[int],
    rows: Sequence[T],
    count: int,
    selected: int | None = None,
) -> list[Line]:
    """At most ``count`` rows, scrolled so that the selected one is among them."""
    first = scrolled(len(rows), count, selected)
    return [
        _row(columns, widths, row, selected is not None and first + number == selected)
        for number, row in enumerate(rows[first : first + max(count, 0)])
    ]


def scrolled(total: int, count: int, selected: int | None) -> int:
    """The first row to be shown of ``total`` where there is room for ``count``."""
    if count <= 0 or total <= count or selected is None:
        return 0
    return min(max(0, selected - count // 2), total - count)


def _row(columns: Sequence[Column[T]], widths: Sequence[int], row: T, selected: bool) -> Line:
    spans: list[Span] = [("", " ")]
    for column, wide in zip(columns, widths, strict=True):
        if not wide:
            continue
        cell = column.draw(row, wide)
        if selected:
            cell = [("selected" if style in _PLAIN else style, text) for style, text in cell]
        spans.extend(fit(cell, wide))
        spans.append(("", " "))
    return spans


_PLAIN = ("", "dim", "value")
"""These become bold in the selected row; colours keep their meaning."""


def right(text: str, columns: int, style: str = "value") -> Line:
    """A cell that leans to the right."""
    return [(style, " " * max(0, columns - width(text)) + text)]
