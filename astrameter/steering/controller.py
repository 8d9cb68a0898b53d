"""The controller: cover the house load, fairly, without overshoot.

Per poll: take in the report, take in the reading, share the load, and send the reading whose
effect on this battery is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from twisted.logger import Logger

from astrameter.reading import Sample
from astrameter.steering.aim import Aim
from astrameter.steering.families import charges_from_ac
from astrameter.steering.interface import INSPECTION, Battery, Mode
from astrameter.steering.models.law import choose
from astrameter.steering.observer import LoadObserver
from astrameter.steering.options import SteeringOptions
from astrameter.steering.pool import Plan, Pool
from astrameter.steering.trace import (
    DEAF,
    FLOOR,
    HELD,
    NOBODY,
    OPENING,
    REACH,
    TOO_SOON,
    UNKNOWN,
    WAKING,
    Tracer,
)
from astrameter.steering.unit import Unit

_PLAN_LIFE_S = 0.1
"""How long the shares stand while the meter has nothing new; what changes in the fleet takes
effect after that."""

_OPENING_S = 4.0
_OPENING_W = 150.0
"""How far from where it was found a battery goes while the others may not have asked yet: the
first one would otherwise take everything, and be deaf when the others take their part."""

_WAKE_AFTER_S = 10.0
"""A battery called to work that has not started by then is asked for more (steering.md F23)."""

_PLACE_KEPT_S = 15.0
"""How long a battery that is finding its phase is expected to join soon."""

_SURPLUS_W = 20.0
_MOST_KNOWN = 64


class Steering:
    """Implements :class:`~astrameter.steering.interface.Controller`."""

    _log = Logger()

    def __init__(
        self,
        options: SteeringOptions,
        trace: Tracer = NOBODY,
        observer: LoadObserver | None = None,
    ) -> None:
        """:param observer: estimates the house load in another way than usual."""
        self.last_grid_w = 0.0
        self._trace = trace
        self._options = options
        self._observer = observer or LoadObserver()
        self._units: dict[str, Unit] = {}
        self._intents: dict[str, float] = {}
        self._readings: dict[str, float] = {}
        self._counted: set[str] = set()
        self._known: dict[str, tuple[object, object]] = {}
        self._opened_at = -math.inf
        self._pool = Pool(self._units)
        self._plan = Plan()
        self._surplus_told = False
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
        before_w = unit.setpoint_w
        unit.sent(round(reading_w), now)
        self._readings[me] = 0.0 if mode is Mode.INACTIVE else reading_w
        intent_w = self._intents.get(me, 0.0)
        self._trace.decided(
            me, mode, unit, sample, self._observer, self._plan, before_w, intent_w, reading_w, now
        )
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
        self._pool.lineup.forget(consumer_id)
        self._trace.forget(consumer_id)
        self._plan_until = -math.inf

    def rotate(self, consumer_ids: Collection[str]) -> None:
        self._pool.lineup.rotate(consumer_ids)
        self._plan_until = -math.inf

    def learned(self) -> dict[str, Any]:
        found: dict[str, Any] = {i: u.limits() for i, u in self._units.items() if u.limited}
        # Also of those that have not asked since the start: a second restart must not forget them.
        for one, pair in self._known.items():
            found.setdefault(one, list(pair))
        return {
            "limits_w": dict(islice(found.items(), _MOST_KNOWN)),
            "order": self._pool.lineup.order,
        }

    def recall(self, learned: Mapping[str, Any], now: float) -> None:
        limits = learned.get("limits_w")
        for consumer_id, pair in limits.items() if isinstance(limits, dict) else ():
            if isinstance(pair, list) and len(pair) == 2 and len(self._known) < _MOST_KNOWN:
                self._known[str(consumer_id)] = (pair[0], pair[1])
        order = learned.get("order")
        self._pool.lineup.recall(order if isinstance(order, list) else [])

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
        floor_w = self._pool.floor_w(battery, self._options)
        reading_floor_w = math.ceil(floor_w - unit.power_w) if floor_w > 0 else -math.inf
        if unit.asks_again(now) and me in self._plan.shares:
            # What it was told has had no time to act: saying it again would do it twice.
            self._trace.stay(TOO_SOON)
            return max(0.0, reading_floor_w)
        self._renew_plan(me, sample, fleet, now)
        share_w = self._plan.shares[me]
        target_w = self._target_w(me, unit, share_w, now)
        intent_w = share_w if target_w is None else target_w
        self._intents[me] = max(floor_w, intent_w) if floor_w > 0 else intent_w
        if unit.want(unit.setpoint_w if target_w is None else target_w, now):
            self._plan_until = -math.inf
        if target_w is None:
            return max(0.0, reading_floor_w)
        watched_w = unit.watched(now)
        if watched_w is not None:
            self._trace.stay(UNKNOWN)
            return max(float(watched_w), reading_floor_w)
        wanted_w = target_w
        if unit.held > 0:
            target_w = min(target_w, max(unit.setpoint_w, unit.power_w))
        elif unit.held < 0:
            target_w = max(target_w, min(unit.setpoint_w, unit.power_w))
        self._trace.limit(HELD, wanted_w, target_w)
        chosen_w = float(choose(unit.bank.law, target_w, unit.power_w, now, unit.poll_s))
        if unit.contradicts(chosen_w, target_w):
            self._trace.stay(UNKNOWN)
            return max(0.0, reading_floor_w)
        off_w = target_w - unit.setpoint_w
        chosen_w, quiet_w = unit.hearing.audible(chosen_w, off_w), chosen_w
        self._trace.limit(DEAF, unit.power_w + quiet_w, unit.power_w + chosen_w)
        reading_w = max(chosen_w, reading_floor_w)
        self._trace.limit(FLOOR, unit.power_w + chosen_w, unit.power_w + reading_w)
        return reading_w

    def _target_w(self, me: str, unit: Unit, share_w: float, now: float) -> float | None:
        """Where the battery should go, within its limits; None: stay."""
        aim = Aim(self._plan, self._units, self._observer, self._trace)
        target_w: float | None
        if me in self._plan.joining:
            lineup = self._pool.lineup
            wake = lineup.joining_s(me, now) >= _WAKE_AFTER_S
            target_w = aim.joining_w(unit, share_w, self._options.probe_min_power if wake else 0.0)
            lineup.delivered(me, unit.power_w, target_w)
            self._trace.limit(WAKING, share_w, target_w)
        else:
            target_w = aim.target_w(me, unit, now)
        if target_w is None:
            return None
        member = self._plan.members[me]
        wanted_w, target_w = target_w, min(max(target_w, member.low_w), member.high_w)
        self._trace.limit(REACH, wanted_w, target_w)
        if now - self._opened_at < _OPENING_S:
            wanted_w, joined_w = target_w, unit.joined_w
            target_w = min(max(target_w, joined_w - _OPENING_W), joined_w + _OPENING_W)
            self._trace.limit(OPENING, wanted_w, target_w)
        return target_w

    def _renew_plan(self, me: str, sample: Sample, fleet: Collection[Battery], now: float) -> None:
        """A plan stands for a moment unless there is news."""
        if now < self._plan_until and me in self._plan.shares and sample is self._plan_sample:
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
        self._notice_surplus(load_w, pool)
        self._plan = self._pool.plan(load_w, pool, coming, self._options, now)

    def _notice_surplus(self, load_w: float, pool: Collection[Battery]) -> None:
        """Say once that nobody can take what is left over (steering.md section 3.1, E11)."""
        if load_w > 0 or not pool or any(charges_from_ac(one.device_type) for one in pool):
            self._surplus_told = False
        elif load_w < -_SURPLUS_W and not self._surplus_told:
            self._surplus_told = True
            self._log.info(
                "{surplus:.0f} W are left over, and of the batteries none can be charged from the "
                "house ({types}): they are taken to 0 W",
                surplus=-load_w,
                types=", ".join(sorted({one.device_type for one in pool})),
            )
