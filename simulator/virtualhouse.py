"""The whole appliance, unmodified, in a simulated house in virtual time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from astrameter.appliance import Appliance, Surroundings
from astrameter.config import Settings, load_text
from astrameter.services import start, stop
from simulator.house import House, Plan
from simulator.httpmeter import HttpMeter
from simulator.pushmeter import simulated_kind
from simulator.world import World

APPLIANCE = "192.168.1.2"
METER = "192.168.1.3"
CT_PORT = 12345
METER_PORT = 80
MIDNIGHT = datetime(2026, 6, 21, tzinfo=UTC)

PUSHED = """
[GENERAL]
DEVICE_TYPE = ct002
WAIT_FOR_NEXT_MESSAGE = no
[SIMULATED]
"""

OVER_HTTP = f"""
[GENERAL]
DEVICE_TYPE = ct002
[JSON_HTTP]
URL = http://{METER}/power
JSON_PATHS = $.phase_a, $.phase_b, $.phase_c
"""


class VirtualHouse:
    """A house with its appliance in a world of its own.

    :ivar gave_up: why the appliance gave up, if it has.
    """

    def __init__(
        self, plan: Plan, config: str = PUSHED, seed: int = 0, *, transcript: bool = False
    ) -> None:
        """:param config: the appliance's configuration file.

        :raises ConfigError: when the configuration cannot be used.
        """
        self.world = World(seed, transcript=transcript)
        hosts = [self.world.host(f"192.168.1.{11 + i}") for i in range(len(plan.batteries))]
        self.house = House(plan, self.world, hosts, (APPLIANCE, CT_PORT), self.world.random)
        self.gave_up: list[str] = []
        self._kinds = [simulated_kind(self.house.meter)]
        self._began_at = self.world.seconds()
        surroundings = Surroundings(wall_clock=self.wall_clock, give_up=self.gave_up.append)
        host = self.world.host(APPLIANCE)
        self.appliance = Appliance(host, self.settings(config), surroundings)
        self._parts: list[Any] = [self.appliance, self.house]
        if "SIMULATED" not in config:
            meter_host: Any = self.world.host(METER)
            self._parts.insert(0, HttpMeter(self.house.meter, meter_host, METER_PORT, METER))

    def settings(self, config: str) -> Settings:
        """What a configuration text says in this house.

        :raises ConfigError: when it cannot be used.
        """
        return load_text(config, "config.ini", extra_kinds=self._kinds)

    def wall_clock(self) -> datetime:
        """Virtual time of day, from midnight of midsummer on."""
        return MIDNIGHT + timedelta(seconds=self.world.seconds() - self._began_at)

    def start(self) -> None:
        """Start meter, appliance and house."""
        for part in self._parts:
            start(part)

    def stop(self) -> None:
        """Stop everything, and let time pass until it has stopped."""
        for part in reversed(self._parts):
            self.world.wait(stop(part))
