"""The options of ``[GENERAL]``: the appliance itself, and defaults for meters and emulators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from astrameter.controlsocket.places import place
from astrameter.ct.options import DedupeOptions
from astrameter.meters.options import SharedMeterOptions
from astrameter.options import Section, boolean, items, number, option, port, text, words_of

CT_TYPES = ("ct002", "ct003")
SHELLY_TYPES = (
    "shellypro3em",
    "shellypro3em_old",
    "shellypro3em_new",
    "shellyemg3",
    "shellyproem50",
)
DEVICE_TYPES = CT_TYPES + SHELLY_TYPES
"""What can be emulated (filters.md section 13); the names are case-sensitive."""

DEFAULT_WEB_PORT = 52500


def _obsolete(kind: Any, default: Any, why: str) -> Any:
    return option(kind, default=default, no_effect=why, help="Accepted from AstraMeter 2.x files.")


@dataclass(frozen=True)
class ApplianceOptions:
    """What the appliance is to be."""

    device_type: tuple[str, ...] = option(
        words_of(*DEVICE_TYPES),
        default=("shellypro3em",),
        help="The meters to emulate. ct002 and ct003 steer any number of batteries; a Shelly is "
        "for one battery. shellypro3em stands for shellypro3em_old (UDP port 1010) and "
        "shellypro3em_new (UDP port 2220) together.",
        example="ct002",
    )
    device_ids: tuple[str, ...] = option(
        items(),
        default=(),
        help="The identities of the emulated meters, in the order of DEVICE_TYPE. Missing ones "
        "are made up and never change. A battery remembers the Shelly it was paired with, and "
        "may refuse one whose id is not of the form model-123456789abc.",
        example="shellypro3em-ec4609c439c1",
    )
    skip_powermeter_test: bool = option(
        boolean(),
        default=False,
        help="Start without reading every meter once to see whether it works.",
    )
    enable_web_server: bool = option(
        boolean(),
        default=True,
        help="Serve the status page and the health check over HTTP.",
    )
    web_server_port: int = option(
        port(), default=DEFAULT_WEB_PORT, help="TCP port of the status page and health check."
    )
    control_socket: str = option(
        place(),
        default="",
        help="Where commands and consoles on this machine find the daemon (a Unix socket), or off. "
        "Not set: control.sock in $RUNTIME_DIRECTORY, else where the state is kept.",
        example="/run/astrameter/control.sock",
    )
    web_config_enabled: bool = _obsolete(
        boolean(), False, "this release has no configuration editor"
    )
    disable_sum_phases: str = _obsolete(text(), "", "AstraMeter 2.x already ignored it")
    disable_absolute_values: str = _obsolete(text(), "", "AstraMeter 2.x already ignored it")
    poll_interval: float = _obsolete(
        number(), 0.0, "meters are read when a battery asks; see THROTTLE_INTERVAL"
    )


@dataclass(frozen=True)
class GeneralOptions(SharedMeterOptions, DedupeOptions, ApplianceOptions):
    """Everything that ``[GENERAL]`` can hold."""


GENERAL = Section(
    "GENERAL",
    GeneralOptions,
    help="What is emulated, and defaults for all meters and emulated devices.",
    example={"DEVICE_TYPE": "ct002"},
)
