"""Time charts as inline SVG, to be zoomed and read by ``page.js`` but complete without it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 1000, 54, 10, 8, 22
HAIR = 0.4
"""Points closer to the line through their neighbours than this many units are left out."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart.

    :ivar style: classes of the page's style sheet.
    """

    label: str
    values: Sequence[float]
    style: str


@dataclass(frozen=True, slots=True)
class Band:
    """A horizontal stripe, such as what counts as settled."""

    low: float
    high: float


def chart(
    lines: Sequence[Line],
    duration_s: float,
    unit: str,
    *,
    height: int = 190,
    marks: Sequence[tuple[float, str]] = (),
    band: Band | None = None,
    bounds: tuple[float, float] | None = None,
    last: bool = False,
) -> str:
    """An SVG element.

    :param marks: events: seconds and label.
    :param bounds: of the vertical axis; None is what the lines need.
    :param last: with the labels of the time axis.
    """
    low, high, ticks = scale(lines, bounds)
    plot = _Plot(low, high, duration_s, height)
    body = "".join(
        (
            *(plot.rule(value, _number(value, high)) for value in ticks),
            plot.stripe(band) if band else "",
            plot.clipped(lines, marks),
            plot.times(last),
            f'<line class="cursor" y1="{TOP}" y2="{height - BOTTOM}" visibility="hidden"/>',
        )
    )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="'
        f'{escape(", ".join(line.label for line in lines))}" data-duration="{duration_s:g}" '
        f'data-low="{low:g}" data-high="{high:g}" data-unit="{escape(unit)}">{body}</svg>'
    )


def legend(lines: Sequence[Line]) -> str:
    """What the lines of a chart are."""
    keys = "".join(
        f'<span class="key {escape(line.style)}"><i></i>{escape(line.label)}</span>'
        for line in lines
    )
    return f'<div class="legend">{keys}</div>'


def scale(
    lines: Sequence[Line], bounds: tuple[float, float] | None = None
) -> tuple[float, float, list[float]]:
    """Bottom, top and ticks of an axis that takes in all values."""
    values = [value for line in lines for value in (min(line.values), max(line.values))]
    low, high = bounds or (min(0.0, *values), max(0.0, *values))
    if high - low < 1e-9:
        low, high = low - 1, high + 1
    step = _step((high - low) / 5)
    if bounds is None:
        low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first
    return low, high, [(first + i) * step for i in range(count + 1)]


def _step(about: float) -> float:
    """A round number near ``about``: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(about))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= about * 0.999)


def _number(value: float, high: float) -> str:
    text = f"{value:g}" if high <= 10 else f"{value:.0f}"
    return text.replace("-", "−")


class _Plot:
    def __init__(self, low: float, high: float, duration_s: float, height: int) -> None:
        self._low, self._duration_s, self._height = low, duration_s, height
        self._per_unit = (height - TOP - BOTTOM) / (high - low)
        self._per_s = (WIDTH - LEFT - RIGHT) / duration_s

    def x(self, at_s: float) -> float:
        return at_s * self._per_s

    def y(self, value: float) -> float:
        return self._height - BOTTOM - (value - self._low) * self._per_unit

    def rule(self, value: float, text: str) -> str:
        y = self.y(value)
        kind = "zero" if abs(value) < 1e-9 else "rule"
        return (
            f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{text}</text>'
        )

    def stripe(self, band: Band) -> str:
        top, bottom = self.y(band.high), self.y(band.low)
        return (
            f'<rect class="band" x="{LEFT}" width="{WIDTH - LEFT - RIGHT}" y="{top:.1f}" '
            f'height="{max(1.0, bottom - top):.1f}"/>'
        )

    def clipped(self, lines: Sequence[Line], marks: Sequence[tuple[float, str]]) -> str:
        """What moves when the chart is zoomed, in an SVG of its own that cuts it off."""
        inner = WIDTH - LEFT - RIGHT
        drawn = [
            f'<line class="mark" x1="{self.x(at_s):.1f}" x2="{self.x(at_s):.1f}" y1="{TOP}" '
            f'y2="{self._height - BOTTOM}"><title>{escape(label)}, {at_s:.0f} s</title></line>'
            for at_s, label in marks
        ]
        drawn += [
            f'<path class="line {escape(line.style)}" data-label="{escape(line.label)}" '
            f'd="{self.path(line.values)}"/>'
            for line in lines
        ]
        return (
            f'<svg x="{LEFT}" y="0" width="{inner}" height="{self._height}" '
            f'viewBox="0 0 {inner} {self._height}" preserveAspectRatio="none">'
            f'<g class="moving">{"".join(drawn)}</g></svg>'
        )

    def path(self, values: Sequence[float]) -> str:
        step = self._duration_s / len(values)
        points = [(self.x((i + 0.5) * step), self.y(value)) for i, value in enumerate(values)]
        return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in thinned(points))

    def times(self, shown: bool) -> str:
        y = self._height - BOTTOM + 15
        labels = (
            f'<text class="tick" x="{LEFT + self.x(at_s):.1f}" y="{y}" text-anchor="middle">'
            f"{clock(at_s)}</text>"
            for at_s in _times(self._duration_s)
        )
        return f'<g class="times">{"".join(labels)}</g>' if shown else '<g class="times"></g>'


def thinned(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Without the points that lie on the line that leads past them anyway."""
    if len(points) <= 2:
        yield from points
        return
    start = points[0]
    yield start
    low, high = -math.inf, math.inf
    for point, after in zip(points[1:], [*points[2:], None], strict=True):
        width = point[0] - start[0]
        slope = (point[1] - start[1]) / width
        low, high = (
            max(low, slope - HAIR / width),
            min(high, slope + HAIR / width),
        )
        if after is None:
            yield point
            return
        onward = (after[1] - start[1]) / (after[0] - start[0])
        if not low <= onward <= high:
            yield point
            start, low, high = point, -math.inf, math.inf


def _times(duration_s: float) -> list[float]:
    steps = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
    step = next((one for one in steps if duration_s / one <= 10), 14400)
    return [float(at_s) for at_s in range(0, int(duration_s) + 1, step)]


def clock(at_s: float) -> str:
    """Minutes and seconds of a run, with hours where there are any."""
    minutes, seconds = divmod(round(at_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
