"""Recordings of meters: written by ``astrameter read --record``, played by ``[REPLAY]``.

A recording is a file of lines. Each line is a JSON object::

    {"t_s": 12.001, "time": "2026-01-31T12:00:00.123Z", "section": "MQTT", "watts": [120.5]}

``t_s`` counts in seconds from the beginning of the recording, on a clock that nobody sets; where
it goes back, another recording begins. ``time`` is for people. Lines of ``t_s,watts,...`` do as
well, with one column a phase. docs/recordings.md tells it to users.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from astrameter.deferreds import Clock
from astrameter.reading import MAX_READING_W, Sample

MAX_PHASES = 32
"""More numbers than any meter has in one reading."""

MAX_T_S = 1e11
"""Three thousand years; Unix time will do for ``t_s``, too."""

_COMMENT = "#"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of a recording.

    :ivar t_s: seconds since the recording began.
    :ivar watts: import positive, one entry a phase.
    :ivar section: which meter it was; empty when the line does not tell.
    """

    t_s: float
    watts: tuple[float, ...]
    section: str = ""


def to_line(recorded: Recorded, time: datetime) -> str:
    """The line for the file, without its end. ``time`` is aware."""
    stamp = time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(
        {
            "t_s": round(recorded.t_s, 3),
            "time": stamp,
            "section": recorded.section,
            "watts": list(recorded.watts),
        }
    )


def from_line(line: str) -> Recorded | None:
    """Read a line of either form; None when it is blank or a comment.

    :raises ValueError: it is neither; the text says what is wanted.
    """
    line = line.strip()
    if not line or line.startswith(_COMMENT):
        return None
    if not line.startswith("{"):
        t_s, *watts = line.split(",")
        return Recorded(_time(t_s), _reading(watts))
    try:
        found = json.loads(line)
    except RecursionError:
        raise ValueError("this is no line of a recording") from None
    watts, section = found.get("watts"), found.get("section", "")
    if not isinstance(watts, list) or not isinstance(section, str):
        raise ValueError('"watts" is a list of numbers, and "section" a name')
    return Recorded(_time(found.get("t_s")), _reading(watts), section)


def _time(value: object) -> float:
    t_s = _number(value)
    if abs(t_s) > MAX_T_S:
        raise ValueError("t_s counts in seconds")
    return t_s


def _reading(values: list[object] | list[str]) -> tuple[float, ...]:
    watts = tuple(map(_number, values))
    if not 0 < len(watts) <= MAX_PHASES or any(abs(value) > MAX_READING_W for value in watts):
        raise ValueError("watts are wanted, one for each phase")
    return watts


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a number is wanted")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("a finite number is wanted")
    return number


class Recorder:
    """Appends samples to a file, one whole line at a time."""

    def __init__(self, path: Path, clock: Clock, wall_clock: Callable[[], datetime]) -> None:
        """:raises OSError: the file cannot be written to."""
        self._clock = clock
        self._wall_clock = wall_clock
        self._began_at = clock.seconds()
        self._last: dict[str, Sample] = {}
        # Without a buffer: what has been recorded is in the file whatever happens then.
        self._file = path.open("ab", buffering=0)
        self._separator = b"" if _ends_a_line(path) else b"\n"

    def add(self, section: str, sample: Sample) -> bool:
        """Record what a meter says now; returns False when it says that since the last time.

        :raises OSError: it cannot be written.
        """
        if self._last.get(section) == sample:
            return False
        self._last[section] = sample
        recorded = Recorded(self._clock.seconds() - self._began_at, sample.watts, section)
        line = to_line(recorded, self._wall_clock()).encode() + b"\n"
        self._file.write(self._separator + line)
        self._separator = b""
        return True

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()


def _ends_a_line(path: Path) -> bool:
    """Whether the file is empty or its last line is complete; a pipe or a device always is."""
    if not path.is_file():
        return True
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
