"""The appliance and a house around it, in real time over the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from astrameter.appliance import Appliance, Surroundings
from astrameter.config import load_text
from astrameter.events import CtAnswered, MeterChanged
from astrameter.ports import PortError
from astrameter.services import start, stop
from simulator.batteries.config import BatteryConfig
from simulator.demo.model import SAMPLE_S, Model
from simulator.house import House, Plan, venus
from simulator.httpmeter import HttpMeter

LOOPBACK = "127.0.0.1"
MAX_BATTERIES = 24
SOLAR_STEP_W = 500.0
LARGEST_SOLAR_W = 8000.0
CLOUD_FACTOR = 0.1
SPEEDS = (1.0, 5.0, 20.0, 60.0)
KETTLE = "Kettle"

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
    """So many batteries of different families on all phases, each with its own cadence."""
    return tuple(
        venus(number, phase, soc, device_type=device_type, poll_interval_s=None)
        for number, ((device_type, soc), phase) in enumerate(
            islice(zip(cycle(_FLEET), cycle("ABC")), count), 1
        )
    )
