"""What an expectation looks at, and whether it holds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from simulator.scripts.model import GRID, SOC, Expectation
from simulator.sitestatus import Status

_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an expectation.

    :ivar decided_s: when it was known.
    :ivar got: the value then; of one that held, the one farthest from the middle of what was
        wanted.
    """

    expectation: Expectation
    met: bool
    decided_s: float
    got: float

    def __str__(self) -> str:
        one = self.expectation
        verdict = "ok  " if self.met else "FAIL"
        got = f"got {one.shown(self.got)} at {self.decided_s:.0f} s"
        return f"{verdict} at {one.at_s:.0f} s: wanted {one}; {got}"


class Watch:
    """Looks at one expectation until it is decided.

    :ivar outcome: None until then.
    """

    def __init__(self, expectation: Expectation) -> None:
        self.outcome: Outcome | None = None
        self._expected = expectation
        self._seen: deque[tuple[float, float]] = deque()
        self._holds_since: float | None = None
        self._worst = 0.0

    def look(self, now: float, status: Status) -> None:
        """Look at a status; to be called about once a second, and at the time it ends."""
        one = self._expected
        if self.outcome is not None:
            return
        value = self._mean(now, value_of(one, status))
        if now < one.at_s - _ROUNDING_S:
            return
        if not one.low <= value <= one.high:
            self._holds_since = None
            if now >= one.at_s + one.before_s - _ROUNDING_S:
                self.outcome = Outcome(one, False, now, value)
            return
        if self._holds_since is None:
            self._holds_since = now
            self._worst = value
        elif abs(value - self._middle) > abs(self._worst - self._middle):
            self._worst = value
        if now - self._holds_since >= one.for_s - _ROUNDING_S:
            self.outcome = Outcome(one, True, now, self._worst)

    @property
    def _middle(self) -> float:
        one = self._expected
        if one.low == -float("inf"):
            return -1e9
        return 1e9 if one.high == float("inf") else (one.low + one.high) / 2

    def _mean(self, now: float, value: float) -> float:
        span_s = self._expected.average_s
        if not span_s:
            return value
        seen = self._seen
        seen.append((now, value))
        while seen[0][0] < now - span_s:
            seen.popleft()
        return sum(one for _, one in seen) / len(seen)


def value_of(expectation: Expectation, status: Status) -> float:
    """What it looks at: W, or a fraction."""
    if expectation.kind == GRID:
        grid = status.grid
        powers_w = {"A": grid.a_w, "B": grid.b_w, "C": grid.c_w, "total": grid.total_w}
        return powers_w[expectation.of]
    battery = status.battery(expectation.of)
    assert battery is not None, "checked when the script was read"
    return battery.soc if expectation.kind == SOC else battery.power_w
