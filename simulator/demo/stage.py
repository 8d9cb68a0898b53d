"""The appliance and a house around it, in real time over the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from astrameter.appliance import Appliance, Surroundings
from astrameter.config import load_text
from astrameter.deferreds import spawn
from astrameter.events import CtAnswered, MeterChanged, Subscription
from astrameter.ports import PortError
from astrameter.services import start, stop
from simulator.batteries.config import BatteryConfig
from simulator.demo.model import SAMPLE_S, Model
from simulator.house import House, Plan, venus
from simulator.httpmeter import HttpMeter

LOOPBACK = "127.0.0.1"
MAX_BATTERIES = 24
SPEEDS = (1.0, 5.0, 20.0, 60.0)
SOLAR_W = 3500.0
SOLAR_STEP_W = 500.0
LARGEST_SOLAR_W = 8000.0
THROUGH_CLOUD = 0.1
"""What is left of the sun when the visitor sends a cloud."""

_KETTLE = "Kettle"
_ATTEMPTS = 5
_FLEET = (("VNSE3-0", 0.46), ("HMG-50", 0.38), ("VNSD-0", 0.57))

_CONFIG = """
[GENERAL]
DEVICE_TYPE = ct002
WEB_SERVER_PORT = {web_port}
[CT002]
UDP_PORT = {ct_port}
[JSON_HTTP]
URL = http://127.0.0.1:{meter_port}/power
JSON_PATHS = $.phase_a, $.phase_b, $.phase_c
"""


@dataclass(frozen=True)
class Wishes:
    """What the visitor asked for.

    :ivar speed: seconds of the house's day in a second of the clock.
    :ivar start_s: second of the day.
    """

    speed: float
    start_s: float
    seed: int
    batteries: int


def fleet(count: int) -> tuple[BatteryConfig, ...]:
    """So many batteries on all phases, of different families, each polling in its own rhythm."""
    kinds = islice(zip(cycle(_FLEET), cycle("ABC"), strict=False), count)
    return tuple(
        venus(number, phase, soc, device_type=device_type, poll_interval_s=None)
        for number, ((device_type, soc), phase) in enumerate(kinds, 1)
    )


def free_ports() -> tuple[int, int]:
    """A UDP and a TCP port that nobody uses at this moment."""
    return _free(socket.SOCK_DGRAM), _free(socket.SOCK_STREAM)


def _free(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


class Stage:
    """Meter, appliance and house, and what a visitor can do with them.

    :ivar house, model: what is to be seen; only once it has started.
    """

    house: House
    model: Model
    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        wishes: Wishes,
        give_up: Callable[[str], None],
        ports: Callable[[], tuple[int, int]] = free_ports,
    ) -> None:
        """:param give_up: called with one clear line when the demo cannot go on.

        :param ports: draws a UDP port for the CT and a TCP port for the status page.
        """
        self._reactor = reactor
        self._wishes = wishes
        self._give_up = give_up
        self._ports = ports
        self._peak_w = SOLAR_W
        self._clouded = False
        self._meter_failed = False
        self._running_speed = wishes.speed
        self._meter: HttpMeter | None = None
        self._appliance: Appliance | None = None
        self._sampling: LoopingCall | None = None
        self._subscriptions: tuple[Subscription, ...] = ()

    # ------------------------------------------------------------------------ start and stop

    def start(self) -> Deferred[None]:
        """Open the ports and let everything live.

        :raises PortError: (as failure) no port can be opened, also after trying others.
        """
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        appliance = await self._opened()
        seconds = self._reactor.seconds
        self._subscriptions = (
            appliance.bus.subscribe(
                CtAnswered, lambda event: self.model.answered(event, seconds()), name="the demo"
            ),
            appliance.bus.subscribe(MeterChanged, self._meter_changed, name="the demo's journal"),
        )
        appliance.startService()
        start(self.house)
        self.model.note(f"{self._wishes.batteries} batteries look for their meter", "heading")
        self._sampling = LoopingCall(lambda: self.model.sample(seconds()))
        self._sampling.clock = self._reactor
        spawn(self._sample(self._sampling), "looking at the house", self._log)

    async def _sample(self, sampling: LoopingCall) -> None:
        try:
            await sampling.start(SAMPLE_S)
        except Exception as error:  # noqa: BLE001  everything shown would stand still
            self._give_up(f"the house cannot be looked at: {error!r}")

    async def _opened(self) -> Appliance:
        """Everything built anew around other ports until they can be opened."""
        for attempt in range(1, _ATTEMPTS + 1):
            ct_port, web_port = self._ports()
            self.house = self._house(ct_port)
            meter = HttpMeter(self.house.meter, self._reactor)
            try:
                start(meter)
                text = _CONFIG.format(ct_port=ct_port, web_port=web_port, meter_port=meter.port)
                settings = load_text(text, "the demo's configuration")
                surroundings = Surroundings(give_up=self._give_up)
                appliance = Appliance(self._reactor, settings, surroundings)
                appliance.privilegedStartService()
            except (CannotListenError, PortError) as error:
                await stop(meter)
                if attempt == _ATTEMPTS:
                    raise PortError(str(error)) from None
                continue
            self._meter, self._appliance = meter, appliance
            self.model = Model(self.house, f"http://{LOOPBACK}:{web_port}/")
            return appliance
        raise AssertionError("the last attempt returns or raises")

    def _house(self, ct_port: int) -> House:
        wishes = self._wishes
        plan = Plan(
            fleet(wishes.batteries),
            base_load_w=(140.0, 110.0, 90.0),
            solar_peak_w=LARGEST_SOLAR_W,
            start_s=wishes.start_s,
            speed=wishes.speed,
            pace=wishes.speed,
        )
        house = House(
            plan,
            self._reactor,
            [self._reactor] * wishes.batteries,
            (LOOPBACK, ct_port),
            lambda name: Random(f"{wishes.seed}/{name}"),
        )
        house.day.set_solar_peak(SOLAR_W)
        return house

    def stop(self) -> Deferred[None]:
        """Everything ends, and every socket is closed."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._sampling is not None and self._sampling.running:
            self._sampling.stop()
        if self._appliance is not None:
            for subscription in self._subscriptions:
                self._appliance.bus.unsubscribe(subscription)
            await stop(self.house)
            await stop(self._appliance)
        if self._meter is not None:
            await stop(self._meter)

    def _meter_changed(self, event: MeterChanged) -> None:
        failed, self._meter_failed = self._meter_failed, event.error is not None
        if failed and event.error is None:
            self.model.note("the meter works again", "good")
        elif event.error is not None:
            self.model.note(f"the meter fails: {event.error}", "warning")

    # ------------------------------------------------------------------------ the visitor

    def switch_kettle(self) -> None:
        """Put the kettle on, or take it off."""
        household = self.house.site.household
        kettle = next(load for load in household.loads if load.name == _KETTLE)
        household.switch(_KETTLE, not kettle.active)

    def toggle_cloud(self) -> None:
        """Send a thick cloud before the sun, or away."""
        self._clouded = not self._clouded
        self._shine()
        self.model.note("you sent a cloud" if self._clouded else "you sent the cloud away", "solar")

    def change_panels(self, by_w: float) -> None:
        """More or less solar panels, 0 to :data:`LARGEST_SOLAR_W`."""
        self._peak_w = min(max(self._peak_w + by_w, 0.0), LARGEST_SOLAR_W)
        self._shine()
        self.model.note(f"the roof now has {self._peak_w / 1000:g} kW of panels", "solar")

    def change_speed(self) -> None:
        """The next faster day; after the fastest the slowest."""
        faster = (speed for speed in SPEEDS if speed > self._running_speed)
        self._running_speed = next(faster, SPEEDS[0])
        self.house.set_speed(self._running_speed)
        self.model.note(f"the day passes {self._running_speed:g} times as fast as the clock")

    def pause(self) -> None:
        """Let the day stand still, or go on; the batteries keep following."""
        paused = self.house.day.speed == 0
        self.house.set_speed(self._running_speed if paused else 0.0)
        self.model.note("the day goes on" if paused else "the day stands still")

    def _shine(self) -> None:
        self.house.day.set_solar_peak(self._peak_w * (THROUGH_CLOUD if self._clouded else 1.0))
