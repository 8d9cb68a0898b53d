"""What the demo knows at one moment, and how it gets to know it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from astrameter.console.drawing.batteries import BatteryLook
from astrameter.console.drawing.history import History
from astrameter.console.drawing.log import Event
from astrameter.events import CtAnswered
from astrameter.reading import PhaseWatts
from simulator.batteries.battery import Battery
from simulator.demo.journal import CLEAR, Journal
from simulator.demo.money import Money, MoneyLook
from simulator.house import House

SAMPLE_S = 0.25
"""How often the model looks at the house."""

TREND_S = 0.5
"""Between two points of the trends."""

TREND_POINTS = 1200

ANSWERS_OVER_S = 5.0
"""Answers are counted over so many seconds."""

_MODELS = {"HMG": "Venus E v2", "VNSE3": "Venus E v3", "VNSA": "Venus A", "VNSD": "Venus D"}
"""What people call the families of firmware."""


@dataclass(frozen=True, slots=True)
class Running:
    """A load that is switched on."""

    name: str
    power_w: float
    phase: str


class Trends:
    """The last minutes, a point each :data:`TREND_S`.

    :ivar grid_w, load_w, solar_w: sums over the phases.
    :ivar phase_peak_w: the largest magnitude on any phase of the grid.
    """

    def __init__(self) -> None:
        self.grid_w = History(TREND_POINTS)
        self.load_w = History(TREND_POINTS)
        self.solar_w = History(TREND_POINTS)
        self.phase_peak_w = History(TREND_POINTS)

    def note(self, grid_w: PhaseWatts, load_w: float, solar_w: float) -> None:
        self.grid_w.note(sum(grid_w))
        self.load_w.note(load_w)
        self.solar_w.note(solar_w)
        self.phase_peak_w.note(max(map(abs, grid_w)))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is shown, at one moment.

    :ivar second_of_day: in the house.
    :ivar speed: seconds of the house in a second of the clock; 0 while it stands still.
    :ivar load_w: what the house takes altogether; ``solar_w`` is not taken off.
    :ivar sky: see :class:`~simulator.demo.journal.Journal`.
    :ivar latency_s: slowest of the batteries' last round trips; None before the first.
    :ivar link: address of the status page.
    """

    second_of_day: float
    speed: float
    grid_w: PhaseWatts
    load_w: float
    solar_w: float
    batteries: tuple[BatteryLook, ...]
    running: tuple[Running, ...] = ()
    money: MoneyLook = field(default_factory=MoneyLook)
    trends: Trends = field(default_factory=Trends)
    events: Sequence[Event] = ()
    sky: str = CLEAR
    answers_per_s: float = 0.0
    latency_s: float | None = None
    link: str = ""

    @property
    def total_w(self) -> float:
        """Grid power, all phases."""
        return sum(self.grid_w)


class Model:
    """Looks at a house and listens to the appliance.

    :ivar journal: what has happened.
    """

    def __init__(self, house: House, link: str) -> None:
        self.journal = Journal()
        self._house = house
        self._link = link
        self._trends = Trends()
        self._money = Money(house.batteries)
        self._known = frozenset(battery.mac.lower() for battery in house.batteries)
        self._told: dict[str, tuple[float, float]] = {}
        self._answers: deque[float] = deque(maxlen=1000)
        self._house_s = 0.0
        self._began_at: float | None = None
        self._sampled_at = 0.0
        self._samples = 0
        self._distance_ws = self._distance_without_ws = 0.0

    def answered(self, event: CtAnswered, now: float) -> None:
        """The appliance has answered a battery; strangers on the network do not count."""
        if event.consumer_id not in self._known:
            return
        target_w = float(event.data["reported_power"]) + sum(event.target)
        self._told[event.consumer_id] = (target_w, now)
        self._answers.append(now)

    def sample(self, now: float) -> None:
        """Look at the house; to be called every :data:`SAMPLE_S`."""
        house = self._house
        if self._began_at is None:
            self._began_at = self._sampled_at = now
        passed_s = now - self._sampled_at
        self._sampled_at = now
        self._distance_ws += abs(sum(house.site.grid_w)) * passed_s
        self._distance_without_ws += abs(sum(house.site.house_w)) * passed_s
        self._house_s += passed_s * house.day.speed
        grid_w = house.site.grid_at(now)
        powers_w = [battery.power_w_at(now) for battery in house.batteries]
        self._money.note(sum(grid_w), sum(house.site.house_w), powers_w, self._house_s)
        household = house.site.household
        if self._samples % round(TREND_S / SAMPLE_S) == 0:
            self._trends.note(grid_w, self._load_w(), household.solar_w)
        self._samples += 1
        self.journal.look(household.loads, house.day.day, house.day.second_of_day, now)

    def note(self, text: str, style: str = "") -> None:
        """Put a line of somebody else into the journal."""
        self.journal.add(self._house.day.second_of_day, text, style)

    def snapshot(self, now: float) -> Snapshot:
        """What is known now."""
        house = self._house
        household = house.site.household
        trips = [poller.round_trip_s for poller in house.pollers]
        return Snapshot(
            second_of_day=house.day.second_of_day,
            speed=house.day.speed,
            grid_w=house.site.grid_w,
            load_w=self._load_w(),
            solar_w=household.solar_w,
            running=tuple(
                Running(load.name, load.power_w, load.phase)
                for load in household.loads
                if load.active
            ),
            batteries=tuple(self._battery(battery, now) for battery in house.batteries),
            money=self._money.look(),
            trends=self._trends,
            events=self.journal.events,
            sky=self.journal.sky,
            answers_per_s=sum(at > now - ANSWERS_OVER_S for at in self._answers) / ANSWERS_OVER_S,
            latency_s=max((trip for trip in trips if trip is not None), default=None),
            link=self._link,
        )

    def mean_distances_w(self) -> tuple[float, float]:
        """Mean magnitude of the total grid power so far, with and without batteries."""
        lasted_s = 0.0 if self._began_at is None else self._sampled_at - self._began_at
        if lasted_s <= 0:
            return 0.0, 0.0
        return self._distance_ws / lasted_s, self._distance_without_ws / lasted_s

    def _load_w(self) -> float:
        site = self._house.site
        return sum(site.house_w) + site.household.solar_w

    def _battery(self, battery: Battery, now: float) -> BatteryLook:
        target_w, told_at = self._told.get(battery.mac.lower(), (None, None))
        return BatteryLook(
            name=_MODELS.get(battery.config.family.name, battery.config.device_type),
            phase=battery.wired_phase,
            power_w=battery.power_w_at(now),
            target_w=target_w,
            soc=battery.soc,
            age_s=None if told_at is None else now - told_at,
            largest_w=max(battery.limits_w),
        )
