"""A PID controller on the total, for batteries that overshoot (filters.md section 8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from astrameter.options import choice, number, option
from astrameter.reading import Sample

BIAS = "bias"
REPLACE = "replace"

MAX_GAIN = 1000.0
MAX_OUTPUT_W = 1e5

MAX_INTEGRATION_S = 30.0
"""After a longer pause nobody knows what the total was in between; the predecessor integrated
over any time (filters.md section 8)."""

MIN_SLOPE_S = 1e-3
"""Two samples closer together than this say nothing about a slope."""


@dataclass(frozen=True)
class PidOptions:
    """Options of the PID controller; ``[GENERAL]`` sets them for all meters."""

    pid_kp: float = option(
        number(None, MAX_GAIN),
        default=0.0,
        inherited=True,
        help="PID controller on the total: proportional gain. In bias mode 0.5 halves what the "
        "batteries see, which damps them; stay below 1. 0 or less is off.",
        example="0.5",
    )
    pid_ki: float = option(
        number(-MAX_GAIN, MAX_GAIN),
        default=0.0,
        unit="1/s",
        inherited=True,
        help="PID controller: integral gain. In bias mode leave it at 0: what adds up would turn "
        "the sign of the reading.",
    )
    pid_kd: float = option(
        number(-MAX_GAIN, MAX_GAIN),
        default=0.0,
        unit="s",
        inherited=True,
        help="PID controller: derivative gain.",
    )
    pid_output_max: float = option(
        number(None, MAX_OUTPUT_W),
        default=800.0,
        unit="W",
        inherited=True,
        help="PID controller: the most that it puts out, in either direction.",
    )
    pid_mode: str = option(
        choice(BIAS, REPLACE),
        default=BIAS,
        inherited=True,
        help="PID controller: bias takes its output off the reading; replace shows its output "
        "instead of the reading, import positive.",
    )


def check(options: PidOptions) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, what is wrong)."""
    if options.pid_kp > 0 and options.pid_output_max <= 0:
        yield "PID_OUTPUT_MAX", "must be above 0 while PID_KP is on; 800 is usual"


class Pid:
    """A controller whose output has the sign of the total: import positive.

    (The predecessor's has the opposite sign. In bias mode it adds where this subtracts, which is
    the same; in replace mode it told the batteries of export where there was import, FP03.)
    """

    def __init__(self, options: PidOptions) -> None:
        """:param options: with a proportional gain and a greatest output above 0."""
        self._kp = options.pid_kp
        self._ki = options.pid_ki
        self._kd = options.pid_kd
        self._max_w = options.pid_output_max
        self._replaces = options.pid_mode == REPLACE
        self._integral_ws = 0.0
        self._last: tuple[float, float] | None = None

    def step(self, sample: Sample) -> Sample:
        """The sample with the controller's output taken off, or the output; equal shares."""
        output_w = self._output_w(sample.total, sample.measured_at)
        share_w = output_w / len(sample.watts)
        if self._replaces:
            return Sample((share_w,) * len(sample.watts), sample.measured_at)
        return Sample(tuple(value - share_w for value in sample.watts), sample.measured_at)

    def reset(self) -> None:
        """Start again with the next sample."""
        self._integral_ws = 0.0
        self._last = None

    def _output_w(self, total_w: float, now: float) -> float:
        last_w, last_at = self._last or (total_w, now)
        self._last = (total_w, now)
        elapsed_s = now - last_at
        output_w = self._kp * total_w
        if elapsed_s >= MIN_SLOPE_S:
            output_w += self._kd * (total_w - last_w) / elapsed_s
        if elapsed_s > 0:
            self._integrate(output_w, total_w, min(elapsed_s, MAX_INTEGRATION_S))
        return self._within(output_w + self._ki * self._integral_ws)

    def _integrate(self, others_w: float, total_w: float, elapsed_s: float) -> None:
        """Anti-windup: what drives the output beyond its limit is not added up, except where it
        works against the sum (filters.md section 8, step 4)."""
        integral_ws = self._integral_ws + total_w * elapsed_s
        output_w = others_w + self._ki * integral_ws
        if self._within(output_w) == output_w or self._integral_ws * total_w < 0:
            self._integral_ws = integral_ws

    def _within(self, output_w: float) -> float:
        return min(max(output_w, -self._max_w), self._max_w)
