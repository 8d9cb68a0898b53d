"""A program in a terminal of its own, watched from a test on the real reactor."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from typing import Any

from tests.process import Watched

LEAVE_ALTERNATE_SCREEN = "\x1b[?1049l"
SHOW_CURSOR = "\x1b[?25h"


class InTerminal(Watched):
    """A program that believes that somebody sits before it.

    :ivar before: the settings of the terminal before the program touched it.
    """

    def __init__(self, command: list[str], columns: int, rows: int, **environ: str) -> None:
        master, slave = pty.openpty()
        # An end of our own: Twisted closes both others, the last when the program has ended.
        self._end = os.dup(master)
        self.resize(columns, rows)
        self.before = self.settings()
        given = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "NO_COLOR": "", **environ}
        terminal = (master, slave, os.ttyname(slave))
        super().__init__(command, given, terminal)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self._end)

    def press(self, keys: str) -> None:
        self.process.write(keys.encode())

    def hang_up(self) -> None:
        """The terminal goes, as when its window is closed."""
        self.close()
        self.process.loseConnection()

    def close(self) -> None:
        if self._end >= 0:
            os.close(self._end)
            self._end = -1
