"""How far it is: a bar where somebody looks, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

BAR_COLUMNS = 28
RENEW_S = 0.1


class Progress:
    """Counts what is done.

    :param lively: draw a bar that is renewed in place.
    :param clock: monotonic seconds.
    """

    def __init__(
        self, out: TextIO, total: int, lively: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out
        self._total = total
        self._lively = lively
        self._clock = clock
        self._started_at = clock()
        self._drawn_at = -1e9
        self._done = 0
        self._left: dict[str, int] = {}

    def expect(self, name: str, runs: int) -> None:
        """A scenario has so many runs."""
        self._left[name] = runs

    def begin(self) -> None:
        """Show that something happens, although nothing is done yet."""
        if self._lively:
            self._draw("", f"0/{self._total}")

    def done(self, name: str) -> None:
        """One run of a scenario is over."""
        self._done += 1
        self._left[name] = self._left.get(name, 1) - 1
        if self._lively:
            self._renew(name)
        elif self._left[name] <= 0:
            self._out.write(f"{self._done}/{self._total} {name}\n")
            self._out.flush()

    def end(self) -> None:
        """Take the bar away."""
        if self._lively:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def _draw(self, name: str, tally: str) -> None:
        filled = BAR_COLUMNS * self._done // self._total
        bar = "█" * filled + "░" * (BAR_COLUMNS - filled)
        self._out.write(f"\r\x1b[K{bar} {tally}  {name[:32]}")
        self._out.flush()

    def _renew(self, name: str) -> None:
        now = self._clock()
        if now - self._drawn_at < RENEW_S and self._done < self._total:
            return
        self._drawn_at = now
        left_s = (now - self._started_at) * (self._total - self._done) / self._done
        self._draw(name, f"{self._done}/{self._total} {left_s:.0f} s left")
