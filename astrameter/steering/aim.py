"""Where a battery should go, given what all are to deliver and what the others will do by then."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from astrameter.steering.ceiling import RESTING_W
from astrameter.steering.observer import LoadObserver
from astrameter.steering.pool import Plan
from astrameter.steering.shares import Member, share
from astrameter.steering.trace import (
    ANOTHER,
    EXCHANGE,
    FILLING,
    NOISE,
    NOT_WORTH,
    ONE_FOR_ALL,
    Tracer,
)
from astrameter.steering.unit import Unit

_QUIET_ERROR_W = 50.0
_QUIET_OWN_W = 40.0
_QUIET_OTHERS_W = 60.0
_UNFAIR_W = 25.0
_EXCHANGE_W = 14.0
_WARM_W = 25.0
_STRANGE_W = 9.0
"""Nobody knows what comes of small readings to a battery on a law that nobody has described."""

_DIVE_W = 20.0
_BOUND_S = 2.5
_LONGEST_S = 6.0
_ALIKE = 0.5
_WORTH_W = 25.0
_SHORTEST_POLL_S = 0.3

_FIRST_W = 60.0
"""What a battery begins with that is called to work: the others follow a poll later."""


class Aim:
    """The targets of one plan."""

    def __init__(
        self, plan: Plan, units: Mapping[str, Unit], observer: LoadObserver, trace: Tracer
    ) -> None:
        self._plan = plan
        self._units = units
        self._observer = observer
        self._trace = trace

    def joining_w(self, unit: Unit, share_w: float, wake_w: float) -> float:
        """What a battery is asked for that has been called to work and has to prove that it does.

        :param wake_w: what one is asked for that does not start.
        """
        least_w = wake_w if abs(unit.power_w) < RESTING_W else 0.0
        return math.copysign(max(least_w, min(_FIRST_W, abs(share_w))), share_w)

    def target_w(self, me: str, unit: Unit, now: float) -> float | None:
        """Where the battery should go; None: stay."""
        plan, units = self._plan, self._units
        shares = plan.shares
        share_w = shares[me]
        own_w = share_w - unit.counted_w
        dead_w = self._observer.dead_zone_w
        if not unit.bank.described:
            dead_w = max(dead_w, _STRANGE_W)
        others = [i for i in shares if i != me and i in units and i not in plan.joining]
        if not others:
            if abs(own_w) > dead_w:
                return share_w
            self._trace.stay(NOISE)
            return None
        off = {i: shares[i] - units[i].counted_w for i in others}
        error_w = own_w + sum(off.values())
        near = abs(own_w) <= _QUIET_OWN_W and all(abs(d) <= _QUIET_OTHERS_W for d in off.values())
        member = plan.members[me]
        none = member.weight <= 0 or member.low_w == member.high_w == 0
        if near and ((none and abs(own_w) >= RESTING_W) or abs(error_w) <= _QUIET_ERROR_W):
            # Who is not to be at work is not left with a little.
            return share_w if none else self._quiet_target_w(unit, own_w, off, error_w, dead_w)
        target_w = self._moving_target_w(me, unit, others, now)
        if unit.bank.law.binding_s and abs(target_w - unit.setpoint_w) < _WORTH_W:
            # A small step would make it deaf to the large one that may be next.
            if near:
                # For all of them the part is too small: one does it for all.
                return self._quiet_target_w(unit, own_w, off, error_w, dead_w)
            self._trace.stay(NOT_WORTH)
            return None
        return target_w

    def _quiet_target_w(
        self, unit: Unit, own_w: float, off: dict[str, float], error_w: float, dead_w: float
    ) -> float | None:
        """Small errors go to one battery, or every part would lie in a dead zone."""
        if abs(error_w) > dead_w:
            sign = 1 if error_w > 0 else -1
            most_w = max(own_w * sign, *(d * sign for d in off.values()))
            if own_w * sign < 0.8 * most_w:
                self._trace.stay(ANOTHER)
                return None
            self._trace.limit(ONE_FOR_ALL, unit.counted_w + own_w, unit.counted_w + error_w)
            return unit.counted_w + error_w
        if abs(own_w) > _UNFAIR_W and abs(error_w) < 12 and own_w * error_w >= 0:
            step_w = min(max(own_w, -_EXCHANGE_W), _EXCHANGE_W)
            self._trace.limit(EXCHANGE, unit.counted_w + own_w, unit.counted_w + step_w)
            return unit.counted_w + step_w
        self._trace.stay(NOISE)
        return None

    def _moving_target_w(
        self,
        me: str,
        unit: Unit,
        others: Sequence[str],
        now: float,
    ) -> float:
        """Predict where the others will be, and fill the gap."""
        shares, load_w = self._plan.shares, self._plan.load_w
        share_w = shares[me]
        horizon_s = self._horizon_s(unit, others)
        alike_s = max(1.5 * unit.poll_s + 0.3, _ALIKE * horizon_s if unit.bank.law.binding_s else 0)
        gap_w = load_w - share_w - sum(self._plan.joining.values())
        fast: dict[str, float] = {}
        for i in others:
            other = self._units[i]
            if other.held:
                gap_w -= other.power_w
            elif other.poll_s <= alike_s:
                fast[i] = self._soon_w(other, shares[i], now, horizon_s)
                gap_w -= fast[i]
            else:
                gap_w -= self._slow_w(other, unit, now)
        if abs(gap_w) < 8:
            return share_w
        target_w = share_w + self._own_part_w(gap_w, fast, shares, now, horizon_s)
        if gap_w < 0:
            target_w = max(target_w, share_w - _DIVE_W)
        if target_w * load_w < 0:
            target_w = 0.0
        if 0 <= target_w < _WARM_W <= share_w:
            target_w = _WARM_W
        elif -_WARM_W < target_w <= 0 and share_w <= -_WARM_W and unit.power_w < 0:
            target_w = -_WARM_W
        self._trace.limit(FILLING, share_w, target_w)
        return target_w

    def _horizon_s(self, unit: Unit, others: Sequence[str]) -> float:
        """For how long a step made now decides what this battery does: what the others can do by
        then is not for it to do."""
        gate_s = unit.bank.law.binding_s
        if not gate_s:
            return max(1.0, 1.1 * unit.poll_s)
        alone_w = self._plan.load_w - sum(self._units[i].power_w for i in others)
        travel_s = abs(alone_w - unit.power_w) / unit.history.slew_w_per_s
        return max(_BOUND_S, 2.2 * unit.poll_s, min(travel_s + gate_s, _LONGEST_S))

    def _own_part_w(
        self,
        gap_w: float,
        fast: dict[str, float],
        shares: Mapping[str, float],
        now: float,
        horizon_s: float,
    ) -> float:
        """How much of a gap is for the asking battery: the others take what they can reach."""
        sign = 1 if gap_w > 0 else -1
        members = [Member("", 1.0, 0.0, math.inf)]
        for i, soon_w in fast.items():
            reach_w = self._soon_w(self._units[i], shares[i] + gap_w, now, horizon_s)
            members.append(Member(i, 1.0, 0.0, max(0.0, (reach_w - soon_w) * sign)))
        return sign * share(abs(gap_w), members)[""]

    def _slow_w(self, other: Unit, unit: Unit, now: float) -> float:
        """What a slower battery will deliver by the time that a step made now has landed.

        While it is rising, a little earlier than that: stepping back too soon costs a short
        import, too late an export.
        """
        rising_w = other.setpoint_w - other.power_w
        lead_s = unit.poll_s
        if rising_w > 0:
            lead_s += rising_w / other.history.slew_w_per_s + unit.poll_s
            if unit.bank.law.binding_s:
                # It may skip the first reading that tells it to step back.
                lead_s += unit.poll_s
        at = now + lead_s
        if self._observer.alignment.moving:
            reach_w = other.history.slew_w_per_s * (at - other.polled_at)
            return other.power_w + min(max(rising_w, -reach_w), reach_w)
        return other.setpoint_w if at >= other.polled_at + other.poll_s else other.power_w

    def _soon_w(self, other: Unit, share_w: float, now: float, horizon_s: float) -> float:
        """The set point of another battery after its polls within the horizon."""
        poll_s = max(other.poll_s, _SHORTEST_POLL_S)
        at = max(other.polled_at + poll_s, now)
        if at > now + horizon_s:
            return other.setpoint_w
        law = other.bank.law.copy()
        power_w, reach_w = other.power_w, other.history.slew_w_per_s * poll_s
        while at <= now + horizon_s:
            power_w += min(max(law.setpoint_w - power_w, -reach_w), reach_w)
            law.step(law.approach(share_w, power_w), power_w, at)
            at += poll_s
        return law.setpoint_w
