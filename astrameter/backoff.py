"""How long to wait before the next attempt."""

from __future__ import annotations

from random import Random, SystemRandom

FIRST_S = 1.0
LONGEST_S = 60.0

_JITTER = 0.25


class Backoff:
    """Doubling waits, each shortened by up to a quarter so that clients do not march in step.

    The predecessor waited 5 s each time (meters.md section 13); who restarts is back sooner than
    that, and who is gone for the night need not be asked 17 000 times.
    """

    def __init__(
        self,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
        random: Random | None = None,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s
        self._random = random or SystemRandom()

    def next_wait_s(self, patient: bool = False) -> float:
        """The next wait, seconds; ``patient`` goes straight to the longest one."""
        wait_s = self._longest_s if patient else self._next_s
        self._next_s = min(wait_s * 2.0, self._longest_s)
        return wait_s * (1.0 - _JITTER * self._random.random())

    def reset(self) -> None:
        """Start again with the shortest wait."""
        self._next_s = self._first_s
