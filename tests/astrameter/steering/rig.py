"""A house whose batteries do what they are asked, as simply as can be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from astrameter.reading import Sample
from astrameter.steering.controller import Steering
from astrameter.steering.interface import Mode
from astrameter.steering.options import SteeringOptions

STEP_S = 0.05


@dataclass
class Pack:
    """One battery: the controller's view of it, and the plant behind.

    Each reading moves its setpoint (integrating, as all firmwares do), but only when the last
    move has settled (marstek-devices.md section 1.7); the output follows at a limited rate.

    :ivar low_w: least it can deliver; 0 when it is full or cannot charge.
    :ivar high_w: most it can deliver; 0 when it is empty.
    :ivar dead_time_s: from a decision to its first effect.
    :ivar start_s: the same, when its inverter has to start.
    :ivar stuck_w: what it delivers whatever it is told; None: it follows.
    :ivar blind_w: smaller readings have no effect.
    :ivar wake_w: the same, while it rests.
    :ivar asked: the net outputs asked of it.
    """

    consumer_id: str
    device_type: str = "VNSE3-0"
    phase: str = "A"
    power_w: int = 0
    reported_at: float = 0.0
    mode: Mode = Mode.AUTO
    manual_target_w: float = 0.0
    weight: float = 1.0
    window_weight: float = 1.0
    min_output_w: float | None = None

    low_w: float = -2500.0
    high_w: float = 2500.0
    stuck_w: float | None = None
    ramp_w_per_s: float = 400.0
    dead_time_s: float = 0.0
    start_s: float = 0.0
    blind_w: float = 10.0
    wake_w: float = 0.0
    poll_s: float = 1.0
    online: bool = True
    output_w: float = field(default=0.0, init=False)
    asked: list[float] = field(default_factory=list)
    _setpoint_w: float = 0.0
    _acted_at: float = -100.0
    _near_since: float = -100.0
    _polled_at: float = -100.0
    _ordered: deque[tuple[float, float]] = field(default_factory=deque)
    _driven_w: float = 0.0

    def __post_init__(self) -> None:
        self.output_w = self._setpoint_w = self._driven_w = float(self.power_w)

    def due(self, now: float) -> bool:
        return self.online and now - self._polled_at >= self.poll_s - STEP_S / 2

    def report(self, now: float) -> None:
        self._polled_at = self.reported_at = now
        self.power_w = round(self.output_w)

    def obey(self, reading_w: float, now: float) -> None:
        self.asked.append(self.power_w + reading_w)
        settled = now - self._near_since >= 1 or now - self._acted_at >= 4
        resting = abs(self.output_w) < 5 and not self._ordered
        if abs(reading_w) < max(self.blind_w, self.wake_w if resting else 0.0) or not settled:
            return
        self._setpoint_w = min(max(self._setpoint_w + reading_w, self.low_w), self.high_w)
        delay_s = max(self.dead_time_s, self.start_s if resting else 0.0)
        self._ordered.append((now + delay_s, self._setpoint_w))
        self._acted_at = self._near_since = now

    def move(self, now: float) -> None:
        if self.stuck_w is not None:
            self._setpoint_w = self._driven_w = self.output_w = self.stuck_w
            return
        while self._ordered and self._ordered[0][0] <= now:
            _, self._driven_w = self._ordered.popleft()
        step_w = self.ramp_w_per_s * STEP_S
        wanted_w = min(max(self._driven_w, self.low_w), self.high_w)
        self.output_w += min(max(wanted_w - self.output_w, -step_w), step_w)
        if abs(self.output_w - self._setpoint_w) > 30:
            self._near_since = now


@dataclass
class Strange(Pack):
    """A battery that follows no law that anybody has described, and is never deaf.

    :ivar law: the step that a reading brings about.
    :ivar told: the readings that it was sent.
    """

    law: Callable[[float], float] = float
    told: list[float] = field(default_factory=list)

    def obey(self, reading_w: float, now: float) -> None:
        self.told.append(reading_w)
        self.asked.append(self.power_w + reading_w)
        if abs(reading_w) < self.blind_w:
            return
        wanted_w = self._setpoint_w + self.law(reading_w)
        self._setpoint_w = min(max(wanted_w, self.low_w), self.high_w)
        self._ordered.append((now + self.dead_time_s, self._setpoint_w))


class House:
    """Batteries, a meter and a controller in time.

    :ivar load_w: what the house draws at a time, watts.
    :ivar lost: the meter cannot be read: the batteries are told to stay.
    :ivar frozen: the meter repeats its last value.
    :ivar fresh_objects: the frozen meter still says that it has just measured.
    :ivar trace: (time, true grid power).
    """

    def __init__(
        self,
        packs: Sequence[Pack],
        load_w: Callable[[float], float],
        *,
        period_s: float = 1.0,
        delay_s: float = 0.5,
        **options: bool | float,
    ) -> None:
        self.packs = list(packs)
        self.load_w = load_w
        self.controller = Steering(SteeringOptions(**options))  # type: ignore[arg-type]
        self.now = 1000.0
        self.lost = False
        self.frozen = False
        self.fresh_objects = True
        self.trace: list[tuple[float, float]] = []
        self._period_s = period_s
        self._delay_s = delay_s
        self._on_the_way: deque[tuple[float, float]] = deque()
        self._sample: Sample | None = None
        self._measured_at = -100.0

    @property
    def grid_w(self) -> float:
        return self.load_w(self.now) - sum(pack.output_w for pack in self.packs)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - STEP_S / 2:
            self.now += STEP_S
            for pack in self.packs:
                pack.move(self.now)
            self.trace.append((self.now, self.grid_w))
            self._measure()
            for pack in self.packs:
                if pack.due(self.now):
                    self._poll(pack)

    def grids(self, last_s: float) -> list[float]:
        """True grid power in the last seconds."""
        return [grid_w for at, grid_w in self.trace if at > self.now - last_s]

    def settled_after_s(self, since: float, within_w: float = 25.0) -> float:
        """How long after ``since`` the grid came to stay near zero."""
        off = [at for at, grid_w in self.trace if at > since and abs(grid_w) >= within_w]
        return max(off, default=since) - since

    def outputs(self) -> list[int]:
        return [round(pack.output_w) for pack in self.packs]

    def _measure(self) -> None:
        if self.now - self._measured_at >= self._period_s - STEP_S / 2:
            self._measured_at = self.now
            self._on_the_way.append((self.now + self._delay_s, self.grid_w))
        while self._on_the_way and self._on_the_way[0][0] <= self.now:
            _, grid_w = self._on_the_way.popleft()
            if not self.frozen:
                self._sample = Sample((round(grid_w, 1), 0.0, 0.0), self.now)
            elif self.fresh_objects and self._sample is not None:
                self._sample = Sample(self._sample.watts, self.now)

    def _poll(self, pack: Pack) -> None:
        pack.report(self.now)
        self.controller.report(pack, self.now)
        if pack.phase == "0" or self._sample is None:
            return
        if self.lost:
            pack.obey(0.0, self.now)
            return
        fleet = [one for one in self.packs if self.now - one.reported_at <= 5]
        pack.obey(self.controller.instruct(pack, self._sample, fleet, self.now), self.now)
