"""A simulation: household, batteries, grid meter and automatic as one service."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from twisted.application import service
from twisted.logger import Logger

from astrameter.reading import PhaseWatts
from astrameter.services import adopt
from simulator.batteries.battery import Battery
from simulator.configuration.model import BatterySetup, Simulation
from simulator.control import OperationRefused, Refusal
from simulator.gridmeter import GridMeter
from simulator.household import Household, Load
from simulator.running.automatic import AutoMode
from simulator.running.poller import Poller
from simulator.running.sitetime import SiteTime
from simulator.running.target import CtTarget
from simulator.site import Ledger, Site
from simulator.sitestatus import BatteryStatus, GridStatus, LoadStatus, SolarStatus, Status

_DECIMALS = 3


class RunningSimulation(service.MultiService):
    """While it runs, the batteries poll and the automatic may switch.

    :ivar setup: what it was made of.
    :ivar time: the time of the site.
    :ivar household, site, meter, auto: its parts.
    :ivar pollers: the batteries on the network, in the order of the file.
    :ivar packet_loss: fraction of datagrams that vanish, where a battery has none of its own.
    """

    _log = Logger()

    def __init__(
        self,
        setup: Simulation,
        reactor: Any,
        random_for: Callable[[str], Random] | None = None,
        ct_host: str = "",
    ) -> None:
        """:param random_for: a random stream of its own for each name; None makes them.

        :param ct_host: instead of the one of the setup.
        """
        service.MultiService.__init__(self)
        random_for = random_for or streams(setup.seed)
        self.setup = setup
        self.time = SiteTime(reactor, setup.speed)
        self.packet_loss = setup.packet_loss
        self.household = _household(setup, random_for("noise"))
        self._target = CtTarget(reactor, ct_host or setup.ct_host, setup.ct_port)
        self.pollers = tuple(
            self._poller(one, reactor, random_for(f"battery {one.config.mac}"))
            for one in setup.batteries
        )
        self._ledger = Ledger(
            import_ct_per_kwh=setup.import_ct_per_kwh, export_ct_per_kwh=setup.export_ct_per_kwh
        )
        self.site = self._site()
        self.meter = self._meter(setup.meter_latency_s)
        self.auto = AutoMode(
            self.household, reactor, random_for("auto"), setup.auto_interval_s, setup.speed
        )
        self.auto.enabled = setup.auto_mode
        adopt(self, self._target, *self.pollers, self.auto)

    # ---------------------------------------------------------------------- looking

    def power_now(self) -> PhaseWatts:
        """What the grid meter shows now, W on A, B, C; the noise is drawn anew."""
        a_w, b_w, c_w = self.meter.read(self.time.seconds()).watts
        return a_w, b_w, c_w

    def status(self) -> Status:
        """Everything there is to see now; the noise is drawn anew, and the energy is counted."""
        now = self.time.seconds()
        a_w, b_w, c_w = self.site.grid_at(now)
        household, setup, ledger = self.household, self.setup, self._ledger
        return Status(
            grid=GridStatus(a_w, b_w, c_w, round(a_w + b_w + c_w, 1)),
            loads=tuple(
                LoadStatus(one.name, one.power_w, one.phase, one.active) for one in household.loads
            ),
            solar=SolarStatus(household.solar_w, household.solar_max_w, setup.solar_phases),
            auto_mode=self.auto.enabled,
            batteries=tuple(battery_status(poller, now) for poller in self.pollers),
            elapsed_s=round(now, _DECIMALS),
            speed=self.time.speed,
            cost_ct=round(ledger.cost_ct, _DECIMALS),
            import_wh=round(ledger.import_wh, _DECIMALS),
            export_wh=round(ledger.export_wh, _DECIMALS),
            ct_host=self._target.host,
            ct_port=self._target.port,
            ct_mac=setup.ct_mac,
            pid=os.getpid(),
        )

    def poller(self, mac: str) -> Poller:
        """The battery with that MAC, in any case.

        :raises OperationRefused: when there is none.
        """
        for one in self.pollers:
            if one.battery.mac == mac.upper():
                return one
        raise OperationRefused("battery not found", Refusal.NOT_FOUND)

    # ---------------------------------------------------------------------- changing

    def set_phase(self, mac: str, phase: str) -> None:
        """Plug a battery in on another phase: it begins anew, at the state of charge it has.

        :raises OperationRefused: for a battery or a phase that does not exist.
        """
        poller = self.poller(mac)
        before = poller.battery
        before.advance_to(self.time.seconds())
        try:
            config = replace(
                before.config,
                phase=phase,
                initial_soc=before.soc,
                initial_power_w=0.0,
                dc_input_w=before.dc_input_w,
                participates=before.participates,
            )
        except ValueError as error:
            raise OperationRefused(str(error)) from None
        battery = Battery(config, self.time.seconds())
        battery.set_limits(*before.limits_w)
        poller.replace(battery)
        self.site = self._site()

    def set_meter_latency(self, seconds: float) -> None:
        """From now on the grid meter's readings are so old.

        :raises OperationRefused: when that is negative or endless.
        """
        if not 0 <= seconds < math.inf:
            raise OperationRefused(f"a latency is 0 s or more, not {seconds}")
        self.meter = self._meter(seconds)

    # ---------------------------------------------------------------------- making

    def _poller(self, one: BatterySetup, reactor: Any, random: Random) -> Poller:
        def loss() -> float:
            return self.packet_loss if one.packet_loss is None else one.packet_loss

        battery = Battery(one.config, self.time.seconds())
        return Poller(battery, reactor, self.time, self._target, random, loss)

    def _site(self) -> Site:
        return Site(self.household, [one.battery for one in self.pollers], self._ledger)

    def _meter(self, latency_s: float) -> GridMeter:
        return GridMeter(self._true_grid, self.setup.meter_interval_s, latency_s)

    def _true_grid(self, now: float) -> PhaseWatts:
        return self.site.grid_at(now)


def battery_status(poller: Poller, now: float) -> BatteryStatus:
    """What there is to see of one battery at ``now``."""
    battery = poller.battery
    config = battery.config
    charge_w, discharge_w = battery.limits_w
    heard_at = poller.answered_at
    return BatteryStatus(
        mac=config.mac,
        phase=config.phase,
        power_w=round(battery.power_w_at(now)),
        target_w=round(battery.setpoint_w),
        applied_target_w=round(battery.applied_setpoint_w),
        delay_polls=config.power_update_delay_polls,
        soc=round(battery.soc, 4),
        max_charge_w=_plain(charge_w),
        max_discharge_w=_plain(discharge_w),
        max_dc_input_w=_plain(config.max_dc_input_w),
        dc_input_w=round(battery.dc_input_w),
        device_type=config.device_type,
        law=config.law,
        participates=battery.participates,
        online=poller.online,
        meter_lost=battery.meter_lost,
        poll_age_s=None if heard_at is None else round(now - heard_at, _DECIMALS),
    )


def streams(seed: int | None) -> Callable[[str], Random]:
    """A random stream for each name; the same for the same seed, fresh ones without."""
    if seed is None:
        return lambda _name: Random()
    return lambda name: Random(f"{seed}/{name}")


def _household(setup: Simulation, random: Random) -> Household:
    household = Household(
        random,
        base_load_w=setup.base_load_w,
        base_noise_w=setup.base_noise_w,
        loads=[Load(one.name, one.power_w, one.phase, one.active) for one in setup.loads],
        solar_max_w=setup.solar_max_w,
        solar_phases="".join(setup.solar_phases),
    )
    household.set_solar(setup.solar_w)
    return household


def _plain(power_w: float) -> float:
    """A whole number as one, as the file has it."""
    return int(power_w) if power_w == int(power_w) else power_w
