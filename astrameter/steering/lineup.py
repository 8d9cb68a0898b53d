"""Who is at work when few batteries are enough: efficiency mode (steering.md section 3.4).

An inverter wastes power at a small load. With a floor per battery, only so many work as the load
gives each its floor; the others rest. They take turns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from astrameter.steering.options import SteeringOptions

_GROWTH = 1.2
"""More work only when there is clearly enough for them, or noise would call them in and out
(steering.md section 3.3, F12)."""

_TIE = 0.95
"""And no less work for all before it is clearly too little: at exactly the floor of each, noise
would send one away for no gain (steering-research-estimator.md section 8)."""

_LEAP = 2.0
"""A load that has grown so much calls for others at once."""

_IDLE_W = 20.0
_NEAR_W = 20.0
_NEAR = 0.2
_PROOFS = 2
_REJECTED_S = 900.0
_MOST_KNOWN = 64


class Role(Enum):
    """What a battery of the pool does at present."""

    RUNNING = "running"
    JOINING = "joining"
    RESTING = "resting"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A battery that may be at work.

    :ivar window: its part of the time at the head of the order, 0..1.
    :ivar low_w: the least it can deliver (negative: it can charge that much).
    :ivar high_w: the most.
    :ivar power_w: what it delivers.
    """

    consumer_id: str
    window: float
    low_w: float
    high_w: float
    power_w: float = 0.0

    def can_w(self, charging: bool) -> float:
        """What it can do in this direction, watts."""
        return max(0.0, -self.low_w if charging else self.high_w)


@dataclass(slots=True)
class _Newcomer:
    since: float
    proofs: int = 0


