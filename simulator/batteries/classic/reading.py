"""Which number of an answer the classic laws act on (battery-firmware.md sections 2.2 and 2.3)."""

from __future__ import annotations

from collections.abc import Callable

from simulator.batteries.acceptance import Answer
from simulator.batteries.config import OWN_PHASE, BatteryConfig

Read = Callable[[Answer], int]

_LETTERS = "ABCD"


def grid_of(config: BatteryConfig) -> Read:
    """How a battery reads the grid power, + import, off an answer.

    ``sum`` adds fields 5, 6 and 7, as the predecessor's simulator does; ``own_phase`` takes the
    battery's own field, or field 8 in combined mode, as the firmware is documented. A battery
    without a phase is never answered.
    """
    if config.reads != OWN_PHASE:
        return _sum
    if config.phase == "D":
        return _total
    index = _LETTERS.find(config.phase)

    def own(answer: Answer) -> int:
        return answer.phase_w[index]

    return own


def count_of(config: BatteryConfig) -> Read:
    """How a battery reads the number of batteries in its own bucket, fields 9 to 12."""
    index = _LETTERS.find(config.phase)

    def count(answer: Answer) -> int:
        return answer.counts[index]

    return count


def _sum(answer: Answer) -> int:
    a, b, c = answer.phase_w
    return a + b + c


def _total(answer: Answer) -> int:
    return answer.total_w
