"""The options that every meter section has, besides its own."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from astrameter.filters import hampel, pid
from astrameter.filters.age import AgeOptions
from astrameter.filters.deadband import DeadbandOptions
from astrameter.filters.hampel import HampelOptions
from astrameter.filters.pid import PidOptions
from astrameter.filters.smooth import SmoothOptions
from astrameter.filters.throttle import ThrottleOptions
from astrameter.filters.transform import TransformOptions
from astrameter.options import boolean, integer, networks, number, option, optional

EVERYBODY = (ipaddress.IPv4Network("0.0.0.0/0"),)


@dataclass(frozen=True)
class SharedMeterOptions(
    PidOptions, DeadbandOptions, SmoothOptions, HampelOptions, ThrottleOptions
):
    """Options of meters that ``[GENERAL]`` can set for all of them.

    The order of the filters (filters.md section 2) from the last base to the first, which is how
    a dataclass orders its fields.
    """

    wait_for_next_message: bool = option(
        boolean(),
        default=True,
        inherited=True,
        help="Meters that push: wait up to 2 s for the next value before answering a battery, "
        "so that it acts on the freshest one. Turn it off for meters that send less often.",
    )


@dataclass(frozen=True)
class MeterOptions(AgeOptions, TransformOptions, SharedMeterOptions):
    """Base class of the options of every meter kind."""

    netmask: tuple[ipaddress.IPv4Network, ...] = option(
        networks(),
        default=EVERYBODY,
        help="The batteries, by IPv4 network, that are answered from this meter. The first "
        "section of the file that matches a battery serves it.",
        example="192.168.1.0/24",
    )
    priority: int | None = option(
        optional(integer(0)),
        help="Sections that serve the same batteries and have a PRIORITY stand in for each "
        "other: the smallest number is read, and when it fails the next takes over at once. "
        "Not set: nothing stands in for this meter.",
        example="1",
    )
    plausibility: float | None = option(
        optional(number(0)),
        unit="W",
        help="Warn when this meter and the one in use show totals that differ by more for a "
        "minute. Needs PRIORITY.",
        example="200",
    )


def check(options: MeterOptions) -> Iterator[tuple[str, str]]:
    """What does not fit together in any meter's section, as (key, what is wrong)."""
    if options.plausibility is not None and options.priority is None:
        yield "PLAUSIBILITY", "give this section and the ones to compare it with a PRIORITY"
    yield from hampel.check(options)
    yield from pid.check(options)
