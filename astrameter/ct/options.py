"""The options of ``[CT002]`` and ``[CT003]`` (ct-protocol.md section 17)."""

from __future__ import annotations

from dataclasses import dataclass

from astrameter.ct.failsafe import FailsafeOptions
from astrameter.marstek.options import CloudReportingOptions
from astrameter.options import (
    Section,
    boolean,
    choice,
    integer,
    number,
    option,
    optional,
    port,
    text,
)
from astrameter.steering.options import SteeringOptions

DEFAULT_PORT = 12345
SAFE = "safe"
CLASSIC = "classic"


@dataclass(frozen=True)
class DedupeOptions:
    """``[GENERAL]`` sets it for all emulated meters; the CT sections may override it."""

    dedupe_time_window: float = option(
        number(),
        default=0.0,
        unit="s",
        inherited=True,
        help="Ignore requests of a battery that come within this time of the last one answered. "
        "Batteries repeat requests in bursts. 0 or less is off.",
        example="0.9",
    )


@dataclass(frozen=True)
class CtOptions(CloudReportingOptions, FailsafeOptions, SteeringOptions, DedupeOptions):
    """Options of one emulated CT002 or CT003."""

    ct_mac: str = option(
        text(),
        default="",
        help="Answer only batteries that were paired with this CT MAC. Empty: answer all.",
        example="001122334455",
    )
    udp_port: int = option(port(), default=DEFAULT_PORT, help="UDP port the batteries poll.")
    wifi_rssi: int = option(
        integer(), default=-50, unit="dBm", help="Signal strength shown to the batteries."
    )
    consumer_ttl: int | None = option(
        optional(integer()),
        unit="s",
        help="Forget a battery that was silent for so long. Not set: twice its own poll "
        "interval, at least 5 s.",
        example="120",
    )
    answer_style: str = option(
        choice(SAFE, CLASSIC),
        default=SAFE,
        help="How steering is written into an answer. safe: one value for the asking battery and "
        "nothing about the others, which every known firmware follows. classic: counts and "
        "power sums as AstraMeter 2.x sent them.",
    )
    debug_status: bool = option(
        boolean(),
        default=False,
        help="One log line for each answered poll (also with DEBUG_STATUS=1 in the environment).",
    )


CT002 = Section(
    "CT002",
    CtOptions,
    help="The emulated CT002 (also used for ct003 where there is no [CT003]).",
    example={"ACTIVE_CONTROL": "yes"},
)
CT003 = Section(
    "CT003",
    CtOptions,
    help="The emulated CT003. When this section exists, ct003 takes nothing from [CT002].",
)
