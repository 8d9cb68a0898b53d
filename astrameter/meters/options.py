"""The options that every meter section has, besides its own."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from astrameter.filters.throttle import ThrottleOptions
from astrameter.filters.transform import TransformOptions
from astrameter.options import boolean, networks, option

EVERYBODY = (ipaddress.IPv4Network("0.0.0.0/0"),)


@dataclass(frozen=True)
class SharedMeterOptions(ThrottleOptions):
    """Options of meters that ``[GENERAL]`` can set for all of them."""

    wait_for_next_message: bool = option(
        boolean(),
        default=True,
        inherited=True,
        help="Meters that push: wait up to 2 s for the next value before answering a battery, "
        "so that it acts on the freshest one. Turn it off for meters that send less often.",
    )


@dataclass(frozen=True)
class MeterOptions(TransformOptions, SharedMeterOptions):
    """Base class of the options of every meter kind."""

    netmask: tuple[ipaddress.IPv4Network, ...] = option(
        networks(),
        default=EVERYBODY,
        help="The batteries, by IPv4 network, that are answered from this meter. The first "
        "section of the file that matches a battery serves it.",
        example="192.168.1.0/24",
    )
