"""How a pool of batteries shares a load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One battery of the pool.

    :ivar weight: its share in proportion to the others' weights; 0 takes it to 0 W.
    :ivar low_w: the least it can deliver (negative: it can charge that much).
    :ivar high_w: the most it can deliver.
    """

    consumer_id: str
    weight: float
    low_w: float
    high_w: float


def share(load_w: float, members: Sequence[Member]) -> dict[str, float]:
    """Targets in proportion to the weights, each within its limits, that sum up to the load.

    What a battery at its limit cannot take is shared among the others; where nobody can take
    more, the rest stays with the grid.
    """
    targets = {m.consumer_id: 0.0 for m in members}
    for m in members:
        if m.weight <= 0:
            continue
        targets[m.consumer_id] = min(max(0.0, m.low_w), m.high_w)
    free = [m for m in members if m.weight > 0]
    rest_w = load_w
    while free:
        weight = sum(m.weight for m in free)
        wanted = {m.consumer_id: rest_w * m.weight / weight for m in free}
        over = [m for m in free if not m.low_w <= wanted[m.consumer_id] <= m.high_w]
        if not over:
            targets.update(wanted)
            break
        # Clamp on the side that overflows more, or a limit on one side would hide room on the
        # other.
        excess_w = sum(wanted[m.consumer_id] - clamped(wanted[m.consumer_id], m) for m in over)
        bound = [m for m in over if (wanted[m.consumer_id] > m.high_w) == (excess_w > 0)] or over
        settled = set()
        for m in bound:
            targets[m.consumer_id] = clamped(wanted[m.consumer_id], m)
            rest_w -= targets[m.consumer_id]
            settled.add(m.consumer_id)
        free = [m for m in free if m.consumer_id not in settled]
    return targets


def split(load_w: float, members: Sequence[Member], present_w: Sequence[float]) -> dict[str, float]:
    """Targets that make up for what is missing of the load in equal parts, within the limits.

    Differences between the batteries stay as they are; weight 0 takes a battery to 0 W.

    :param present_w: what each member delivers now.
    """
    at_work = [(m, w) for m, w in zip(members, present_w, strict=True) if m.weight > 0]
    targets = {m.consumer_id: 0.0 for m in members}
    missing_w = load_w - sum(w for _, w in at_work)
    for m, w in at_work:
        targets[m.consumer_id] = clamped(w + missing_w / len(at_work), m)
    return targets


def clamped(value: float, member: Member) -> float:
    """``value`` within the limits of ``member``."""
    return min(max(value, member.low_w), member.high_w)