class Lineup:
    """The order of the batteries, and who of them is at work.

    A change is make before break: who is called joins first, those at work cover what it does not
    yet deliver, and nobody goes to rest before it has proved that it works.
    """

    def __init__(self) -> None:
        self._order: list[str] = []
        self._running: set[str] = set()
        self._joining: dict[str, _Newcomer] = {}
        self._rejected: dict[str, float] = {}
        self._slots = 0
        self._demand_w: float | None = None
        self._charging = False
        self._decided_at = 0.0
        self._turned_at: float | None = None

    @property
    def order(self) -> list[str]:
        """Whose turn it is: the head first."""
        return list(self._order)

    def recall(self, order: Sequence[Any]) -> None:
        """Go on with the order of an earlier run."""
        self._order = [str(one) for one in order[:_MOST_KNOWN]]

    def rotate(self, consumer_ids: Collection[str]) -> None:
        """The next battery takes the lead now."""
        if sum(one in consumer_ids for one in self._order) >= 2:
            self._joining.clear()
            self._turn(self._decided_at)

    def forget(self, consumer_id: str) -> None:
        """It starts anew; its place in the order stays while it is known."""
        self._running.discard(consumer_id)
        self._joining.pop(consumer_id, None)
        self._rejected.pop(consumer_id, None)

    def decide(
        self, load_w: float, pool: Sequence[Candidate], options: SteeringOptions, now: float
    ) -> Mapping[str, Role] | None:
        """Everybody's role; None when all are at work, as without efficiency mode."""
        if options.min_efficient_power <= 0 or len(pool) < 2:
            self._running = {one.consumer_id for one in pool}
            self._joining.clear()
            self._slots = 0
            self._demand_w = None
            return None
        found = {one.consumer_id: one for one in pool}
        self._line_up(found, now)
        self._follow(load_w, len(found), options, now)
        self._take_turns(found, options, now)
        wanted = self._wanted(found, options, now)
        self._change_over(found, wanted, load_w, options, now)
        return {one: self._role(one) for one in found}

    def joining_s(self, consumer_id: str, now: float) -> float:
        """For how long it has been called to work and has not proved itself; 0 when it is not."""
        newcomer = self._joining.get(consumer_id)
        return 0.0 if newcomer is None else max(now - newcomer.since, 0.001)

    def delivered(self, consumer_id: str, power_w: float, wanted_w: float) -> None:
        """A battery that joins reports ``power_w``; it was to come to ``wanted_w``."""
        newcomer = self._joining.get(consumer_id)
        if newcomer is None:
            return
        near = abs(power_w - wanted_w) <= max(_NEAR_W, _NEAR * abs(wanted_w))
        newcomer.proofs = newcomer.proofs + 1 if near else 0

    def _role(self, consumer_id: str) -> Role:
        if consumer_id in self._running:
            return Role.RUNNING
        return Role.JOINING if consumer_id in self._joining else Role.RESTING

    def _line_up(self, found: Mapping[str, Candidate], now: float) -> None:
        if self._turned_at is None:
            self._turned_at = now
        known = [one for one in self._order if one in found]
        new = sorted(set(found) - set(known))
        self._order = sorted(known + new, key=lambda one: found[one].window <= 0)
        self._running &= set(found)
        for gone in set(self._joining) - set(found):
            del self._joining[gone]
        for late in [one for one, until in self._rejected.items() if now >= until]:
            del self._rejected[late]

    def _follow(self, load_w: float, batteries: int, options: SteeringOptions, now: float) -> None:
        """The smoothed demand, and how many batteries it gives their floor."""
        floor_w = options.min_efficient_power
        size_w = abs(load_w)
        if self._demand_w is None or size_w > _LEAP * (self._demand_w + floor_w):
            self._demand_w = size_w
        else:
            # The option is a part per sample; samples come about once a second.
            part = 1 - (1 - options.efficiency_demand_alpha) ** max(0.0, now - self._decided_at)
            self._demand_w += part * (size_w - self._demand_w)
        self._decided_at = now
        if size_w >= _IDLE_W:
            self._charging = load_w < 0
        few = 0 < self._slots < batteries
        if self._demand_w / batteries >= floor_w * (_GROWTH if few else _TIE):
            self._slots = batteries
            return
        slots = min(max(int(self._demand_w // floor_w), 1), batteries - 1)
        if few and slots > self._slots:
            grown = int(self._demand_w // (_GROWTH * floor_w))
            slots = max(self._slots, min(batteries - 1, grown))
        self._slots = slots

    def _take_turns(
        self, found: Mapping[str, Candidate], options: SteeringOptions, now: float
    ) -> None:
        part = found[self._order[0]].window or 1.0
        due = (self._turned_at or 0.0) + options.efficiency_rotation_interval * part
        if now >= due and not self._joining:
            self._turn(now)

    def _turn(self, now: float) -> None:
        self._turned_at = now
        self._order.append(self._order.pop(0))

    def _wanted(
        self, found: Mapping[str, Candidate], options: SteeringOptions, now: float
    ) -> set[str]:
        """The first in the order that can, as many as are needed."""
        least_w = float(options.min_target_for_saturation)
        able = [
            one
            for one in self._order
            if found[one].can_w(self._charging) >= least_w and one not in self._rejected
        ]
        wanted: set[str] = set()
        can_w = 0.0
        for one in able:
            if len(wanted) >= self._slots and can_w >= (self._demand_w or 0.0):
                break
            wanted.add(one)
            can_w += found[one].can_w(self._charging)
        return wanted or set(found)

    def _change_over(
        self,
        found: Mapping[str, Candidate],
        wanted: set[str],
        load_w: float,
        options: SteeringOptions,
        now: float,
    ) -> None:
        for one in [one for one in self._joining if one not in wanted]:
            del self._joining[one]
        least_w = options.min_target_for_saturation
        covering = [one for one in self._running if found[one].can_w(self._charging) >= least_w]
        missing_w = abs(load_w) - abs(sum(found[one].power_w for one in self._running))
        # Where much is missing there is nothing to hand over: all begin together.
        together = not covering or missing_w > options.min_efficient_power
        for one in sorted(wanted - self._running):
            if together:
                self._joining.pop(one, None)
                self._running.add(one)
            elif one not in self._joining:
                self._joining[one] = _Newcomer(now)
        self._judge(options, now)
        if not self._joining:
            self._running &= wanted

    def _judge(self, options: SteeringOptions, now: float) -> None:
        for one, newcomer in list(self._joining.items()):
            if newcomer.proofs >= _PROOFS:
                del self._joining[one]
                self._running.add(one)
            elif now - newcomer.since >= options.saturation_grace_seconds:
                del self._joining[one]
                self._rejected[one] = now + _REJECTED_S
                self._order.remove(one)
                self._order.append(one)
