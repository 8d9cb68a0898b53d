"""Recordings of meters, read again: which sample is due when.

The file is read as it is played, a line at a time: it may be as long as it likes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from astrameter.recording import Recorded, from_line

MAX_LINE = 4096
"""Bytes; a longer line is none of ours."""

BREATHE_EVERY = 1000
"""Lines that may be passed over in one go."""

DEFAULT_INTERVAL_S = 1.0
"""Between two samples that do not say."""


def open_recording(path: Path) -> BinaryIO:
    """Open a file to read it line by line.

    :raises OSError: it cannot be read, or is no file.
    """
    # A pipe would otherwise stop the whole program until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is no regular file")
    return os.fdopen(descriptor, "rb")


class Lines:
    """The samples of one meter in a recording.

    :ivar first_bad: the first line that could not be read and what is wrong with it; empty as
        long as there is none.
    """

    def __init__(self, file: BinaryIO, section: str = "") -> None:
        """:param section: whose samples; empty: the meter's that comes first."""
        self.first_bad = ""
        self._file = file
        self._section = section
        self._any = not section

    def __iter__(self) -> Iterator[Recorded | None]:
        """Each sample, from the beginning of the file; None now and then, to take a breath.

        :raises OSError: the file cannot be read.
        """
        self._file.seek(0)
        begun = too_long = False
        number = 1
        for count, data in enumerate(iter(self._read_some, b""), 1):
            if count % BREATHE_EVERY == 0:
                yield None
            ends = data.endswith(b"\n")
            if too_long or (len(data) == MAX_LINE and not ends):
                if not too_long:
                    self._note(number, "the line is too long")
                too_long = not ends
            else:
                recorded = self._parsed(data, number, begun)
                begun = begun or recorded is not None
                if recorded is not None and self._is_wanted(recorded.section):
                    yield recorded
            number += ends

    def _read_some(self) -> bytes:
        return self._file.readline(MAX_LINE)

    def _parsed(self, data: bytes, number: int, begun: bool) -> Recorded | None:
        line = data.decode("utf-8", "replace").removeprefix("\ufeff")
        try:
            return from_line(line)
        except ValueError as error:
            # What stands in front of the samples is the names of the columns.
            if begun or line.lstrip().startswith("{"):
                self._note(number, str(error))
            return None

    def _is_wanted(self, section: str) -> bool:
        if self._any:
            self._any, self._section = False, section
        return section == self._section

    def _note(self, number: int, why: str) -> None:
        if not self.first_bad:
            self.first_bad = f"line {number}: {why}"


class Timetable:
    """When each sample is due, in seconds of the recording since its first one.

    :ivar at_s: when the last one was due.
    :ivar interval_s: between the last two.
    """

    def __init__(self) -> None:
        self.at_s = 0.0
        self.interval_s = DEFAULT_INTERVAL_S
        self._last_t_s: float | None = None
        self._pause_s = 0.0

    def next(self, t_s: float) -> float:
        """When a sample is due; where ``t_s`` goes back, after the interval seen last."""
        step_s = self._pause_s
        if self._last_t_s is not None:
            step_s = t_s - self._last_t_s
            if step_s < 0:
                step_s = self.interval_s
            elif step_s > 0:
                self.interval_s = step_s
        self._pause_s = 0.0
        self._last_t_s = t_s
        self.at_s += step_s
        return self.at_s

    def rewind(self) -> None:
        """The recording is played again from its beginning, an interval after its last sample."""
        self._last_t_s = None
        self._pause_s = self.interval_s
