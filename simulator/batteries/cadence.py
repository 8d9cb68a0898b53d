"""How often a battery polls (marstek-devices.md section 1.7)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from simulator.batteries.config import BatteryConfig

INDEX_S = 1.2
"""Added after an answer for each step of the report interval index."""

SHORTEST_S = 0.05


@dataclass(frozen=True, slots=True)
class Cadence:
    """Seconds from one poll to the next.

    :ivar answered_s: when an answer was taken.
    :ivar unanswered_s: when there was none, a malformed one, or a duplicate.
    :ivar jitter_s: half-width of what is added at random.
    """

    answered_s: float
    unanswered_s: float
    jitter_s: float

    def draw(self, interval_s: float, random: Random) -> float:
        """The interval with its jitter, at least SHORTEST_S."""
        if self.jitter_s:
            interval_s += self.jitter_s * (2.0 * random.random() - 1.0)
        return interval_s if interval_s > SHORTEST_S else SHORTEST_S


def cadence_of(config: BatteryConfig) -> Cadence:
    """The firmware's own cadence, or the interval that was asked for."""
    fixed_s, jitter_s = config.poll_interval_s, config.poll_jitter_s
    if fixed_s is not None:
        return Cadence(fixed_s, fixed_s, jitter_s)
    family = config.family
    answered_s = family.poll_s + INDEX_S * config.interval_index
    return Cadence(answered_s, family.unanswered_poll_s, jitter_s)
