"""The far end of a serial line: a pseudo terminal."""

from __future__ import annotations

import os
import tty
from collections.abc import Callable
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater


class Adapter:
    """A serial adapter that can be pulled and plugged in again.

    :ivar path: the serial line of the appliance, the same one after each plugging.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ends: tuple[int, int] | None = None
        self.plug()

    def plug(self) -> None:
        self._ends = os.openpty()
        tty.setraw(self._ends[1])
        os.set_blocking(self._ends[0], False)
        self.path.symlink_to(os.ttyname(self._ends[1]))

    def unplug(self) -> None:
        if self._ends is not None:
            ends, self._ends = self._ends, None
            self.path.unlink()
            for end in ends:
                os.close(end)

    def send(self, data: bytes) -> None:
        """What the device sends."""
        assert self._ends is not None, "it is not plugged in"
        assert os.write(self._ends[0], data) == len(data), "the line is full"


async def until(condition: Callable[[], object]) -> None:
    """Wait for it; the test's timeout bounds it."""
    while not condition():
        await deferLater(reactor, 0.002)
