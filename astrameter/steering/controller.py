"""The controller: cover the house load, fairly, without overshoot.

Per poll: take in the report, take in the reading, share the load, and send the reading whose
effect on this battery is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from astrameter.reading import Sample
from astrameter.steering.families import charges_from_ac, needs_keep_alive
from astrameter.steering.interface import INSPECTION, Battery, Mode
from astrameter.steering.models.law import choose
from astrameter.steering.observer import LoadObserver
from astrameter.steering.options import SteeringOptions
from astrameter.steering.shares import Member, share, split
from astrameter.steering.unit import Unit

_QUIET_ERROR_W = 50.0
_QUIET_OWN_W = 40.0
_QUIET_OTHERS_W = 60.0
_UNFAIR_W = 25.0
_EXCHANGE_W = 14.0
_WARM_W = 25.0
_DIVE_W = 150.0
_BOUND_S = 2.5
_WORTH_W = 25.0
_SHORTEST_POLL_S = 0.3

_PLAN_LIFE_S = 0.1
"""How long the shares stand while the meter has nothing new; what changes in the fleet takes
effect after that."""

_OPENING_S = 4.0
_OPENING_W = 150.0
"""How far from where it was found a battery goes while the others may not have asked yet: the
first one would otherwise take everything, and be deaf when the others take their part."""

_PLACE_KEPT_S = 15.0
"""How long a battery that is finding its phase is expected to join soon."""

_MOST_KNOWN = 64


class Steering:
    """Implements :class:`~astrameter.steering.interface.Controller`."""

    def __init__(self, options: SteeringOptions) -> None:
        self.last_grid_w = 0.0
        self._options = options
        self._observer = LoadObserver()
        self._units: dict[str, Unit] = {}
        self._intents: dict[str, float] = {}
        self._readings: dict[str, float] = {}
        self._counted: set[str] = set()
        self._known: dict[str, tuple[object, object]] = {}
        self._opened_at = -math.inf
        self._load_w = 0.0
        self._shares: dict[str, float] = {}
        self._members: dict[str, Member] = {}
        self._plan_sample: Sample | None = None
        self._plan_until = -math.inf

    def configure(self, options: SteeringOptions) -> None:
        """Use other options from the next poll on."""
        self._options = options
        self._plan_until = -math.inf

    def report(self, battery: Battery, now: float) -> None:
        unit = self._units.get(battery.consumer_id)
        if unit is None:
            unit = self._join(battery, now)
        if battery.phase == INSPECTION:
            unit.inspect(battery.power_w, now)
            return
        unit.report(battery.power_w, now, self._options.saturation_detection)
        self._observer.advance(now)

    def instruct(
        self, battery: Battery, sample: Sample, fleet: Collection[Battery], now: float
    ) -> float:
        self.last_grid_w = sample.total
        me = battery.consumer_id
        if me not in self._units:
            self.report(battery, now)
        unit = self._units[me]
        mode = battery.mode
        if mode is Mode.AUTO:
            reading_w = self._auto(battery, unit, sample, fleet, now)
        else:
            target_w = battery.manual_target_w if mode is Mode.MANUAL else 0.0
            self._intents[me] = target_w
            reading_w = target_w - battery.power_w
        unit.sent(round(reading_w), now)
        self._readings[me] = 0.0 if mode is Mode.INACTIVE else reading_w
        return reading_w

    def intent_w(self, consumer_id: str) -> float | None:
        return self._intents.get(consumer_id)

    def last_reading_w(self, consumer_id: str) -> float | None:
        return self._readings.get(consumer_id)

    def saturation(self, consumer_id: str) -> float:
        unit = self._units.get(consumer_id)
        if unit is None or not self._options.saturation_detection:
            return 0.0
        return 1.0 if unit.limited else 0.0

    def forget(self, consumer_id: str) -> None:
        unit = self._units.pop(consumer_id, None)
        if unit is not None and consumer_id in self._counted:
            self._counted.discard(consumer_id)
            self._observer.shift(-unit.power_w)
        self._intents.pop(consumer_id, None)
        self._readings.pop(consumer_id, None)
        self._plan_until = -math.inf

    def rotate(self, consumer_ids: Collection[str]) -> None:
        """All batteries are at work all the time: there is no lead to hand over."""

    def learned(self) -> dict[str, Any]:
        limits = {i: unit.limits() for i, unit in self._units.items() if unit.limited}
        return {"limits_w": limits}

    def recall(self, learned: Mapping[str, Any], now: float) -> None:
        limits = learned.get("limits_w")
        for consumer_id, pair in limits.items() if isinstance(limits, dict) else ():
            if isinstance(pair, list) and len(pair) == 2 and len(self._known) < _MOST_KNOWN:
                self._known[str(consumer_id)] = (pair[0], pair[1])

    # ------------------------------------------------------------------------------- fleet

    def _join(self, battery: Battery, now: float) -> Unit:
        if not self._units:
            self._opened_at = now
        unit = Unit(battery.device_type, battery.power_w, now)
        self._units[battery.consumer_id] = unit
        low_w, high_w = self._known.pop(battery.consumer_id, (None, None))
        unit.recall(low_w, high_w, now)
        self._counted.add(battery.consumer_id)
        self._observer.shift(unit.power_w)
        self._plan_until = -math.inf
        return unit

    def _count(self, fleet: Collection[Battery]) -> None:
        """Who falls silent or comes back takes its output out of the house load, or brings it."""
        present = {b.consumer_id for b in fleet if b.consumer_id in self._units}
        for gone in self._counted - present:
            self._observer.shift(-self._units[gone].power_w)
        for back in present - self._counted:
            self._observer.shift(self._units[back].power_w)
        self._counted = present

    # ------------------------------------------------------------------------------- auto

    def _auto(
        self,
        battery: Battery,
        unit: Unit,
        sample: Sample,
        fleet: Collection[Battery],
        now: float,
    ) -> float:
        me = battery.consumer_id
        floor_w = self._floor_w(battery)
        reading_floor_w = math.ceil(floor_w - unit.power_w) if floor_w > 0 else -math.inf
        if unit.asks_again(now) and me in self._shares:
            # What it was told has had no time to act: saying it again would do it twice.
            return max(0.0, reading_floor_w)
        self._plan(me, sample, fleet, now)
        share_w = self._shares[me]
        target_w = self._target_w(me, unit, now)
        if target_w is not None:
            member = self._members[me]
            target_w = min(max(target_w, member.low_w), member.high_w)
            if now - self._opened_at < _OPENING_S:
                target_w = min(
                    max(target_w, unit.joined_w - _OPENING_W), unit.joined_w + _OPENING_W
                )
        intent_w = share_w if target_w is None else target_w
        self._intents[me] = max(floor_w, intent_w) if floor_w > 0 else intent_w
        if unit.want(unit.setpoint_w if target_w is None else target_w, now):
            self._plan_until = -math.inf
        if target_w is None:
            return max(0.0, reading_floor_w)
        if unit.held > 0:
            target_w = min(target_w, max(unit.setpoint_w, unit.power_w))
        elif unit.held < 0:
            target_w = max(target_w, min(unit.setpoint_w, unit.power_w))
        reading_w = choose(unit.bank.law, target_w, unit.power_w, now, unit.poll_s)
        return max(float(reading_w), reading_floor_w)

    def _plan(self, me: str, sample: Sample, fleet: Collection[Battery], now: float) -> None:
        """The shares; they stand for a moment unless there is news."""
        if now < self._plan_until and me in self._shares and sample is self._plan_sample:
            return
        self._plan_sample = sample
        self._plan_until = now + _PLAN_LIFE_S
        self._count(fleet)
        units = self._units
        known = [b for b in fleet if b.consumer_id in units]
        self._observer.observe(sample, [units[b.consumer_id].history for b in known])
        load_w = self._observer.load_w or 0.0
        coming = []
        pool = []
        for one in known:
            if one.phase == INSPECTION:
                # Its test power must show on the meter, or it would never find its phase
                # (marstek-devices.md section 1.9): it is neither asked nor made up for.
                if now - units[one.consumer_id].joined_at < _PLACE_KEPT_S:
                    coming.append(one)
            elif one.mode is Mode.AUTO:
                pool.append(one)
            else:
                load_w -= one.power_w
        self._load_w = load_w
        self._share_out(load_w, pool, coming)

    def _share_out(self, load_w: float, pool: Sequence[Battery], coming: Sequence[Battery]) -> None:
        """A battery that has not yet found its phase has its place kept for it."""
        members = [self._member(b) for b in (*pool, *coming)]
        if self._options.fair_distribution:
            shares = share(load_w, members)
            decided = [self._run_or_sleep(m, shares[m.consumer_id]) for m in members]
            if decided != members:
                members, shares = decided, share(load_w, decided)
        else:
            present_w = [self._units[m.consumer_id].counted_w for m in members]
            shares = split(load_w, members, present_w)
        self._members = {m.consumer_id: m for m in members}
        self._shares = {b.consumer_id: shares[b.consumer_id] for b in pool}
        if coming:
            self._load_w = sum(self._shares.values())

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

    def _member(self, battery: Battery) -> Member:
        unit = self._units[battery.consumer_id]
        low_w, high_w = -math.inf, math.inf
        if self._options.saturation_detection:
            low_w, high_w = -unit.down.limit_w, unit.up.limit_w
        if not charges_from_ac(battery.device_type):
            low_w = max(low_w, 0.0)
        floor_w = self._floor_w(battery)
        if floor_w > 0:
            low_w = max(low_w, floor_w)
        return Member(battery.consumer_id, battery.weight, low_w, max(low_w, high_w))

    def _floor_w(self, battery: Battery) -> float:
        if battery.weight <= 0:
            return 0.0
        if battery.min_output_w is not None:
            return battery.min_output_w
        return self._options.min_dc_output if needs_keep_alive(battery.device_type) else 0.0

    def _target_w(self, me: str, unit: Unit, now: float) -> float | None:
        """Where the battery should go; None: stay."""
        shares, units = self._shares, self._units
        share_w = shares[me]
        own_w = share_w - unit.counted_w
        dead_w = self._observer.dead_zone_w
        others = [i for i in shares if i != me and i in units]
        if not others:
            return share_w if abs(own_w) > dead_w else None
        off = {i: shares[i] - units[i].counted_w for i in others}
        error_w = own_w + sum(off.values())
        if (
            abs(error_w) <= _QUIET_ERROR_W
            and abs(own_w) <= _QUIET_OWN_W
            and all(abs(d) <= _QUIET_OTHERS_W for d in off.values())
        ):
            return self._quiet_target_w(unit, own_w, off, error_w, dead_w)
        target_w = self._moving_target_w(me, unit, others, shares, self._load_w, now)
        if unit.bank.law.binding_s and abs(target_w - unit.setpoint_w) < _WORTH_W:
            # A small step would make it deaf to the large one that may be next.
            return None
        return target_w

    def _quiet_target_w(
        self, unit: Unit, own_w: float, off: dict[str, float], error_w: float, dead_w: float
    ) -> float | None:
        """Small errors go to one battery, or every part would lie in a dead zone."""
        if abs(error_w) > dead_w:
            sign = 1 if error_w > 0 else -1
            most_w = max(own_w * sign, *(d * sign for d in off.values()))
            return unit.counted_w + error_w if own_w * sign >= 0.8 * most_w else None
        if abs(own_w) > _UNFAIR_W and abs(error_w) < 12 and own_w * error_w >= 0:
            return unit.counted_w + min(max(own_w, -_EXCHANGE_W), _EXCHANGE_W)
        return None

    def _moving_target_w(
        self,
        me: str,
        unit: Unit,
        others: Sequence[str],
        shares: dict[str, float],
        load_w: float,
        now: float,
    ) -> float:
        """Predict where the others will be, and fill the gap."""
        share_w = shares[me]
        horizon_s = max(1.0, 1.1 * unit.poll_s)
        if unit.bank.law.binding_s:
            # A step made now binds this battery for a while: what the others can do by then
            # is not for it to do.
            horizon_s = max(_BOUND_S, 2.2 * unit.poll_s)
        gap_w = load_w - share_w
        fast: dict[str, float] = {}
        for i in others:
            other = self._units[i]
            if other.held:
                gap_w -= other.power_w
            elif other.poll_s <= 1.5 * unit.poll_s + 0.3:
                fast[i] = self._soon_w(other, shares[i], now, horizon_s)
                gap_w -= fast[i]
            else:
                gap_w -= self._slow_w(other, unit.poll_s, now)
        if abs(gap_w) < 8:
            return share_w
        target_w = share_w + self._own_part_w(gap_w, fast, shares, now, horizon_s)
        if gap_w < 0:
            target_w = max(target_w, share_w - _DIVE_W)
        if target_w * load_w < 0:
            target_w = 0.0
        if 0 <= target_w < _WARM_W <= share_w:
            target_w = _WARM_W
        return target_w

    def _own_part_w(
        self,
        gap_w: float,
        fast: dict[str, float],
        shares: dict[str, float],
        now: float,
        horizon_s: float,
    ) -> float:
        """How much of a gap is for the asking battery: the others take what they can reach."""
        sign = 1 if gap_w > 0 else -1
        members = [Member("", 1.0, 0.0, float("inf"))]
        for i, soon_w in fast.items():
            reach_w = self._soon_w(self._units[i], shares[i] + gap_w, now, horizon_s)
            members.append(Member(i, 1.0, 0.0, max(0.0, (reach_w - soon_w) * sign)))
        return sign * share(abs(gap_w), members)[""]

    def _slow_w(self, other: Unit, poll_s: float, now: float) -> float:
        """What a slower battery will deliver by the time that a step made now has landed.

        While it is rising, a little earlier than that: stepping back too soon costs a short
        import, too late an export.
        """
        rising_w = other.setpoint_w - other.power_w
        lead_s = poll_s
        if rising_w > 0:
            lead_s += rising_w / other.history.slew_w_per_s + poll_s
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
