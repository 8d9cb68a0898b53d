"""A simulated house, ready to run beside an appliance, in real or in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from twisted.application import service

from astrameter.services import adopt
from astrameter.udp import Address
from simulator.batteries.battery import Battery
from simulator.batteries.config import BatteryConfig
from simulator.batteries.service import BatteryService
from simulator.dayprofile import DayDriver, house_loads
from simulator.gridmeter import GridMeter
from simulator.household import Household
from simulator.site import Site

MORNING_S = 7 * 3600.0


def venus(number: int, phase: str, soc: float = 0.5, **more: Any) -> BatteryConfig:
    """A Venus E v3 that polls about once a second, as the houses here use them."""
    given: dict[str, Any] = {
        "mac": f"02B250{number:06X}",
        "device_type": "VNSE3-0",
        "phase": phase,
        "initial_soc": soc,
        "max_charge_w": 2500.0,
        "max_discharge_w": 800.0,
        "capacity_wh": 5120.0,
        "min_soc": 0.12,
        "efficiency": 0.95,
        "ramp_w_per_s": 400.0,
        "poll_interval_s": 1.0,
        **more,
    }
    return BatteryConfig(**given)


@dataclass(frozen=True)
class Plan:
    """What kind of house it is.

    :ivar base_load_w: standing load on A, B, C.
    :ivar base_noise_w: half-width of its noise on each phase.
    :ivar solar_peak_w: of the panels on the AC side, at noon.
    :ivar start_s: second of the day at which the house starts to live.
    :ivar speed: seconds of its day in a second of the clock. Power and control keep to the clock;
        what is stored in the batteries keeps to the day, so that they last as long as in a day
        that is not hurried.
    :ivar pace: stretches what switches within seconds, see :func:`~simulator.dayprofile.plan_day`.
    :ivar meter_interval_s, meter_latency_s: how often the grid meter refreshes, and how late.
    """

    batteries: tuple[BatteryConfig, ...]
    base_load_w: tuple[float, float, float] = (120.0, 90.0, 60.0)
    base_noise_w: float = 5.0
    solar_peak_w: float = 3000.0
    solar_phases: str = "ABC"
    start_s: float = MORNING_S
    speed: float = 1.0
    pace: float = 1.0
    meter_interval_s: float = 1.0
    meter_latency_s: float = 0.5


class House(service.MultiService):
    """Household, sun, batteries and grid meter; while it runs, the batteries poll.

    :ivar site: the truth: grid power, energy, money.
    :ivar day: the household's day.
    :ivar meter: the grid meter that an appliance may read.
    :ivar pollers: the batteries' sockets, in the order of the batteries.
    """

    def __init__(
        self,
        plan: Plan,
        clock: Any,
        battery_reactors: Sequence[Any],
        ct: Address,
        random_for: Callable[[str], Random],
    ) -> None:
        """:param clock: IReactorTime of the household.

        :param battery_reactors: IReactorTime and IReactorUDP for each battery.
        :param ct: where the batteries find their CT.
        :param random_for: a random stream of its own for each name.
        """
        service.MultiService.__init__(self)
        household = Household(
            random_for("noise"),
            base_load_w=plan.base_load_w,
            base_noise_w=plan.base_noise_w,
            loads=house_loads(),
            solar_max_w=plan.solar_peak_w,
            solar_phases=plan.solar_phases,
        )
        self.batteries = tuple(Battery(config, clock.seconds()) for config in plan.batteries)
        self.site = Site(household, self.batteries)
        self.day = DayDriver(
            household,
            clock,
            random_for("day"),
            solar_peak_w=plan.solar_peak_w,
            start_s=plan.start_s,
            speed=plan.speed,
            pace=plan.pace,
        )
        self.meter = GridMeter(self.site.grid_at, plan.meter_interval_s, plan.meter_latency_s)
        self.pollers = tuple(
            BatteryService(battery, reactor, ct, random_for(f"battery {battery.mac}"))
            for battery, reactor in zip(self.batteries, battery_reactors, strict=True)
        )
        adopt(self, self.day, *self.pollers)
        self._scale_batteries(plan.speed)

    def set_speed(self, speed: float) -> None:
        """Let the day pass faster or slower from now on; at 0 it stands still, and with it what is
        stored in the batteries.

        :raises ValueError: when it is negative or endless.
        """
        self.day.set_speed(speed)
        self._scale_batteries(speed)

    def _scale_batteries(self, speed: float) -> None:
        for battery in self.batteries:
            battery.set_capacity(battery.config.capacity_wh / speed if speed else 0.0)
