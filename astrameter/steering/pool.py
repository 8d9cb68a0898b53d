"""The plan: what of the house load is whose part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from astrameter.steering.ceiling import RESTING_W
from astrameter.steering.families import charges_from_ac, needs_keep_alive
from astrameter.steering.interface import Battery
from astrameter.steering.lineup import Candidate, Lineup, Role
from astrameter.steering.options import SteeringOptions
from astrameter.steering.shares import Member, clamped, share, split
from astrameter.steering.unit import Unit

_FADE_W_PER_S = 50.0
"""How fast a battery goes to rest."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is to deliver what.

    :ivar load_w: what the pool is to cover.
    :ivar shares: the part of each battery of the pool.
    :ivar members: their limits.
    :ivar joining: batteries that have been called to work, with what they deliver already; their
        share is what they will have later.
    """

    load_w: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)
    members: Mapping[str, Member] = field(default_factory=dict)
    joining: Mapping[str, float] = field(default_factory=dict)


class Pool:
    """Makes the plans of the batteries that steer themselves (mode AUTO)."""

    def __init__(self, units: Mapping[str, Unit]) -> None:
        self.lineup = Lineup()
        self._units = units
        self._fading: dict[str, float] = {}
        self._faded_at = 0.0

    def plan(
        self,
        load_w: float,
        pool: Sequence[Battery],
        coming: Sequence[Battery],
        options: SteeringOptions,
        now: float,
    ) -> Plan:
        """:param coming: batteries that have not yet found their phase: their place is kept."""
        members = [self._member(b, options) for b in (*pool, *coming)]
        roles = self._roles(load_w, pool, members, options, now)
        if roles:
            return self._with_few(load_w, members[: len(pool)], roles, now)
        self._fading.clear()
        self._faded_at = now
        if options.fair_distribution:
            shares = share(load_w, members)
            decided = [self._run_or_sleep(m, shares[m.consumer_id]) for m in members]
            if decided != members:
                members, shares = decided, share(load_w, decided)
        else:
            present_w = [self._units[m.consumer_id].counted_w for m in members]
            shares = split(load_w, members, present_w)
        mine = {b.consumer_id: shares[b.consumer_id] for b in pool}
        return Plan(
            sum(mine.values()) if coming else load_w, mine, {m.consumer_id: m for m in members}
        )

    def floor_w(self, battery: Battery, options: SteeringOptions) -> float:
        """The smallest output that may be asked of it (steering.md section 3.1, E12)."""
        if battery.weight <= 0:
            return 0.0
        if battery.min_output_w is not None:
            return battery.min_output_w
        return options.min_dc_output if needs_keep_alive(battery.device_type) else 0.0

    def _roles(
        self,
        load_w: float,
        pool: Sequence[Battery],
        members: Sequence[Member],
        options: SteeringOptions,
        now: float,
    ) -> Mapping[str, Role] | None:
        """The roles in efficiency mode; None when all that may be at work are."""
        candidates = [
            Candidate(b.consumer_id, b.window_weight, m.low_w, m.high_w, b.power_w)
            for b, m in zip(pool, members, strict=False)
            if m.weight > 0
        ]
        roles = self.lineup.decide(load_w, candidates, options, now)
        if roles is None or all(role is Role.RUNNING for role in roles.values()):
            return None
        return roles

    def _with_few(
        self, load_w: float, members: Sequence[Member], roles: Mapping[str, Role], now: float
    ) -> Plan:
        """Who rests goes to a share of 0 W; who joins has not got its share yet."""
        resting = {one for one, role in roles.items() if role is Role.RESTING}
        self._fade({m.consumer_id: m for m in members if m.consumer_id in resting}, now)
        members = [
            _pinned(m, self._fading[m.consumer_id]) if m.consumer_id in resting else m
            for m in members
        ]
        joining = [m for m in members if roles.get(m.consumer_id) is Role.JOINING]
        found = {m.consumer_id: _delivered_w(self._units[m.consumer_id]) for m in joining}
        goals = share(load_w, members)
        rest_w = load_w - sum(found.values())
        if rest_w * load_w < 0:
            # A newcomer that does too much for a moment is no reason to work against it.
            rest_w = 0.0
        others = [m for m in members if m.consumer_id not in found]
        shares = share(rest_w, others)
        decided = [self._run_or_sleep(m, shares[m.consumer_id]) for m in others]
        if decided != others:
            shares = share(rest_w, decided)
        limits = {m.consumer_id: m for m in (*joining, *decided)}
        return Plan(load_w, {**goals, **shares}, limits, found)

    def _fade(self, resting: Mapping[str, Member], now: float) -> None:
        """Take those that rest to 0 W so slowly that the others can follow."""
        slowest_s = max((unit.poll_s for unit in self._units.values()), default=1.0)
        most_w = _FADE_W_PER_S * (now - self._faded_at) / max(1.0, slowest_s)
        self._faded_at = now
        levels = {}
        for one, member in resting.items():
            level_w = self._fading.get(one, self._units[one].counted_w)
            goal_w = clamped(0.0, member)
            levels[one] = level_w + min(max(goal_w - level_w, -most_w), most_w)
        self._fading = levels

    def _run_or_sleep(self, member: Member, share_w: float) -> Member:
        """A battery that cannot run at little power either runs at its least, or not at all."""
        unit = self._units[member.consumer_id]
        least_w = unit.bank.law.least_w
        if least_w == 0 or share_w >= least_w:
            return member
        running = unit.setpoint_w >= least_w
        if share_w >= least_w * (0.6 if running else 0.9):
            return replace(member, low_w=max(member.low_w, least_w))
        return replace(member, high_w=max(member.low_w, 0.0))

    def _member(self, battery: Battery, options: SteeringOptions) -> Member:
        unit = self._units[battery.consumer_id]
        low_w, high_w = -math.inf, math.inf
        if options.saturation_detection:
            low_w, high_w = -unit.down.limit_w, unit.up.limit_w
        if not charges_from_ac(battery.device_type):
            low_w = max(low_w, 0.0)
        floor_w = self.floor_w(battery, options)
        if floor_w > 0:
            low_w = max(low_w, floor_w)
        return Member(battery.consumer_id, battery.weight, low_w, max(low_w, high_w))


def _pinned(member: Member, power_w: float) -> Member:
    return replace(member, low_w=power_w, high_w=power_w)


def _delivered_w(unit: Unit) -> float:
    """What a battery delivers that comes to work: nothing until its inverter has started."""
    return unit.power_w if abs(unit.power_w) < RESTING_W else unit.counted_w
