"""When a battery gives up its meter (marstek-devices.md section 1.8).

Both kinds leave open what a duplicate answer means. "No failure count" is taken to be a sign of
life that proves nothing else: a CT that repeats an index freezes the battery, it does not stop it
(section 8, rule 3) [I].
"""

from __future__ import annotations

from typing import Protocol

from simulator.batteries.config import CLASSIC, BatteryConfig

SILENCE_S = 25.0
"""HMG: so long after the last good answer the meter is inactive."""

STRIKES = 60
"""Venus E v3, A, D: more failures than this reset the meter."""

ATTEMPT_S = 0.9
"""One attempt that brings nothing takes so long, and is one failure."""

MALFORMED_STRIKES = 10


class LossTimer(Protocol):
    """Counts what speaks against the meter."""

    def polled(self, now: float) -> None:
        """A request goes out."""

    def good(self, now: float) -> None:
        """An answer was accepted."""

    def duplicate(self, now: float) -> None:
        """An answer was a repetition."""

    def malformed(self, now: float) -> None:
        """An answer was dropped."""

    def lost(self, now: float) -> bool:
        """Whether the meter is to be given up."""


def loss_timer_of(config: BatteryConfig) -> LossTimer:
    """The kind that a battery has; with a classic law it never gives up."""
    if config.law == CLASSIC:
        return Patience()
    return StrikeCounter() if config.family.strikes else SilenceTimer()


class Patience:
    """Keeps the setpoint for ever, as the predecessor's simulator (battery-firmware.md 2)."""

    __slots__ = ()

    def polled(self, now: float) -> None:
        """Nothing counts."""

    good = duplicate = malformed = polled

    def lost(self, _now: float) -> bool:
        return False


class SilenceTimer:
    """HMG: the time since the last good answer, or since the first poll."""

    __slots__ = ("_heard_at",)

    def __init__(self) -> None:
        self._heard_at: float | None = None

    def polled(self, now: float) -> None:
        if self._heard_at is None:
            self._heard_at = now

    def good(self, now: float) -> None:
        self._heard_at = now

    duplicate = good

    def malformed(self, now: float) -> None:
        """Not a good answer, and nothing else."""

    def lost(self, now: float) -> bool:
        return self._heard_at is not None and now - self._heard_at >= SILENCE_S


class StrikeCounter:
    """Venus E v3, A, D: one failure for an attempt without answer, ten for a malformed one.

    An attempt takes 0.9 s in the firmware. With another poll interval the time until the next poll
    counts in units of 0.9 s, so that silence is noticed after 55 s all the same.
    """

    __slots__ = ("_answered", "_polled_at", "_strikes")

    def __init__(self) -> None:
        self._strikes = 0.0
        self._polled_at: float | None = None
        self._answered = False

    def polled(self, now: float) -> None:
        if self._polled_at is not None and not self._answered:
            self._strikes += (now - self._polled_at) / ATTEMPT_S
        self._polled_at = now
        self._answered = False

    def good(self, _now: float) -> None:
        self._strikes = 0.0
        self._answered = True

    def duplicate(self, _now: float) -> None:
        self._answered = True

    def malformed(self, _now: float) -> None:
        self._strikes += MALFORMED_STRIKES
        self._answered = True

    def lost(self, _now: float) -> bool:
        return self._strikes > STRIKES
