"""Whose law is whose."""

from __future__ import annotations

from simulator.batteries.classic.laws import classic_regulator
from simulator.batteries.config import CLASSIC, UNKNOWN_LAW, BatteryConfig
from simulator.batteries.families import IntegerFamily
from simulator.batteries.field import FieldRegulator
from simulator.batteries.law import Regulator
from simulator.batteries.outputs import B2500Regulator
from simulator.batteries.unknown import UnknownRegulator


def regulator_of(config: BatteryConfig) -> Regulator:
    """The regulator of a battery: by the law that was chosen for it, then by its family."""
    if config.law == UNKNOWN_LAW:
        return UnknownRegulator(config)
    if config.law == CLASSIC:
        return classic_regulator(config)
    family = config.family
    if isinstance(family, IntegerFamily):
        return FieldRegulator(config, family)
    return B2500Regulator(config)
