"""A simple, stable controller: every battery takes its weighted share of the house load.

The reading is proportional to how far a battery is from its share. Because it is made from the
load and not from the grid, repeating it cannot wind anything up: it vanishes when the battery
has arrived, however old the sample is (steering.md section 3.2, invariants 2 and 3).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from astrameter.reading import Sample
from astrameter.steering.families import charges_from_ac, needs_keep_alive
from astrameter.steering.interface import INSPECTION, Battery, Mode
from astrameter.steering.limits import DirectionLimits
from astrameter.steering.load import LoadEstimate
from astrameter.steering.options import SteeringOptions
from astrameter.steering.shares import Member, share, split

GAIN = 0.8
"""Part of the distance asked for at once; below 1 the loop is damped against a delay of the
meter that is longer than assumed."""

PLAN_LIFE_S = 0.2
"""How long the shares stand while the meter has nothing new; what changes in the fleet takes
effect after that."""


@dataclass(slots=True)
class _Memory:
    """What is known about one battery."""

    intent_w: float | None = None
    reading_w: float | None = None
    limits: DirectionLimits = field(default_factory=DirectionLimits)


class FairShare:
    """Implements :class:`~astrameter.steering.interface.Controller`."""

    def __init__(self, options: SteeringOptions) -> None:
        self.last_grid_w = 0.0
        self._options = options
        self._load = LoadEstimate()
        self._memories: dict[str, _Memory] = {}
        self._plan: dict[str, float] = {}
        self._plan_sample: Sample | None = None
        self._plan_until = 0.0

    def configure(self, options: SteeringOptions) -> None:
        """Use other options from the next poll on."""
        self._options = options
        self._plan_until = 0.0

    def report(self, battery: Battery, now: float) -> None:
        self._load.report(battery.consumer_id, battery.power_w, now)

    def instruct(
        self, battery: Battery, sample: Sample, fleet: Collection[Battery], now: float
    ) -> float:
        self.last_grid_w = sample.total
        memory = self._memory(battery.consumer_id)
        mode = battery.mode
        if mode is Mode.AUTO:
            reading_w = self._auto(battery, memory, sample, fleet, now)
            memory.reading_w = reading_w
            return reading_w
        target_w = battery.manual_target_w if mode is Mode.MANUAL else 0.0
        reading_w = target_w - battery.power_w
        memory.intent_w = target_w
        memory.reading_w = reading_w if mode is Mode.MANUAL else 0.0
        return reading_w

    def intent_w(self, consumer_id: str) -> float | None:
        memory = self._memories.get(consumer_id)
        return None if memory is None else memory.intent_w

    def last_reading_w(self, consumer_id: str) -> float | None:
        memory = self._memories.get(consumer_id)
        return None if memory is None else memory.reading_w

    def saturation(self, consumer_id: str) -> float:
        memory = self._memories.get(consumer_id)
        return 1.0 if memory is not None and memory.limits.limited else 0.0

    def forget(self, consumer_id: str) -> None:
        self._memories.pop(consumer_id, None)
        self._load.forget(consumer_id)
        self._plan_until = 0.0

    def rotate(self, consumer_ids: Collection[str]) -> None:
        """All batteries are at work all the time: there is no lead to hand over."""

    def _memory(self, consumer_id: str) -> _Memory:
        memory = self._memories.get(consumer_id)
        if memory is None:
            memory = self._memories[consumer_id] = _Memory()
        return memory

    def _auto(
        self,
        battery: Battery,
        memory: _Memory,
        sample: Sample,
        fleet: Collection[Battery],
        now: float,
    ) -> float:
        if self._options.saturation_detection and memory.reading_w is not None:
            changed = memory.limits.observe(memory.reading_w, battery.power_w, now)
            if changed:
                self._plan_until = 0.0
        target_w = self._target_w(battery, sample, fleet, now)
        memory.intent_w = target_w
        reading_w = GAIN * (target_w - battery.power_w)
        floor_w = self._floor_w(battery)
        return max(reading_w, floor_w - battery.power_w) if floor_w > 0 else reading_w

    def _target_w(
        self, battery: Battery, sample: Sample, fleet: Collection[Battery], now: float
    ) -> float:
        if (
            now >= self._plan_until
            or battery.consumer_id not in self._plan
            or (sample is not self._plan_sample and sample != self._plan_sample)
        ):
            self._plan_sample = sample
            self._plan_until = now + PLAN_LIFE_S
            self._plan = self._planned(sample, fleet)
        return self._plan.get(battery.consumer_id, 0.0)

    def _planned(self, sample: Sample, fleet: Collection[Battery]) -> dict[str, float]:
        """The target of each battery of the pool, watts."""
        load_w = self._load.update(sample, fleet)
        pool = []
        for one in fleet:
            if one.phase == INSPECTION:
                # Its test power must show on the meter, or it would never find its phase
                # (marstek-devices.md section 1.9): it is neither asked nor made up for.
                continue
            if one.mode is Mode.AUTO:
                pool.append(one)
            else:
                load_w -= one.power_w
        members = [self._member(one) for one in pool]
        if self._options.fair_distribution:
            return share(load_w, members)
        return split(load_w, members, [one.power_w for one in pool])

    def _member(self, battery: Battery) -> Member:
        limits = self._memory(battery.consumer_id).limits
        low_w = limits.low_w
        if low_w < 0 and not charges_from_ac(battery.device_type):
            low_w = 0.0
        floor_w = self._floor_w(battery)
        if floor_w > 0:
            low_w = floor_w
        return Member(battery.consumer_id, battery.weight, low_w, max(low_w, limits.high_w))

    def _floor_w(self, battery: Battery) -> float:
        if battery.weight <= 0:
            return 0.0
        if battery.min_output_w is not None:
            return battery.min_output_w
        return self._options.min_dc_output if needs_keep_alive(battery.device_type) else 0.0
