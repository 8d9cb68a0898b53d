"""Whose classic law is whose (battery-firmware.md section 1)."""

from __future__ import annotations

from simulator.batteries.classic.b2500 import B2500
from simulator.batteries.classic.venus_c import VenusC
from simulator.batteries.classic.venus_d import VenusD
from simulator.batteries.config import BatteryConfig
from simulator.batteries.families import B2500 as B2500_FAMILY
from simulator.batteries.families import VNSD
from simulator.batteries.law import Regulator


def classic_regulator(config: BatteryConfig) -> Regulator:
    """The regulator that the predecessor gives a device type."""
    if config.family is B2500_FAMILY:
        return B2500(config)
    if config.family is VNSD:
        return VenusD(config)
    return VenusC(config)
