"""Recorded load and sun from files (evaluation.md sections 3.2 and 3.3)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from simulator.evaluation.script import Action, Event, Script

if TYPE_CHECKING:
    from simulator.evaluation.plant import Plant

PROSUMER_SHARE = 0.45
"""The prosumer's site is scaled down to one battery."""

MOST_BYTES = 50_000_000


class TraceError(ValueError):
    """The file is no trace; the text names it, and says what a trace looks like."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a house took, and what its panels gave.

    :ivar times_s: ascending.
    :ivar sun_w: empty when the file has none.
    """

    name: str
    times_s: tuple[float, ...]
    load_w: tuple[float, ...]
    sun_w: tuple[float, ...]

    def script(self, duration_s: float, random: Random) -> Iterator[Event]:
        """A piece of it, from a random place: a :data:`~simulator.evaluation.script.Script`."""
        start_s = random.uniform(0, self.times_s[-1] - duration_s)
        first = max(bisect_right(self.times_s, start_s) - 1, 0)
        for index in range(first, len(self.times_s)):
            at_s = max(0.0, self.times_s[index] - start_s)
            if at_s > duration_s:
                return
            if self.sun_w:
                share = PROSUMER_SHARE
                yield Event(at_s, "", _site(share * self.load_w[index], share * self.sun_w[index]))
            else:
                yield Event(at_s, "", _site(self.load_w[index], None))

    def piece(self, duration_s: float) -> Script:
        """:meth:`script`, once it is clear that the trace is long enough.

        :raises TraceError: when it is not.
        """
        if self.times_s[-1] < duration_s:
            raise TraceError(
                f"{self.name}: a scenario of {duration_s:g} s needs a longer trace than "
                f"{self.times_s[-1]:g} s"
            )
        return self.script


def _site(load_w: float, sun_w: float | None) -> Action:
    def action(plant: Plant) -> None:
        plant.household.set_base_load("A", load_w)
        if sun_w is not None:
            plant.set_sun(curve_w=sun_w)

    return action


@lru_cache(maxsize=8)
def load_trace(path: Path) -> Trace:
    """Read ``t_s,watts`` or ``t_s,load_w,pv_w``.

    Comments (``#``), blank lines, a header and lines that cannot be read are skipped.

    :raises TraceError: the file cannot be read, or holds no sample.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TraceError(f"{path}: more than {MOST_BYTES // 1_000_000} MB is no trace")
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from None
    rows = sorted(row for line in lines if (row := _row(line)))
    widths = {len(row) for row in rows}
    if not rows:
        raise TraceError(f"{path}: no sample; a trace has lines 't_s,watts' or 't_s,load_w,pv_w'")
    if len(widths) > 1:
        raise TraceError(f"{path}: some lines have two columns, others three")
    return Trace(
        path.name,
        tuple(row[0] for row in rows),
        tuple(row[1] for row in rows),
        tuple(row[2] for row in rows) if 3 in widths else (),
    )


def _row(line: str) -> tuple[float, ...]:
    if line.lstrip().startswith("#"):
        return ()
    try:
        row = tuple(map(float, line.split(",")))
    except ValueError:
        return ()
    return row if 2 <= len(row) <= 3 and all(map(math.isfinite, row)) else ()
